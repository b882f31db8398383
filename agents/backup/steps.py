"""How a partition is written again so that every record gets the offset it had.

Between records a log has gaps: markers of transactions, records that were aborted, compacted or deleted. What is left
of them is only that they take offsets. A marker takes one offset behind what its transaction wrote, so:

- a run of records before a gap of one is written as a transaction that commits;
- before a wider gap the run is written plainly, and a transaction of fillers that aborts takes the gap;
- what was deleted before the first record is filled in the same way, and deleted.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from agents.backup.files import Stored

MOST: Final = 500
"""Records of one step: what is held at once."""


class Plain(NamedTuple):
    """Write these, outside a transaction."""

    records: list[Stored]


class Committed(NamedTuple):
    """Write these in a transaction that commits: its marker takes the offset behind them."""

    records: list[Stored]


class Aborted(NamedTuple):
    """Write this many fillers in a transaction that aborts: with its marker they take one offset more."""

    fillers: int


class Filler(NamedTuple):
    """Write one record that will be deleted: before the first record a gap of one has nothing to mark."""


Step = Plain | Committed | Aborted | Filler


def steps(end: int, stored: Iterable[Stored]) -> Iterator[Step]:
    """Yield what makes a new partition have these records at their offsets, and `end` as its end.

    What lies before `begin`, the offset of the first record, is to be deleted afterwards.
    """
    run: list[Stored] = []
    reached = 0
    for record in stored:
        gap = record.offset - reached
        if gap:
            yield from _close(run, gap)
            run = []
        elif len(run) >= MOST:
            yield Plain(run)
            run = []
        run.append(record)
        reached = record.offset + 1
    yield from _close(run, end - reached)


def _close(run: list[Stored], gap: int) -> Iterator[Step]:
    """Write a run and take the gap behind it."""
    match gap:
        case 0:
            if run:
                yield Plain(run)
        case 1:
            yield Committed(run) if run else Filler()
        case _:
            if run:
                yield Plain(run)
            while gap > MOST + 1:
                # one abort for each so many: what it writes is held by the broker until then
                yield Aborted(MOST - 1)
                gap -= MOST
            yield Aborted(gap - 1)
