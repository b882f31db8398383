"""Samples that anybody can draw again: a seed orders the cases by a hash, and the first of them are taken."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeVar

from schemas.review import Sample
from streams.profiles.profile import DAY_MS
from streams.review.registers import Stay

T = TypeVar("T")
Purpose = Literal["stalling", "call-back"]
LEAST_DAYS: Final = 3
"""A case is looked through for stalling when it has been at its level so long; ours, no order was found."""


class Drawn(NamedTuple):
    """The sample's own words, and its cases in the order drawn, each with where it was."""

    sample: Sample
    stays: tuple[Stay, ...]


def draw(stays: Iterable[Stay], seed: str, size: int, as_of: str) -> Drawn:
    """Draw `size` cases (all, when there are fewer). One that was at several offices counts once, with its last."""
    population = {stay.case: stay for stay in sorted(stays, key=lambda stay: (stay.until or 0, stay.from_at, stay.seq))}
    chosen = sorted(population, key=lambda case: _order(seed, case))[:size]
    digest = hashlib.sha256("".join(f"{case}\n" for case in sorted(population)).encode()).hexdigest()
    return Drawn(Sample(seed, as_of, size, len(population), digest), tuple(_chosen(population, chosen)))


def _chosen(population: Mapping[str, T], chosen: Iterable[str]) -> Iterable[T]:
    return (population[case] for case in chosen)


def _order(seed: str, case: str) -> bytes:
    """Nobody can choose a seed's order without trying seeds; and the same seed gives it on every machine."""
    return hashlib.sha256(f"{seed}\n{case}".encode()).digest()


def stalled(stays: Iterable[Stay], at: int, least_days: int = LEAST_DAYS) -> list[Stay]:
    """Those pending at `at` that have been at their level for `least_days` or more."""
    return [stay for stay in stays if stay.pending_at(at) and at - stay.since >= least_days * DAY_MS]


def disposed(stays: Iterable[Stay], start_at: int, at: int) -> list[Stay]:
    """Those that were disposed of from `start_at` until before `at`: whose citizens can be called."""
    return [
        stay for stay in stays if stay.ended_by == "disposed" and stay.until is not None and start_at <= stay.until < at
    ]
