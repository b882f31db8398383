"""`nivaran dlq`: what could not be taken and why, and the way back for it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
from msgspec import Struct

from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.dead_letters import DeadLetter, Ledger, ledger, read, redrive
from agents.kafka_admin import ClusterError, knock
from agents.settings import Settings
from schemas.registry import dead_letters, declared

TOPICS = sorted(dead_letters(name) for name, topic in declared().items() if topic.dlq)

topic_option = click.option(
    "--topic", "topics", type=click.Choice(TOPICS), multiple=True, metavar="TOPIC", help="Only these; default: all."
)
class_option = click.option(
    "--error-class", "error", metavar="CLASS", help="Only this class, as `nivaran dlq list` names it."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many, the oldest of a partition first."
)


class Pile(Struct):
    """Dead letters of one topic and class."""

    topic: str
    error_class: str
    count: int = 0
    waiting: int = 0
    """Not written back yet."""
    first_failed_at: str = ""
    last_failed_at: str = ""


@click.group()
def dlq() -> None:
    """Records that a worker could not take: list, show, redrive.

    A record that is malformed, or that the rules refuse, is kept with its reason in `<topic>.dlq`; the others go on.

    \b
    Example:
      nivaran dlq list
      nivaran dlq redrive --error-class invalid --dry-run
    """


def answers(
    ask: Callable[[Settings, Ledger, tuple[str, ...]], None], kafka: str | None, topics: tuple[str, ...]
) -> None:
    """Run `ask` on these topics (all, when none are named); a fault of the cluster ends with exit code 1."""
    settings, chosen = settings_with(kafka), topics or tuple(TOPICS)
    try:
        knock(settings.kafka)
        with ledger(settings, chosen) as written:
            ask(settings, written, chosen)
    except ClusterError as fault:
        raise click.ClickException(str(fault)) from fault


@dlq.command("list")
@topic_option
@kafka_option
@json_option
def list_(topics: tuple[str, ...], kafka: str | None, as_json: bool) -> None:
    """Count dead letters by topic and class of error.

    Exit code: 0 none waits; 1 some wait, or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran dlq list --json
    """

    def ask(settings: Settings, written: Ledger, chosen: tuple[str, ...]) -> None:
        piles = list(_piles(read(settings, chosen), written))
        if as_json:
            print_json({"dead_letters": piles, "waiting": sum(pile.waiting for pile in piles)})
        else:
            _print_piles(piles)
        if any(pile.waiting for pile in piles):
            raise SystemExit(1)

    answers(ask, kafka, topics)


@dlq.command()
@click.argument("place", required=False)
@topic_option
@class_option
@limit_option
@click.option(
    "--value", "with_value", is_flag=True, help="Print the record itself too: it may hold what a citizen wrote."
)
@kafka_option
@json_option
def show(
    place: str | None,
    topics: tuple[str, ...],
    error: str | None,
    limit: int | None,
    with_value: bool,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Show dead letters one by one: where from, why, how often tried.

    PLACE is topic/partition/offset, for a single one.

    Exit code: 0 at least one was shown; 1 none was found, or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran dlq show --error-class invalid --limit 5
      nivaran dlq show grievance.case.commands.v1.dlq/3/17 --value
    """

    def ask(settings: Settings, written: Ledger, chosen: tuple[str, ...]) -> None:
        found = (each for each in read(settings, chosen) if place in (None, each.place) and error in (None, each.error))
        shown = [_told(each, written, with_value) for each in islice(found, limit)]
        if as_json:
            print_json({"dead_letters": shown})
        else:
            _print_letters(shown)
            if not shown:
                click.echo("no dead letter is like that", err=True)
        if not shown:
            raise SystemExit(1)

    answers(ask, kafka, (_topic_of(place),) if place else topics)


@dlq.command("redrive")
@topic_option
@class_option
@limit_option
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many records a second.")
@click.option("--dry-run", is_flag=True, help="Say what would be written back, and write nothing.")
@kafka_option
@json_option
def redrive_(
    topics: tuple[str, ...],
    error: str | None,
    limit: int | None,
    rate: float | None,
    dry_run: bool,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Write dead letters back to the topics they came from, each once, unchanged.

    To be used when the cause is gone: a category was added, a fault was mended. Which were written back is kept in
    Kafka in the same transaction, so a second redrive does nothing. What still cannot be taken becomes a new dead
    letter, one attempt older.

    Exit code: 0 done, also when there was nothing to do; 1 Kafka is away or refuses; 2 wrong usage.

    \b
    Example:
      nivaran dlq redrive --error-class invalid --dry-run
      nivaran dlq redrive --error-class invalid --rate 50
    """

    def ask(settings: Settings, written: Ledger, chosen: tuple[str, ...]) -> None:
        found = (each for each in read(settings, chosen) if error in (None, each.error) and not written.done(each))
        waiting = list(islice(found, limit))
        done = waiting if dry_run else list(redrive(settings, waiting, written, rate))
        counts = _by_origin(done)
        if as_json:
            print_json({"written_back": counts, "dry_run": dry_run, "total": len(done)})
        else:
            _print_counts(counts, dry_run)

    answers(ask, kafka, topics)


def _topic_of(place: str) -> str:
    topic, *rest = place.split("/")
    if topic not in TOPICS or len(rest) != 2 or not all(each.isdecimal() for each in rest):  # noqa: PLR2004
        raise click.BadParameter(f"{place!r} is not <topic>.dlq/<partition>/<offset>", param_hint="PLACE")
    return topic


def _piles(letters: Iterable[DeadLetter], written: Ledger) -> Iterator[Pile]:
    piles: dict[tuple[str, str], Pile] = {}
    for each in letters:
        pile = piles.setdefault((each.topic, each.error), Pile(each.topic, each.error))
        failed_at = _failed_at(each)
        pile.count += 1
        pile.waiting += not written.done(each)
        pile.first_failed_at = min(filter(None, (pile.first_failed_at, failed_at)), default="")
        pile.last_failed_at = max(pile.last_failed_at, failed_at)
    yield from piles.values()


def _failed_at(letter: DeadLetter) -> str:
    told = letter.told("failed-at")
    return datetime.fromtimestamp(int(told) / 1000, UTC).isoformat(timespec="seconds") if told.isdecimal() else ""


def _told(letter: DeadLetter, written: Ledger, with_value: bool) -> dict[str, Any]:
    told = {
        "place": letter.place,
        "key": _text(letter.key),
        "error_class": letter.error,
        "error_message": letter.told("error-message"),
        "attempts": letter.told("attempts"),
        "failed_at": _failed_at(letter),
        "consumer_group": letter.told("consumer-group"),
        "origin": "/".join(letter.told(f"original-{part}") for part in ("topic", "partition", "offset")),
        "written_back": written.done(letter),
    }
    return {**told, "value": _text(letter.value)} if with_value else told


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "backslashreplace")


def _by_origin(letters: Iterable[DeadLetter]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in letters:
        counts[each.origin] = counts.get(each.origin, 0) + 1
    return counts


def _print_piles(piles: Iterable[Pile]) -> None:
    for pile in piles:
        click.echo(
            f"{pile.topic:<36} {pile.error_class:<24} {pile.count:>7} ({pile.waiting} waiting)"
            f"  {pile.first_failed_at} .. {pile.last_failed_at}"
        )
    if not piles:
        click.echo("no dead letters")


def _print_letters(shown: Iterable[dict[str, Any]]) -> None:
    for each in shown:
        click.echo(each["place"])
        for name, value in list(each.items())[1:]:
            click.echo(f"  {name.replace('_', ' '):<15} {value}")


def _print_counts(counts: dict[str, int], dry_run: bool) -> None:
    for origin, count in counts.items():
        click.echo(f"{count:>7} {'would be ' if dry_run else ''}written back to {origin}")
    if not counts:
        click.echo("nothing to write back")
