"""Rankings: published formulas as data (`ranking.toml` of a system), checked at start; scores, grades and ranks."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from schemas.base import Slug
from streams.profiles.profile import Name, Source
from streams.sla.formula import AGED, Formula, FormulaError, Measures, compiled, names
from streams.sla.windows import MEASURES

Direction = Literal["more", "less"]
"""Which share earns the marks: the more of it the better, or the less."""
Subject = Literal["district", "department"]
"""What is ranked: districts of the state, or departments of a district or of the state."""
EXTRA: Final = ("pending",)
"""Measures beside the windows' counts: cases pending at the end of the span; `pending_over_N_days` is known too."""
KNOWN: Final = (*MEASURES, *EXTRA)
HUNDREDTH: Final = 100


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """One part of the score: a share between 0 and 1 of `maximum` marks."""

    name: Name
    maximum: Annotated[float, Meta(gt=0, le=10_000)]
    expression: Annotated[str, Meta(min_length=1, max_length=500)]
    direction: Direction


class GradeRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A letter, and the least percentage that earns it."""

    letter: Annotated[str, Meta(min_length=1, max_length=2)]
    least: Annotated[float, Meta(ge=0, le=100)]


class Group(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a like size are ranked among themselves: from `least` cases received on."""

    name: Name
    least: Annotated[int, Meta(ge=0)]


class Ranking(Struct, frozen=True, forbid_unknown_fields=True):
    """One formula. A parameter whose share is of nothing counts neither for nor against."""

    name: Name
    subject: Subject
    parameters: dict[Slug, Parameter]
    define: dict[str, str] = {}
    """Names for what the expressions divide by, so that each is one setting."""
    grades: tuple[GradeRule, ...] = ()
    groups: tuple[Group, ...] = ()
    published_day: Annotated[int, Meta(ge=1, le=31)] | None = None
    """Day of the following month on which it is published."""
    sources: dict[str, Source] = {}
    """Dotted key -> where the value comes from."""


class Mark(NamedTuple):
    """What a unit got for one parameter: hundredths of marks, and of how many; None: nothing to have a share of."""

    parameter: str
    hundredths: int | None
    maximum: int

    @property
    def marks(self) -> str:
        return "-" if self.hundredths is None else decimal(self.hundredths)


class Score(NamedTuple):
    """A unit's marks; the total is the sum of the parts as they are shown."""

    marks: tuple[Mark, ...]
    total: int | None
    """Hundredths; None: not one parameter had a value."""
    maximum: int
    """Hundredths, of the parameters that had one."""
    grade: str

    @property
    def percent(self) -> int | None:
        """Hundredths of a percent, half up."""
        return None if self.total is None else half_up(Fraction(self.total * 100 * HUNDREDTH, self.maximum))


class Ranked(NamedTuple):
    """A unit in its group's order; equal percentages share a rank, units without a score have none."""

    unit: str
    group: Name | None
    rank: int | None
    score: Score
    measures: Mapping[str, int]


class Scorer:
    """A ranking, compiled; raises FormulaError naming the key below the ranking."""

    def __init__(self, ranking: Ranking, known: Iterable[str] = KNOWN) -> None:
        self.ranking = ranking
        measures = frozenset(known)
        defined: dict[str, Formula] = {}
        for name, text in ranking.define.items():
            if name in measures:
                raise FormulaError(f"define.{name}: is a measure already")
            defined[name] = _at(f"define.{name}", text, measures, defined)
        self._formulas = {
            slug: _at(f"parameters.{slug}.expression", each.expression, measures, defined)
            for slug, each in ranking.parameters.items()
        }
        self._check()

    def _check(self) -> None:
        if not self.ranking.parameters:
            raise FormulaError("parameters: there is none")
        for what, leasts in (
            ("grades", [each.least for each in self.ranking.grades]),
            ("groups", [float(each.least) for each in self.ranking.groups]),
        ):
            if leasts != sorted(set(leasts), reverse=True):
                raise FormulaError(f"{what}: `least` must fall from one to the next")
            if leasts and leasts[-1] != 0:
                raise FormulaError(f"{what}: the last needs `least = 0`, so that every unit has its place")

    @property
    def ages(self) -> frozenset[int]:
        """N of every `pending_over_N_days` that it needs."""
        texts = (*self.ranking.define.values(), *(each.expression for each in self.ranking.parameters.values()))
        return frozenset(int(found[1]) for text in texts for name in names(text) if (found := AGED.match(name)))

    def score(self, measures: Measures) -> Score:
        """The marks of a unit."""
        marks = tuple(self._mark(slug, formula(measures)) for slug, formula in self._formulas.items())
        counted = [mark for mark in marks if mark.hundredths is not None]
        total = sum(mark.hundredths or 0 for mark in counted) if counted else None
        maximum = sum(mark.maximum for mark in counted)
        return Score(marks, total, maximum, self._grade(total, maximum))

    def _mark(self, slug: str, share: Fraction | None) -> Mark:
        parameter = self.ranking.parameters[slug]
        maximum = round(parameter.maximum * HUNDREDTH)
        if share is None:
            return Mark(slug, None, maximum)
        within = min(Fraction(1), max(Fraction(0), share))
        return Mark(slug, half_up(maximum * (within if parameter.direction == "more" else 1 - within)), maximum)

    def _grade(self, total: int | None, maximum: int) -> str:
        if total is None:
            return ""
        percent = Fraction(total * 100, maximum)
        return next((rule.letter for rule in self.ranking.grades if percent >= Fraction(str(rule.least))), "")

    def rank(self, units: Mapping[str, Measures]) -> list[Ranked]:
        """All units, group by group, the best first; without a score at the end."""
        scored = [(unit, self._group(measures), self.score(measures), measures) for unit, measures in units.items()]
        found: list[Ranked] = []
        for group in self.ranking.groups or (None,):
            members = [each for each in scored if each[1] == group]
            members.sort(key=lambda each: (-(each[2].percent or 0), _natural(each[0])))
            with_score = [each for each in members if each[2].total is not None]
            name = None if group is None else group.name
            found += [
                Ranked(unit, name, rank, score, measures)
                for rank, (unit, _, score, measures) in zip(_ranks(with_score), with_score, strict=True)
            ]
            found += [Ranked(unit, name, None, score, measures) for unit, _, score, measures in members
                      if score.total is None]  # fmt: skip
        return found

    def _group(self, measures: Measures) -> Group | None:
        received = measures.get("received", 0)
        return next((group for group in self.ranking.groups if received >= group.least), None)


def _at(key: str, text: str, known: Iterable[str], defined: Mapping[str, Formula]) -> Formula:
    try:
        return compiled(text, known, defined)
    except FormulaError as error:
        raise FormulaError(f"{key}: {error}") from None


def _ranks(members: Sequence[tuple[str, Group | None, Score, Measures]]) -> list[int]:
    ranks: list[int] = []
    for place, (_, _, score, _) in enumerate(members, 1):
        same = place > 1 and score.percent == members[place - 2][2].percent
        ranks.append(ranks[-1] if same else place)
    return ranks


def _natural(unit: str) -> tuple[int, str]:
    return (int(unit), "") if unit.isdecimal() else (0, unit)


def half_up(value: Fraction) -> int:
    """The nearest whole number, halves up, as marks are published."""
    return int((value + Fraction(1, 2)) // 1)


def decimal(hundredths: int) -> str:
    """`9480` as `94.80`."""
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // HUNDREDTH}.{abs(hundredths) % HUNDREDTH:02d}"
