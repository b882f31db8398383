"""`nivaran rank`: districts or departments by the published formula, from closed windows."""

import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from agents.cli.reviewing import (
    answered,
    as_of_option,
    district_of,
    from_option,
    month_option,
    profile_of,
    redis_option,
    system_option,
)
from agents.cli.shared import json_option, kafka_option, print_json
from agents.readmodel.packs import gather
from streams.profiles.profile import Profile
from streams.review.material import Scope, ranked
from streams.review.ranks import named
from streams.review.words import Words
from streams.sla.ranking import Ranked, Scorer, decimal


@click.command()
@system_option
@month_option
@as_of_option
@click.option("--ranking", "name", help="One of the system's rankings; default: its main one.")
@click.option("--district", type=int, metavar="LGD", help="Departments of this district only.")
@from_option
@redis_option
@kafka_option
@json_option
def rank(
    system: str,
    month: str,
    as_of: str | None,
    name: str | None,
    district: int | None,
    origin: str,
    redis_url: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Rank the districts (or departments) of SYSTEM in a month: each score with its parts and the counts behind them.

    The formula is data, `ranking.toml` of the system; `nivaran profile show` prints it with its sources.

    Exit code: 0 ranked; 1 the system has no ranking, the day is not closed, or Redis or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran rank --system SYSTEM --month 2026-01
      nivaran rank --system SYSTEM --month 2026-01 --ranking department --district 159 --json
    """
    profile, began = profile_of(system), time.perf_counter()
    scope = Scope(None if district is None else district_of(profile, district))
    material = answered(
        lambda source: gather(source, profile, "cm", scope, month, as_of), origin, redis_url, kafka
    )  # fmt: skip
    chosen = name or next(iter(material.scorers), None)
    if chosen is None:
        raise click.ClickException(f"{system} has no ranking.toml")
    if chosen not in material.scorers:
        raise click.BadParameter(f"there are {', '.join(material.scorers)}", param_hint="--ranking")
    scorer, found = material.scorers[chosen], ranked(material, chosen)
    if as_json:
        print_json({"ranking": chosen, "as_of": material.as_of, "units": [_told(each) for each in found]})
        return
    console = Console()
    console.print(_table(profile, scorer, found, material.as_of))
    console.print(f"{len(found)} ranked in {time.perf_counter() - began:.1f} s", highlight=False)


def _told(each: Ranked) -> dict[str, Any]:
    score = each.score
    return {
        "unit": each.unit,
        "rank": each.rank,
        "group": None if each.group is None else each.group.en,
        "parts": {mark.parameter: None if mark.hundredths is None else mark.marks for mark in score.marks},
        "marks": None if score.total is None else decimal(score.total),
        "maximum": decimal(score.maximum),
        "percent": None if score.percent is None else decimal(score.percent),
        "grade": score.grade,
        "measures": each.measures,
    }


def _table(profile: Profile, scorer: Scorer, found: list[Ranked], as_of: str) -> Table:
    words, ranking = Words("hi"), scorer.ranking
    table = Table(title=f"{ranking.name.hi} ({ranking.name.en}), {as_of}", title_justify="left", show_edge=False)
    table.add_column("", justify="right")
    table.add_column(ranking.subject)
    for part in ranking.parameters.values():
        table.add_column(f"{part.name.en}\nof {decimal(round(part.maximum * 100))}", justify="right")
    for heading in ("marks", "of", "%"):
        table.add_column(heading, justify="right")
    table.add_column("grade")
    for each in found:
        told = _told(each)
        parts = [marks or "–" for marks in told["parts"].values()]
        table.add_row(
            str(each.rank or "–"), named(profile, words, ranking.subject, each.unit), *parts, told["marks"] or "–",
            told["maximum"], told["percent"] or "–", each.score.grade,
        )  # fmt: skip
    return table
