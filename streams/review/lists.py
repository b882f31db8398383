"""Sections of a district's pack that name cases: reasons, the longest pending, defaulters, dissatisfaction."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from schemas.review import CalledBack, ReviewOutcome, StallingChecked
from streams.calendar import date_text, day_key
from streams.profiles.profile import DAY_MS
from streams.review.document import Block, Chart, Column, Series, Table
from streams.review.material import Material
from streams.review.registers import Dissatisfaction, Stay
from streams.review.words import Words

PRINTED: Final = 25
"""Rows of a long list that are printed; its CSV has all."""


def reasons(material: Material, words: Words) -> Iterator[Block]:
    """Why cases are pending, by level: coded, and none given is counted as such (R09)."""
    end = material.end_at
    told: Counter[tuple[int, str]] = Counter()
    for stay in material.stays:
        given = stay.reason_at(end)
        told[stay.level, given.reason if given is not None else ""] += 1
    rows = tuple(
        (f"L{level}", words.reason(slug) if slug else words["no_reason"], count)
        for (level, slug), count in sorted(told.items())
    )
    columns = (
        Column("level", words["level"], "left"),
        Column("reason", words["reason"], "left"),
        Column("pending", words["pending"]),
    )
    yield Table("reasons", words["reasons"], columns, rows)


def longest(material: Material, words: Words) -> Iterator[Block]:
    """Every pending case with level, age and reason, the oldest first."""
    end, zone = material.end_at, material.profile.zone
    stays = sorted(material.stays, key=lambda stay: (stay.registered_at, stay.case))
    rows = []
    for stay in stays:
        given = stay.reason_at(end)
        unseen = stay.seen_at is None or stay.seen_at >= end
        rows.append((
            _case(material, words, stay), _department(material, words, stay.department), f"L{stay.level}", stay.office,
            date_text(stay.registered_at, zone), date_text(stay.since, zone), (end - stay.registered_at) // DAY_MS,
            words.reason(given.reason) if given is not None else words["no_reason"], words["yes"] if unseen else "",
        ))  # fmt: skip
    columns = (
        Column("case", words["case"], "left"), Column("department", words["department"], "left"),
        Column("level", words["level"], "left"), Column("office", words["office"], "left"),
        Column("registered", words["registered"]), Column("since", words["since"]),
        Column("age_days", words["age_days"]), Column("reason", words["reason"], "left"),
        Column("unseen", words["unseen"], "left"),
    )  # fmt: skip
    yield Table("pending", words["longest"], columns, tuple(rows), shown=PRINTED)


def defaulters(material: Material, words: Words) -> Iterator[Block]:
    """Due instants let pass: by day of the month, and by office, the most first (R14)."""
    zone = material.profile.zone
    by_day = Counter(day_key(line.due_at, zone) for line in material.defaulters)
    days = sorted(material.days.keys() | by_day.keys())
    series = (Series(words["defaulters"], tuple(by_day[day] for day in days)),)
    yield Chart("defaulters-day", words["defaulters_day"], tuple(day[8:] for day in days), series)
    offices = Counter((line.department, line.level, line.office) for line in material.defaulters)
    rows = tuple(
        (_department(material, words, department), f"L{level}", office, count)
        for (department, level, office), count in sorted(offices.items(), key=lambda item: (-item[1], item[0]))
    )
    columns = (
        Column("department", words["department"], "left"), Column("level", words["level"], "left"),
        Column("office", words["office"], "left"), Column("defaulters", words["defaulters"]),
    )  # fmt: skip
    yield Table("defaulters", words["defaulters_office"], columns, rows, shown=PRINTED)


def dissatisfaction(material: Material, words: Words) -> Iterator[Block]:
    """The register of the month: reasons counted, then its lines (R08). What the citizen said stays in the case."""
    counted = Counter(line.reason for line in material.dissatisfied)
    rows = tuple(
        (words.reason(slug), count) for slug, count in sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    )
    heads = (Column("reason", words["reason"], "left"), Column("dissatisfied", words["dissatisfied"]))
    yield Table("dissatisfaction-reasons", words["dissatisfaction_reasons"], heads, rows)
    zone = material.profile.zone
    lines = tuple(
        (date_text(line.at, zone), _case(material, words, line), _department(material, words, line.department),
         f"L{line.level}", line.office, words.reason(line.reason),
         f"{line.recording.store}/{line.recording.ref}" if _visible(material, line) else "",
         words["yes"] if line.reopened else "")
        for line in material.dissatisfied
    )  # fmt: skip
    columns = (
        Column("day", words["day"]), Column("case", words["case"], "left"),
        Column("department", words["department"], "left"), Column("level", words["level"], "left"),
        Column("office", words["office"], "left"), Column("reason", words["reason"], "left"),
        Column("recording", words["recording"], "left"), Column("reopened", words["reopened"], "left"),
    )  # fmt: skip
    yield Table("dissatisfaction", words["dissatisfaction"], columns, lines, shown=PRINTED)


def reviews(material: Material, words: Words) -> Iterator[Block]:
    """What reviewers found in the cases they had drawn: a line each, with the seed that draws them again (R17, R18)."""
    zone = material.profile.zone
    lines = []
    for each in material.reviewed:
        purpose, found = _found(each, words)
        lines.append((
            date_text(each.at, zone), purpose, _case(material, words, each),
            _department(material, words, each.department), f"L{each.level}", each.office, found, each.sample.seed,
            f"{each.sample.size} / {each.sample.population}, {each.sample.as_of}",
        ))  # fmt: skip
    columns = (
        Column("day", words["day"]), Column("purpose", words["purpose"], "left"), Column("case", words["case"], "left"),
        Column("department", words["department"], "left"), Column("level", words["level"], "left"),
        Column("office", words["office"], "left"), Column("finding", words["finding"], "left"),
        Column("seed", words["seed"], "left"), Column("sample", words["sample"], "left"),
    )  # fmt: skip
    yield Table("reviews", words["reviews"], columns, tuple(lines), shown=PRINTED)


def _found(outcome: ReviewOutcome, words: Words) -> tuple[str, str]:
    """What it was drawn for, and what was found."""
    match outcome:
        case StallingChecked(finding=finding, action="none"):
            return words["stalling"], words.reason(finding)
        case StallingChecked(finding=finding, action=action):
            return words["stalling"], f"{words.reason(finding)}, {words.reason(action)}"
        case CalledBack(answer=answer):
            return words["called_back"], words.reason(answer)


def _visible(material: Material, line: Stay | Dissatisfaction | ReviewOutcome) -> bool:
    return material.profile.visible(line.restricted, material.sees)


def _case(material: Material, words: Words, line: Stay | Dissatisfaction | ReviewOutcome) -> str:
    """The case's number, where the reader may see it."""
    return line.case if _visible(material, line) else words["restricted"]


def _department(material: Material, words: Words, slug: str) -> str:
    known = material.profile.departments.get(slug)
    return slug if known is None else words.name(known.name)
