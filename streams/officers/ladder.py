"""The action ladder (R22): presets over a defaulter's days propose a step, superiors take it, each tied to cases."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Final

from schemas import officers as o
from streams.officers.state import Proposal
from streams.officers.turn import Turn
from streams.profiles.profile import Preset

KEPT_DAYS: Final = 62
"""A defaulter's days are remembered for two months: no preset looks back farther than one."""
MOST_CASES: Final = 200


def tell_conduct(turn: Turn, command: o.TellConduct) -> None:
    """One day of his at one office, whole; then what it means for the presets."""
    turn.tell(
        o.ConductDay,
        "day-at-the-office",
        command.at,
        office=command.office,
        day=command.day,
        result=command.result,
        personal=command.personal,
        delegated=command.delegated,
        defaulters=command.defaulters,
        cases=command.cases,
    )
    offices = {
        name: cases for name, cases in turn.officer.defaulted.get(command.day, {}).items() if name != command.office
    }
    if command.defaulters:
        offices[command.office] = command.cases
    days = {day: each for day, each in turn.officer.defaulted.items() if day != command.day}
    if offices:
        days[command.day] = offices
    if days != turn.officer.defaulted:
        turn.change(defaulted={day: days[day] for day in sorted(days)})
        _forget(turn)
        _review(turn, command.at)


def _forget(turn: Turn) -> None:
    newest = max(turn.officer.defaulted, default=None)
    if newest is not None:
        first = date.fromordinal(_number(newest) - KEPT_DAYS).isoformat()
        turn.change(
            defaulted={day: each for day, each in turn.officer.defaulted.items() if day >= first},
            proposals=tuple(each for each in turn.officer.proposals if each.days[0] >= first),
        )


def _review(turn: Turn, at: int) -> None:
    for proposal in turn.officer.proposals:
        if any(day not in turn.officer.defaulted for day in proposal.days):
            turn.change(proposals=tuple(each for each in turn.officer.proposals if each != proposal))
            turn.tell(
                o.ProposalWithdrawn,
                "no-defaulter-after-all",
                at,
                preset=proposal.preset,
                step=proposal.step,
                days=proposal.days,
            )
    for preset in turn.rule.presets:
        for days in list(_met(turn, preset)):
            turn.change(proposals=(*turn.officer.proposals, Proposal(preset.preset, preset.step, days)))
            turn.tell(
                o.StepProposed,
                preset.preset,
                at,
                preset=preset.preset,
                step=preset.step,
                days=days,
                cases=_cases(turn, days),
            )


def _met(turn: Turn, preset: Preset) -> Iterator[tuple[str, ...]]:
    """The days on which the preset is met, once each: a day that carries one proposal of it carries no second."""
    used = {day for each in turn.officer.proposals if each.preset == preset.preset for day in each.days}
    if preset.consecutive_days is not None:
        for run in _runs([day for day in turn.officer.defaulted if day not in used]):
            whole = len(run) - len(run) % preset.consecutive_days
            yield from (
                run[start : start + preset.consecutive_days] for start in range(0, whole, preset.consecutive_days)
            )
    if preset.days_in_month is not None:
        months = {day[:7] for day in used}
        for month, days in groupby(turn.officer.defaulted, lambda day: day[:7]):
            found = tuple(days)
            if month not in months and len(found) >= preset.days_in_month:
                yield found[: preset.days_in_month]


def _runs(days: list[str]) -> Iterator[tuple[str, ...]]:
    """Days in a row; `days` are in order."""
    for _, run in groupby(enumerate(days), lambda pair: _number(pair[1]) - pair[0]):
        yield tuple(day for _, day in run)


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _cases(turn: Turn, days: tuple[str, ...]) -> tuple[str, ...]:
    offices = (office for day in days for office in turn.officer.defaulted[day].values())
    return tuple({case: None for cases in offices for case in cases})[:MOST_CASES]


def may_take(turn: Turn, command: o.TakeStep) -> str | None:
    """Steps are taken in order: none is passed over, and one may be taken again."""
    steps = [each.step for each in turn.rule.ladder]
    if command.step not in steps:
        return "unknown-step"
    return "passes-over-a-step" if steps.index(command.step) > turn.officer.highest else None


def take_step(turn: Turn, command: o.TakeStep) -> None:
    number = [each.step for each in turn.rule.ladder].index(command.step) + 1
    turn.change(highest=max(turn.officer.highest, number))
    cases = tuple(dict.fromkeys(command.cases))
    turn.tell(o.StepTaken, "taken", command.at, step=command.step, cases=cases, reference=command.reference)
