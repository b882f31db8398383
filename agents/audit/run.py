"""The reconciliation: all checks, in a table; run side by side where there are cores for it."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import active_children, get_context
from typing import Final

from agents.audit import board, cases, inputs, messages, stages, truths, windows
from agents.audit.kept import Kept
from agents.audit.log import Log
from agents.audit.report import Result
from agents.simulate.truth import Truth
from streams.topology import STAGES

Check = Callable[[Log], Result]


def _stage(name: str, log: Log) -> Result:
    """By name: a stage is not something to send to another process."""
    return stages.check(next(stage for stage in STAGES if stage.name == name), log)


def _board(redis_url: str, log: Log) -> Result:
    return asyncio.run(board.check(log, redis_url))


def _truth(truth: Truth, log: Log) -> Result:
    return truths.compared(log, truth)


CHECKS: Final[dict[str, Check]] = {
    "submissions": inputs.submissions,
    "commands": inputs.commands,
    "due instants": cases.check,
    "SMS": messages.check,
    "windows from units": windows.from_units,
    "windows from cases": windows.from_cases,
    **{f"stage {stage.name}": partial(_stage, stage.name) for stage in STAGES},
}
GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("read model", "stage sms", "stage turns", "SMS", "stage sla", "windows from units", "stage conduct"),
    (
        "stage case", "commands", "due instants", "windows from cases", "ground truth", "stage intake", "submissions",
        "stage cluster", "stage offices", "stage officers",
    ),
)  # fmt: skip
"""Checks that read the same topics, each group in a process of its own; they take about as long."""


def audit(
    log: Log,
    *,
    processes: int = 1,
    ledger: Iterable[str] | None = None,
    truth: Truth | None = None,
    redis_url: str | None = None,
) -> list[Result]:
    """Run every check; in as many processes as told, for which `log` must be one that can be sent to them.

    With `ledger`, each SMS must be in it once; with `truth`, the logs must hold what it counts; with `redis_url`, the
    read model there must be a fold of the log. Raises LogError, BoardError.
    """
    checks = dict(CHECKS)
    if ledger is not None:
        checks["SMS"] = partial(messages.check, ledger=list(ledger))
    if redis_url is not None:
        checks["read model"] = partial(_board, redis_url)
    if truth is not None:
        checks["ground truth"] = partial(_truth, truth)
    groups = [{name: checks[name] for name in group if name in checks} for group in GROUPS]
    if processes == 1:
        found = dict(chain.from_iterable(_run(group, log).items() for group in groups))
    else:
        found = _side_by_side(groups, log, processes)
    return [found[name] for name in checks]


def _run(checks: Mapping[str, Check], log: Log) -> dict[str, Result]:
    kept = Kept(log, (stage.name for stage in STAGES if f"stage {stage.name}" in checks))
    return {name: check(kept) for name, check in checks.items()}


def _side_by_side(groups: Iterable[Mapping[str, Check]], log: Log, processes: int) -> dict[str, Result]:
    # spawned, not forked: the Kafka client of the parent has threads
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_uncollected) as pool:
        running = [pool.submit(_run, group, log) for group in groups]
        try:
            return dict(chain.from_iterable(each.result().items() for each in running))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what has not begun would only say the same
            for child in active_children():
                child.terminate()
            raise


def _uncollected() -> None:
    # a check keeps millions of records and makes no cycles: looking for some would be a quarter of its time
    gc.disable()
