"""Sections of a pack that count: key figures, progress by department, district and day, pendency by age."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, cast

from streams.profiles.profile import DAY_MS
from streams.review.document import Block, Cell, Chart, Column, Series, Table
from streams.review.material import AGES, Material
from streams.review.registers import Unit
from streams.review.words import Words
from streams.sla.ranking import decimal, half_up
from streams.sla.table import Line

APART: Final = ("disposed", "partial", "special", "forced", "verified", "satisfied", "dissatisfied", "closed_unknown")
"""Never added into one another: what was disposed of is not what the citizen confirmed."""


def count(line: Line, measure: str) -> int:
    """A count by the measure's name; a system that does not count it has none."""
    return cast("Mapping[str, int]", line.counts).get(measure, 0)


def share(part: int, whole: int) -> str | None:
    """A percentage with two decimals, half up; None of nothing."""
    return decimal(half_up(Fraction(part * 10_000, whole))) if whole else None


def _days(ms: float | None) -> str | None:
    """Milliseconds as days with one decimal."""
    tenths = None if ms is None else half_up(Fraction(int(ms) * 10, DAY_MS))
    return None if tenths is None else f"{tenths // 10}.{tenths % 10}"


def figures(material: Material, words: Words) -> Iterator[Block]:
    """The scope in one table."""
    line = material.line()
    pending = sum(sum(ages) for ages in material.pending(lambda _: None).values())
    counted = ("received", "returned", "left", *APART, "escalated_timeout", "escalated_dissatisfied", "defaulters")
    rows: list[tuple[Cell, ...]] = [(words["pending_before"], material.pending_before())]
    rows += [(words[measure], count(line, measure)) for measure in counted]
    rows += [
        (words["satisfied_share"], share(count(line, "satisfied"), count(line, "verified"))),
        (words["pending"], pending),
        (words["median_days"], _days(line.quantile_ms(0.5))),
        (words["ninety_days"], _days(line.quantile_ms(0.9))),
    ]
    columns = (Column("figure", words["figure"], "left"), Column("value", words["value"]))
    yield Table("figures", words["figures"], columns, tuple(rows))


def verdicts(material: Material, words: Words) -> Iterator[Block]:
    """Disposed, verified, satisfied, not satisfied, unknown, partial, special, forced: each a bar of its own."""
    line = material.line()
    values = tuple(count(line, measure) for measure in APART)
    yield Chart("verdicts", words["verdicts"], tuple(words[each] for each in APART), (Series(words["value"], values),))


def by_day(material: Material, words: Words) -> Iterator[Block]:
    """Received (returned included) and disposed on each day of the month up to the pack's."""
    days = sorted(material.days)
    received = tuple(material.days[day].get("received", 0) + material.days[day].get("returned", 0) for day in days)
    disposed = tuple(material.days[day].get("disposed", 0) for day in days)
    series = (Series(words["received"], received), Series(words["disposed"], disposed))
    yield Chart("by-day", words["by_day"], tuple(day[8:] for day in days), series)


def by_department(material: Material, words: Words) -> Iterator[Block]:
    """A row for each department that had anything."""
    departments = material.profile.departments
    yield _progress(
        material, words, "department", lambda unit: unit.department,
        lambda slug: words.name(departments[slug].name) if slug in departments else slug,
    )  # fmt: skip


def by_district(material: Material, words: Words) -> Iterator[Block]:
    """A row for each district that had anything."""
    districts = material.profile.districts
    yield _progress(
        material, words, "district", lambda unit: unit.district,
        lambda code: words.name(districts[code].name) if code in districts else str(code),
    )  # fmt: skip


COUNTED: Final = ("received", "returned", *APART)


def _progress(
    material: Material, words: Words, what: str, by: Callable[[Unit], Any], named: Callable[[Any], str]
) -> Table:
    lines, pending = material.lines(by), material.pending(by)
    keys = sorted(lines.keys() | pending.keys(), key=str)

    def row(line: Line, open_now: int) -> tuple[Cell, ...]:
        counts = tuple(count(line, measure) for measure in COUNTED)
        satisfied = share(count(line, "satisfied"), count(line, "verified"))
        return (*counts, satisfied, count(line, "defaulters"), open_now)

    columns = (
        Column("code", "", "left"),
        Column(what, words[what], "left"),
        *(Column(measure, words[measure]) for measure in COUNTED),
        Column("satisfied_share", words["satisfied_share"]),
        Column("defaulters", words["defaulters"]),
        Column("pending", words["pending"]),
    )
    rows = tuple((str(key), named(key), *row(lines.get(key, Line()), sum(pending.get(key, ())))) for key in keys)
    total = ("", words["total"], *row(material.line(), sum(sum(ages) for ages in pending.values())))
    return Table(f"by-{what}", words[f"by_{what}"], columns, rows, total)


def age_headings() -> tuple[str, ...]:
    """`0-7`, `8-15`, ..., `> 180`."""
    lows = (0, *(bound + 1 for bound in AGES[:-1]))
    return (*(f"{low}-{high}" for low, high in zip(lows, AGES, strict=True)), f"> {AGES[-1]}")


def pendency(material: Material, words: Words) -> Iterator[Block]:
    """Pending cases by level and age, with the ages as a chart."""
    by_level = material.pending(lambda unit: unit.level)
    levels = range(1, material.profile.last_level + 1)
    ages = [by_level.get(level, [0] * (len(AGES) + 1)) for level in levels]
    total = [sum(each) for each in zip(*ages, strict=True)]
    columns = (Column("level", words["level"], "left"), *_age_columns(words))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (f"L{level}", *each, sum(each)) for level, each in zip(levels, ages, strict=True)
    )
    yield Table("pendency", words["pendency"], columns, rows, (words["total"], *total, sum(total)))
    yield Chart("ages", words["ages"], age_headings(), (Series(words["pending"], tuple(total)),))


def pendency_by_department(material: Material, words: Words) -> Iterator[Block]:
    """Pending cases by department and age (R13)."""
    by_department = material.pending(lambda unit: unit.department)
    departments = material.profile.departments
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (slug, words.name(departments[slug].name) if slug in departments else slug, *ages, sum(ages))
        for slug, ages in sorted(by_department.items())
    )
    columns = (Column("code", "", "left"), Column("department", words["department"], "left"), *_age_columns(words))
    yield Table("pendency-department", words["pendency_department"], columns, rows)


def _age_columns(words: Words) -> tuple[Column, ...]:
    return (*(Column(each.replace("> ", "over-"), each) for each in age_headings()), Column("total", words["total"]))
