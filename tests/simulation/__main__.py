"""Many seeds, side by side: `python -m tests.simulation --seeds 100000`; a seed alone is replayed with `--seed N`.

Exit code: 0 every run ended as it should; 1 some did not, and their seeds are printed.
"""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import click

from tests.simulation.verdict import problems

PART = 500


def found(first: int, count: int) -> list[tuple[int, list[str]]]:
    """The seeds of a part that do not end as they should, and how."""
    return [(seed, wrong) for seed in range(first, first + count) if (wrong := problems(seed))]


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=10_000, show_default=True, help="How many.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Only this one, and all that is wrong with it.")
def main(seeds: int, first: int, seed: int | None) -> None:
    """Run the flow under a scheduler that a seed decides, and compare with the run in order."""
    if seed is not None:
        wrong = problems(seed)
        click.echo("\n".join(wrong) or f"seed {seed} holds")
        sys.exit(1 if wrong else 0)
    began, bad = time.monotonic(), 0
    for number, wrong in _all(first, seeds):
        bad += 1
        click.echo(f"seed {number}: {wrong[0]}")
    click.echo(f"{seeds} seeds from {first}, {bad} of them wrong, {time.monotonic() - began:.0f} s")
    sys.exit(1 if bad else 0)


def _all(first: int, seeds: int) -> Iterator[tuple[int, list[str]]]:
    parts = [(start, min(PART, first + seeds - start)) for start in range(first, first + seeds, PART)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(found, *zip(*parts, strict=True)):
            yield from part


if __name__ == "__main__":
    main()
