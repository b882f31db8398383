"""The turns stage: how many messages a citizen's number gets on a day, and from when on the next one may be sent."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from schemas.base import Wake
from schemas.sms import SmsClaim, SmsTurn, TurnInput
from schemas.topics import SMS_REQUESTED, SMS_TURNS
from streams.calendar import bounds
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS
from streams.stage import Origin, Output, Refused, Stage, Step

DAYS_AHEAD: Final = 2
"""Days after the claim's own on which a message may still be of use; later it is not sent (default)."""
KEPT_MS: Final = 7 * DAY_MS
"""How long a day is remembered after its end: as late as an event may be told (default)."""


class Day(Struct, frozen=True, array_like=True, gc=False):
    """A local day and the messages that have their turn on it."""

    start_at: int
    end_at: int
    ids: tuple[str, ...]


class Turns(Struct, frozen=True, array_like=True, gc=False):
    """The days of one citizen's number, in order; whatever the system, they are counted together."""

    days: tuple[Day, ...]


def step(state: Turns | None, record: SmsClaim | Wake, origin: Origin) -> Step[Turns]:  # noqa: ARG001 - as every stage's
    """Give a message its turn: on its own day, or on the next with room."""
    match record:
        case Wake():
            gone = state is None or forget_at(state) <= record.now_at
            return Step(None if gone else state, [])
        case SmsClaim():
            return _claimed(state, record)


def _claimed(state: Turns | None, claim: SmsClaim) -> Step[Turns]:
    profile = profiles().get(claim.system)
    if profile is None:
        return Step(state, [], Refused("unknown-system", "system: no profile of that name"))
    days = {day.start_at: day for day in (state.days if state is not None else ())}
    if (before := next((day for day in days.values() if claim.id in day.ids), None)) is not None:
        return Step(state, [_answer(claim, before)])
    span = bounds("day", claim.at, profile.zone)
    for _ in range(DAYS_AHEAD + 1):
        day = days.get(span.start_at, Day(*span, ()))
        if profile.sms.day_cap is None or len(day.ids) < profile.sms.day_cap:
            taken = replace(day, ids=(*day.ids, claim.id))
            return Step(_kept({**days, span.start_at: taken}), [_answer(claim, taken)])
        span = bounds("day", span.end_at, profile.zone)
    return Step(state, [_answer(claim, None)])


def _answer(claim: SmsClaim, day: Day | None) -> Output:
    turn = SmsTurn(claim.id, claim.at, None if day is None else max(claim.at, day.start_at))
    return Output(SMS_REQUESTED, claim.id, turn, claim.at)


def _kept(days: dict[int, Day]) -> Turns:
    ordered = sorted(days.values(), key=lambda day: day.start_at)
    return Turns(tuple(day for day in ordered if day.end_at + KEPT_MS > ordered[-1].start_at))


def forget_at(state: Turns) -> int:
    return state.days[-1].end_at + KEPT_MS


TURNS: Final[Stage[Turns]] = Stage(
    name="turns",
    reads=SMS_TURNS,
    writes=(SMS_REQUESTED,),
    records=TurnInput,
    state=Turns,
    step=step,
    wake_at=forget_at,
)
