"""Sections of a pack that rank: the best and the weakest, the formula they are measured by, part by part."""

from collections.abc import Iterator
from typing import Final

from streams.profiles.profile import Profile
from streams.review.document import Block, Cell, Column, Table
from streams.review.material import Material, ranked
from streams.review.words import Words
from streams.sla.ranking import Ranked, Subject, decimal

SHOWN: Final = 10
"""Best and weakest that are named."""


def districts(material: Material, words: Words) -> Iterator[Block]:
    """The state's districts."""
    yield from _ranking(material, words, "district")


def departments(material: Material, words: Words) -> Iterator[Block]:
    """The departments of the scope."""
    yield from _ranking(material, words, "department")


def own_rank(material: Material, words: Words) -> Iterator[Block]:
    """The district's place among the state's."""
    name = _main(material, "district")
    if name is None:
        return
    units = ranked(material, name)
    own = tuple(each for each in units if each.unit == str(material.scope.district))
    if own:
        yield _scores(material, words, name, own, "own-rank", words["own_rank"])


def _main(material: Material, subject: Subject) -> str | None:
    return next((name for name, each in material.scorers.items() if each.ranking.subject == subject), None)


def _ranking(material: Material, words: Words, subject: Subject) -> Iterator[Block]:
    name = _main(material, subject)
    if name is None:
        return
    units = ranked(material, name)
    with_rank = [each for each in units if each.rank is not None]
    yield _formula(material, words, name)
    title = words[f"ranking_{subject}s"]
    yield _scores(material, words, name, tuple(units), f"ranking-{subject}s", title)
    ends = (("best", with_rank[:SHOWN]), ("weakest", with_rank[::-1][:SHOWN]))
    if len(with_rank) > SHOWN:
        for word, chosen in ends:
            yield _scores(material, words, name, tuple(chosen), f"{word}-{subject}s", f"{title}: {words[word]}")


def _formula(material: Material, words: Words, name: str) -> Table:
    ranking = material.scorers[name].ranking
    rows: list[tuple[Cell, ...]] = []
    for slug, each in ranking.parameters.items():
        source = ranking.sources.get(f"parameters.{slug}.expression")
        mark = "" if source is None else f"{source.mark}: {source.source}"
        maximum = decimal(round(each.maximum * 100))
        rows.append((slug, words.name(each.name), maximum, each.expression, words[each.direction], mark))
    rows += [(key, "", None, text, "", "") for key, text in ranking.define.items()]
    columns = (
        Column("code", "", "left"), Column("parameter", words["parameter"], "left"),
        Column("maximum", words["maximum"]), Column("expression", words["expression"], "left"),
        Column("direction", words["direction"], "left"), Column("source", words["source"], "left"),
    )  # fmt: skip
    title = f"{words['formula']}: {words.name(ranking.name)}"
    return Table(f"formula-{ranking.subject}s", title, columns, tuple(rows))


def _scores(material: Material, words: Words, name: str, units: tuple[Ranked, ...], key: str, title: str) -> Table:
    ranking = material.scorers[name].ranking
    parts = tuple(
        Column(slug, f"{words.name(each.name)} ({decimal(round(each.maximum * 100))})")
        for slug, each in ranking.parameters.items()
    )
    columns = (
        Column("rank", words["rank"]), Column("code", "", "left"),
        Column(ranking.subject, words[ranking.subject], "left"), *parts,
        Column("marks", words["marks"]), Column("maximum", words["maximum"]), Column("percent", words["percent"]),
        *([Column("grade", words["grade"], "left")] if ranking.grades else []),
        *([Column("group", words["group"], "left")] if ranking.groups else []),
    )  # fmt: skip
    return Table(key, title, columns, tuple(_row(material, words, name, each) for each in units))


def _row(material: Material, words: Words, name: str, each: Ranked) -> tuple[Cell, ...]:
    ranking, score = material.scorers[name].ranking, each.score
    grade = (score.grade,) if ranking.grades else ()
    group = ("" if each.group is None else words.name(each.group),) if ranking.groups else ()
    return (
        each.rank,
        each.unit,
        named(material.profile, words, ranking.subject, each.unit),
        *(None if mark.hundredths is None else mark.marks for mark in score.marks),
        None if score.total is None else decimal(score.total),
        decimal(score.maximum),
        None if score.percent is None else decimal(score.percent),
        *grade,
        *group,
    )


def named(profile: Profile, words: Words, subject: Subject, unit: str) -> str:
    """The name of a ranked unit; its code where the profile has none."""
    if subject == "district":
        known = profile.districts.get(int(unit))
        return unit if known is None else words.name(known.name)
    department = profile.departments.get(unit)
    return unit if department is None else words.name(department.name)
