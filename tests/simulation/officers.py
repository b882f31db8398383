"""What is told of officers, whatever came late: each day as last told, each fact once, proposals that fit the days."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple

from schemas import officers as o
from schemas.codec import tag

TELL_CONDUCT = tag(o.TellConduct)
Day = tuple[str, str, str]
"""Officer, office (none for presence), local day."""


class Shown(NamedTuple):
    """What a reader of the facts knows in the end."""

    presence: dict[Day, tuple[Any, ...]]
    conduct: dict[Day, tuple[Any, ...]]
    others: list[tuple[Any, ...]]
    """Facts that are told once; the first login may be told of late, and then the login told first is the first."""


def shown(facts: Iterable[o.OfficerFact]) -> Shown:
    """Of days what was told last, the rest in order of time."""
    presence: dict[Day, tuple[Any, ...]] = {}
    conduct: dict[Day, tuple[Any, ...]] = {}
    others: list[tuple[Any, ...]] = []
    for fact in facts:
        match fact:
            case o.PresenceDay():
                presence[fact.officer, "", fact.day] = (fact.logins, fact.minutes, fact.flags, fact.last_login_at)
            case o.ConductDay():
                done = (fact.personal, fact.delegated, fact.defaulters, fact.cases)
                conduct[fact.officer, fact.office, fact.day] = done
            case o.StepProposed() | o.ProposalWithdrawn():
                pass  # which days a proposal rests on depends on which were known first
            case o.OfficerCommandRejected():
                # days of one who is not known are told as often as they are revised
                if fact.reason != "repeated" and fact.command != TELL_CONDUCT:
                    others.append((fact.officer, fact.command_id, fact.reason))
            case o.FirstLogin():
                others.append((fact.officer, "first-login", ""))
            case _:
                others.append((fact.officer, type(fact).__name__, str(fact.at)))
    nothing = (0, 0, 0, ())
    return Shown(presence, {day: done for day, done in conduct.items() if done != nothing}, sorted(others))


def problems(facts: list[o.OfficerFact], wanted: Shown) -> list[str]:
    """What differs from the days as they are told in order, and what contradicts itself."""
    found = [*_numbering(facts), *_finals(facts), *_proposals(facts)]
    now = shown(facts)
    for what, told, meant in (("day", now.presence, wanted.presence), ("conduct", now.conduct, wanted.conduct)):
        days = sorted(told.keys() | meant.keys())
        found += [
            f"{what} {day}: {told.get(day)}, not {meant.get(day)}" for day in days if told.get(day) != meant.get(day)
        ]
    if now.others != wanted.others:
        more, less = Counter(now.others), Counter(wanted.others)
        found.append(f"facts of officers: too many {dict(more - less)}, missing {dict(less - more)}")
    return found


def _numbering(facts: list[o.OfficerFact]) -> Iterator[str]:
    """Each officer's facts are numbered 1, 2, 3."""
    last: Counter[str] = Counter()
    for fact in facts:
        if isinstance(fact, o.OfficerCommandRejected):
            continue
        if fact.seq != last[fact.officer] + 1:
            yield f"{fact.officer}: fact {fact.seq} follows {last[fact.officer]}"
        last[fact.officer] = fact.seq


def _finals(facts: list[o.OfficerFact]) -> list[str]:
    """A day is final once; what comes after is a revision."""
    finals = Counter(
        (type(fact).__name__, fact.officer, fact.office, fact.day)
        for fact in facts
        if isinstance(fact, o.PresenceDay | o.ConductDay) and fact.result == "final"
    )
    return [f"{day} is final {times} times" for day, times in finals.items() if times > 1]


def _proposals(facts: list[o.OfficerFact]) -> Iterator[str]:
    """Each proposal that stands rests on days as a defaulter, none twice, and no three such days in a row are left."""
    cases: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    standing: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for fact in facts:
        match fact:
            case o.ConductDay():
                cases[fact.officer][fact.office, fact.day] = fact.defaulters
            case o.StepProposed():
                standing[fact.officer].append((fact.preset, fact.days))
            case o.ProposalWithdrawn():
                standing[fact.officer].remove((fact.preset, fact.days))
    for officer, told in cases.items():
        days = {day for (_, day), count in told.items() if count}
        in_a_row = [day for preset, rest in standing[officer] if preset == "three-days-in-a-row" for day in rest]
        if not days.issuperset(day for _, rest in standing[officer] for day in rest):
            yield f"{officer}: a proposal rests on other days than {sorted(days)}: {standing[officer]}"
        if len(in_a_row) != len(set(in_a_row)):
            yield f"{officer}: a day carries two proposals: {sorted(in_a_row)}"
        free = {date.fromisoformat(day).toordinal() for day in days.difference(in_a_row)}
        if any({day + 1, day + 2} <= free for day in free):
            yield f"{officer}: three days in a row without a proposal: {sorted(days)}, {sorted(in_a_row)}"
        months = Counter(day[:7] for day in days)
        proposed = Counter(rest[0][:7] for preset, rest in standing[officer] if preset == "five-days-in-a-month")
        if proposed != Counter(month for month, count in months.items() if count >= 5):
            yield f"{officer}: proposals by month are {dict(proposed)}, days {dict(months)}"
