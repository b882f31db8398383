"""The SMS stage: hands each message over, again while it is known to have failed, and follows it to its receipt."""

from typing import Final, Literal

from msgspec.structs import replace

from schemas.base import Wake
from schemas.sms import (
    SmsClaim,
    SmsDeferred,
    SmsDelivery,
    SmsHandover,
    SmsInput,
    SmsOutcome,
    SmsReceipt,
    SmsRequested,
    SmsTurn,
)
from schemas.topics import SMS_DELIVERY, SMS_OUTBOX, SMS_REQUESTED, SMS_TURNS
from streams.profiles.load import profiles
from streams.profiles.profile import SmsRule
from streams.sms.policy import allowed_at, backoff_ms
from streams.sms.state import Phase, Sms
from streams.stage import Origin, Output, Refused, Stage, Step

Told = Literal["handed-over", "accepted", "delivered", "failed", "unknown", "repeated"]
Reason = Literal["quiet-hours", "day-cap"]
HAS_IT: Final[frozenset[Phase]] = frozenset({"accepted", "undelivered", "delivered"})
"""Phases in which the gateway has the message."""
TRYING: Final[frozenset[Phase]] = frozenset({"claiming", "waiting", "handed-over"})
UNHEARD_OF: Final[Step[Sms]] = Step(
    None, [], Refused("unknown-sms", "id: no such message is known, or it was forgotten")
)
NOT_HANDED_OVER: Final = Refused("not-handed-over", "attempt: the message was not handed over that often")


def step(
    state: Sms | None, record: SmsRequested | SmsOutcome | SmsReceipt | SmsTurn | Wake, origin: Origin
) -> Step[Sms]:
    """Fold one record into the message of its key."""
    match record:
        case SmsRequested():
            return _requested(state, record, origin)
        case SmsOutcome():
            return UNHEARD_OF if state is None else _outcome(state, record, origin)
        case SmsReceipt():
            return UNHEARD_OF if state is None else _receipt(state, record, origin)
        case SmsTurn():
            return Step(None, []) if state is None else _turn(state, record, origin)
        case Wake():
            return Step(None, []) if state is None else _woken(state, record, origin)


def _requested(state: Sms | None, request: SmsRequested, origin: Origin) -> Step[Sms]:
    if state is not None:
        return Step(state, [_told(state, request.id, "repeated", request.at, origin)])
    if request.system not in profiles():
        return Step(None, [], Refused("unknown-system", "system: no profile of that name"))
    fresh = Sms(
        request.case, request.system, request.audience, request.step, "waiting", 0, request.at, request.at, request
    )
    if request.audience == "citizen" and request.citizen is not None and _rule(fresh).day_cap is not None:
        return _claim(fresh, request, request.citizen)
    return _hand_over(fresh, request, request.at, origin, measured=False)


def _claim(state: Sms, request: SmsRequested, citizen: str) -> Step[Sms]:
    """Ask when this number may be texted; without an answer in time it is handed over all the same."""
    at = allowed_at(profiles()[state.system], state.audience, request.at)
    claiming = replace(state, phase="claiming", due_at=request.at + _rule(state).no_outcome_ms)
    return Step(claiming, [Output(SMS_TURNS, citizen, SmsClaim(request.id, citizen, request.system, at), at)])


def _turn(state: Sms, turn: SmsTurn, origin: Origin) -> Step[Sms]:
    if state.phase != "claiming" or state.request is None:
        return Step(state, [])
    if turn.from_at is None:
        after = _ended(state, "given-up", turn.at)
        return Step(after, [_told(after, turn.id, "failed", turn.at, origin, "day-cap")])
    until = allowed_at(profiles()[state.system], state.audience, turn.from_at)
    if until <= state.requested_at:
        return _hand_over(state, state.request, state.requested_at, origin, measured=False)
    reason: Reason = "day-cap" if turn.from_at > turn.at else "quiet-hours"
    return _defer(state, state.request, state.requested_at, until, origin, reason)


def _defer(state: Sms, request: SmsRequested, at: int, until: int, origin: Origin, reason: Reason) -> Step[Sms]:
    fact = SmsDeferred(request.id, state.case, state.system, at, state.audience, state.step, until, reason, origin.id)
    return Step(replace(state, phase="waiting", due_at=until), [Output(SMS_DELIVERY, request.id, fact, at)])


def _rule(state: Sms) -> SmsRule:
    return profiles()[state.system].sms


def _hand_over(state: Sms, request: SmsRequested, at: int, origin: Origin, *, measured: bool) -> Step[Sms]:
    """Hand over now, or at the end of the quiet hours."""
    allowed = allowed_at(profiles()[state.system], state.audience, at)
    if allowed > at:
        return _defer(state, request, at, allowed, origin, "quiet-hours")
    attempt = state.attempt + 1
    due = at + _rule(state).no_outcome_ms
    handed = replace(state, phase="handed-over", attempt=attempt, due_at=due, measured=measured)
    return Step(
        handed,
        [
            Output(SMS_OUTBOX, request.id, SmsHandover(request, attempt, at), at),
            _told(handed, request.id, "handed-over", at, origin),
        ],
    )


def _outcome(state: Sms, outcome: SmsOutcome, origin: Origin) -> Step[Sms]:
    if outcome.attempt > state.attempt:
        return Step(state, [], NOT_HANDED_OVER)
    if state.phase in HAS_IT:
        return Step(state, [])
    match outcome.outcome:
        case "accepted":
            return _taken(state, outcome, origin)
        case "refused":
            return Step(state, []) if state.phase == "given-up" else _failed(state, outcome, origin, outcome.code)
        case "unavailable" | "unknown":
            return _no_answer(state, outcome, origin)


def _taken(state: Sms, record: SmsOutcome | SmsReceipt, origin: Origin) -> Step[Sms]:
    after = _ended(state, "accepted", record.at)
    return Step(after, [_told(after, record.id, "accepted", record.at, origin, record.code)])


def _failed(state: Sms, outcome: SmsOutcome, origin: Origin, code: str) -> Step[Sms]:
    after = _ended(state, "given-up", outcome.at)
    return Step(after, [_told(after, outcome.id, "failed", outcome.at, origin, code)])


def _no_answer(state: Sms, outcome: SmsOutcome, origin: Origin) -> Step[Sms]:
    """No gateway, or no knowing whether it took the message."""
    if state.phase != "handed-over" or outcome.attempt != state.attempt:
        return Step(state, [])
    state = replace(state, maybe=state.maybe or outcome.outcome == "unknown")
    rule = _rule(state)
    if not _may_try_again(state, rule):
        return _out_of_attempts(state, outcome.id, outcome.at, origin, outcome.code)
    due = outcome.at + backoff_ms(rule, outcome.id, state.attempt)
    return Step(replace(state, phase="waiting", due_at=due), [])


def _may_try_again(state: Sms, rule: SmsRule) -> bool:
    return state.attempt < rule.max_attempts and (rule.resend_unknown or not state.maybe)


def _out_of_attempts(state: Sms, id: str, at: int, origin: Origin, code: str) -> Step[Sms]:  # noqa: A002
    """Failed for certain, or unknown for ever: one is never counted as the other."""
    after = _ended(state, "unknown" if state.maybe else "given-up", at)
    return Step(after, [_told(after, id, "unknown" if state.maybe else "failed", at, origin, code)])


def _ended(state: Sms, phase: Phase, at: int) -> Sms:
    """Nothing more to hand over: the request is let go, the id is remembered so that a repeat sends nothing."""
    forget_at = max(state.requested_at, at) + _rule(state).forget_after_ms
    return replace(state, phase=phase, due_at=forget_at, request=None)


def _receipt(state: Sms, receipt: SmsReceipt, origin: Origin) -> Step[Sms]:
    """A receipt that overtook the gateway's answer tells of both."""
    if state.attempt == 0:
        return Step(state, [], NOT_HANDED_OVER)
    outputs: list[Output] = []
    if state.phase not in HAS_IT:
        state, outputs = _taken_by_receipt(state, receipt, origin)
    if state.phase == "delivered" or (state.phase == "undelivered" and not receipt.delivered):
        return Step(state, outputs)
    after = replace(state, phase="delivered" if receipt.delivered else "undelivered")
    told = _told(after, receipt.id, "delivered" if receipt.delivered else "failed", receipt.at, origin, receipt.code)
    return Step(after, [*outputs, told])


def _taken_by_receipt(state: Sms, receipt: SmsReceipt, origin: Origin) -> tuple[Sms, list[Output]]:
    after = _ended(state, "accepted", receipt.at)
    return after, [_told(after, receipt.id, "accepted", receipt.at, origin, "by-receipt")]


def _woken(state: Sms, wake: Wake, origin: Origin) -> Step[Sms]:
    if wake.now_at < state.due_at:
        return Step(state, [])
    if state.phase not in TRYING or state.request is None:
        return Step(None, [])
    if state.phase == "waiting":
        return _hand_over(state, state.request, wake.now_at, origin, measured=True)
    return _no_outcome(state, state.request, wake, origin)


def _no_outcome(state: Sms, request: SmsRequested, wake: Wake, origin: Origin) -> Step[Sms]:
    """No outcome came in time: the sender may have died before its call or after it. Or no turn came."""
    rule = _rule(state)
    if not state.measured and wake.now_at - state.due_at > rule.no_outcome_ms:
        # the request told of something long past: only from now on is it known that there was the time
        return Step(replace(state, due_at=wake.now_at + rule.no_outcome_ms, measured=True), [])
    if state.phase == "claiming":
        return _hand_over(state, request, wake.now_at, origin, measured=True)
    state = replace(state, maybe=True)
    if not _may_try_again(state, rule):
        return _out_of_attempts(state, request.id, wake.now_at, origin, "no-outcome")
    return _hand_over(state, request, wake.now_at, origin, measured=True)


def _told(state: Sms, id: str, told: Told, at: int, origin: Origin, code: str = "") -> Output:  # noqa: A002
    fact = SmsDelivery(
        id, state.case, state.system, at, state.audience, state.step, told, state.attempt, origin.id, code
    )
    return Output(SMS_DELIVERY, id, fact, at)


def wake_at(state: Sms) -> int:
    return state.due_at


SMS: Final[Stage[Sms]] = Stage(
    name="sms",
    reads=SMS_REQUESTED,
    writes=(SMS_OUTBOX, SMS_DELIVERY, SMS_TURNS),
    records=SmsInput,
    state=Sms,
    step=step,
    wake_at=wake_at,
)
