"""What a check found: figures, and everything that does not hold, in words."""

from collections.abc import Iterable

from msgspec import Struct

SHOWN = 5
"""Problems of a check that are kept in words; the others are only counted."""


class Result(Struct, frozen=True):
    """One line of the reconciliation."""

    name: str
    about: str
    figures: dict[str, int]
    problems: tuple[str, ...] = ()
    """The first few."""
    wrong: int = 0
    """How many things do not hold."""

    @property
    def ok(self) -> bool:
        return self.wrong == 0


class Findings:
    """Collects problems; keeps the words of the first ones."""

    def __init__(self) -> None:
        self.wrong = 0
        self._told: list[str] = []

    def add(self, problem: str) -> None:
        self.wrong += 1
        if len(self._told) < SHOWN:
            self._told.append(problem)

    def result(self, name: str, about: str, figures: dict[str, int]) -> Result:
        return Result(name, about, figures, tuple(self._told), self.wrong)


def holds(results: Iterable[Result]) -> bool:
    """Whether everything does."""
    return all(result.ok for result in results)
