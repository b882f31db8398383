"""What a pack is made of: a system's counts, pendency and registers of a month as of a day; and sums over them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct

from schemas.review import ReviewOutcome
from streams.profiles.profile import Profile
from streams.review.registers import Defaulter, Dissatisfaction, Life, Stay, Unit
from streams.sla.ranking import Ranked, Scorer
from streams.sla.table import Line

K = TypeVar("K")
Audience = Literal["dm", "acs", "cs", "cm"]
"""District Magistrate (a district), Additional Chief Secretary (a department), Chief Secretary, Chief Minister."""
AGES: Final = (7, 15, 30, 60, 180)
"""Upper bounds of the age classes, days since registration: a level's days, then those of the published drives."""
Days = Mapping[str, Mapping[str, int]]
"""Local day -> measure -> count."""


class Scope(Struct, frozen=True):
    """What a pack covers; None: all of them."""

    district: int | None = None
    department: str | None = None

    def covers(self, unit: Unit) -> bool:
        return self.district in {None, unit.district} and self.department in {None, unit.department}


class Material(Struct, frozen=True):
    """Everything of a pack, before it is put into words. `units` and `lives` are those of the whole state."""

    profile: Profile
    audience: Audience
    scope: Scope
    month: str
    """`2026-08`."""
    as_of: str
    """The last day that is in it."""
    end_at: int
    """When that day ends, UTC ms."""
    units: Mapping[Unit, Line]
    """Counts from the month's first day to `as_of`."""
    lives: tuple[Life, ...]
    before: tuple[Life, ...]
    """Pending when the month began."""
    days: Days
    scorers: Mapping[str, Scorer]
    stays: tuple[Stay, ...] = ()
    dissatisfied: tuple[Dissatisfaction, ...] = ()
    defaulters: tuple[Defaulter, ...] = ()
    reviewed: tuple[ReviewOutcome, ...] = ()
    sees: frozenset[str] = frozenset()
    """Roles of the reader: cases of classes that none of them may see stand in it without their numbers."""

    def line(self) -> Line:
        """The scope's sum."""
        total = Line()
        for unit, line in self.units.items():
            if self.scope.covers(unit):
                total.join(line)
        return total

    def lines(self, by: Callable[[Unit], K]) -> dict[K, Line]:
        """The scope's counts by something of the unit."""
        found: defaultdict[K, Line] = defaultdict(Line)
        for unit, line in self.units.items():
            if self.scope.covers(unit):
                found[by(unit)].join(line)
        return dict(found)

    def pending(self, by: Callable[[Unit], K]) -> dict[K, list[int]]:
        """Cases pending by age class, the youngest first."""
        found: defaultdict[K, list[int]] = defaultdict(lambda: [0] * (len(AGES) + 1))
        for life in self.lives:
            if self.scope.covers(life.unit):
                found[by(life.unit)][age_class(age(life.registered, self.as_of))] += life.cases
        return dict(found)

    def pending_before(self) -> int:
        return sum(life.cases for life in self.before if self.scope.covers(life.unit))


def age(registered: str, as_of: str) -> int:
    """Whole days from a day of registration to the end of `as_of`, the first day not counted."""
    return (date.fromisoformat(as_of) - date.fromisoformat(registered)).days


def age_class(days: int) -> int:
    return next((place for place, bound in enumerate(AGES) if days <= bound), len(AGES))


def measures(
    units: Mapping[Unit, Line], lives: Iterable[Life], as_of: str, ages: Iterable[int], by: Callable[[Unit], str | None]
) -> dict[str, dict[str, int]]:
    """What ranking formulas speak of, for each unit that `by` names; those for which it says None stay out."""
    found: defaultdict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    aged = {days: f"pending_over_{days}_days" for days in ages}
    for unit, line in units.items():
        if (name := by(unit)) is not None:
            for measure, count in line.counts.items():
                found[name][measure] += count
    for life in lives:
        if (name := by(life.unit)) is not None:
            found[name]["pending"] += life.cases
            old = age(life.registered, as_of)
            for days, over in aged.items():
                found[name][over] += life.cases if old >= days else 0
    return {name: dict(sorted(counts.items())) for name, counts in sorted(found.items())}


def ranked(material: Material, name: str) -> list[Ranked]:
    """Units of a ranking: districts of the state, departments of the scope's districts."""
    scorer, scope = material.scorers[name], material.scope

    def district(unit: Unit) -> str | None:
        return str(unit.district) if scope.department in {None, unit.department} else None

    def department(unit: Unit) -> str | None:
        return unit.department if scope.district in {None, unit.district} else None

    by = district if scorer.ranking.subject == "district" else department
    known: dict[str, dict[str, Any]] = measures(material.units, material.lives, material.as_of, scorer.ages, by)
    names = map(str, material.profile.districts) if scorer.ranking.subject == "district" else ()
    return scorer.rank({**{each: {} for each in names}, **known})
