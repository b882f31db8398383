"""The options of all measurements: each stands once, and means the same in every part that has it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import click

from agents.settings import StateStore
from deploy.bench.flow import AXES
from deploy.bench.pace import Door

Option = Callable[[Any], Any]
TIMES: Final = "; may be given several times."


def _option(name: str, kind: Any, default: Any, about: str) -> Option:
    several = isinstance(default, tuple)
    words = (*name.split(),)
    return click.option(
        *words,
        type=kind,
        default=default,
        multiple=several,
        show_default=True,
        help=about + (TIMES if several else "."),
    )


OPTIONS: Final[dict[str, Option]] = {
    "events": _option("--events", click.IntRange(1_000, 5_000_000), 200_000, "Records in the topic, about"),
    "cases": _option(
        "--open cases", click.IntRange(0, 20_000_000), (0, 100_000, 1_000_000), "Open cases in the table beforehand"
    ),
    "store": _option(
        "--store",
        click.Choice(get_args(StateStore)),
        "memory",
        "rocksdb: the worker once more with its states on disk, beside the one that has them in memory",
    ),
    "peers": _option("--peers/--no-peers", bool, True, "The same job on other engines, installed for it"),
    "rates": _option("--rate rates", click.FloatRange(1, 5000), (100.0, 500.0, 1000.0, 2400.0), "Complaints a second"),
    "doors": _option("--door doors", click.Choice(get_args(Door)), ("gateway",), "How complaints come in"),
    "complaints": _option("--complaints", click.IntRange(10, 1_000_000), 3_000, "Of the helpline, in each run, about"),
    "axes": _option("--axis axes", click.Choice(list(AXES)), tuple(AXES), "What is made to grow"),
    "costs": click.option(
        "--costs",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write what `nivaran size` reckons with to this file.",
    ),
    "seconds": _option("--seconds", click.FloatRange(0.5, 3600), 20.0, "Of load counted in each run"),
    "partitions": _option("--partitions", click.IntRange(1, 64), 1, "Of every topic a stage reads"),
    "states": _option("--states", click.IntRange(1_000, 20_000_000), 1_000_000, "In the changelog"),
    "due": _option("--due", click.IntRange(1_000, 10_000_000), (200_000,), "Cases that fall due at one instant"),
    "kills": _option(
        "--kill kills", click.IntRange(0, 20), 0, "Once more with the first number of cases, the worker killed so often"
    ),
    "intake": _option(
        "--intake",
        click.FloatRange(1, 5000),
        None,
        "Registrations a second meanwhile; else 500 of a storm, 100 of pauses",
    ),
    "runs": _option("--runs", click.IntRange(1, 20), 5, "Of each kind, in turn; a single run is a trial"),
    "seed": _option("--seed", int, 1, "Of the simulated helpline"),
}
page_option: Final = click.option(
    "--write", "page", type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Put the result between its marks on this page, as docs/benchmarks.md has them.",
)  # fmt: skip
