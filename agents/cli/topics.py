"""`nivaran topics`: creates the topics of the registry, and compares a cluster with it."""

from collections import Counter
from collections.abc import Sequence

import click

from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.kafka_admin import ClusterError, Outcome, Spec, connected, specs
from streams.profiles.load import departments

partitions_option = click.option(
    "--partitions",
    type=click.IntRange(min=1),
    help="Partitions of every co-partitioned topic; default: NIVARAN_PARTITIONS.",
)
replication_option = click.option(
    "--replication", type=click.IntRange(min=1), help="Copies of every partition; default: NIVARAN_REPLICATION."
)
expire_option = click.option(
    "--keep-all",
    is_flag=True,
    help="Nothing is deleted by age: for simulated time, whose records are old when they are written. "
    "Set by itself with NIVARAN_CLOCK=simulated.",
)


@click.group()
def topics() -> None:
    """Create the topics, or compare them with the registry (schemas/topics.toml).

    \b
    Example:
      nivaran topics apply --partitions 12 --replication 3
      nivaran topics verify
    """


@topics.command()
@partitions_option
@replication_option
@expire_option
@click.option("--dry-run", is_flag=True, help="Ask the cluster whether it would, and change nothing.")
@kafka_option
@json_option
def apply(
    partitions: int | None, replication: int | None, keep_all: bool, dry_run: bool, kafka: str | None, as_json: bool
) -> None:
    """Create what is missing and set what differs; a second call changes nothing.

    The number of partitions and copies of a topic that exists is never changed, only reported.

    Exit code: 0 all topics are as the registry says; 1 some differ, or Kafka is away or refuses; 2 wrong usage.

    \b
    Example:
      nivaran topics apply --partitions 4 --replication 1 --dry-run
    """
    wanted, servers = _wanted(partitions, replication, keep_all, kafka)
    try:
        with connected(servers) as admin:
            outcomes = admin.apply(wanted, dry_run=dry_run)
    except ClusterError as fault:
        raise click.ClickException(str(fault)) from fault
    _answer(outcomes, as_json, "would be " if dry_run else "")


@topics.command()
@partitions_option
@replication_option
@expire_option
@kafka_option
@json_option
def verify(partitions: int | None, replication: int | None, keep_all: bool, kafka: str | None, as_json: bool) -> None:
    """Compare the cluster's topics with the registry and change nothing.

    Exit code: 0 they are the same; 1 some are missing or differ, or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran topics verify --json
    """
    wanted, servers = _wanted(partitions, replication, keep_all, kafka)
    try:
        with connected(servers) as admin:
            outcomes = admin.verify(wanted)
    except ClusterError as fault:
        raise click.ClickException(str(fault)) from fault
    _answer(outcomes, as_json, "")


def _wanted(
    partitions: int | None, replication: int | None, keep_all: bool, kafka: str | None
) -> tuple[dict[str, Spec], str]:
    settings = settings_with(kafka)
    found = specs(
        departments(),
        partitions=partitions or settings.partitions,
        replication=replication or settings.replication,
        expire=not keep_all and settings.clock == "wall",
    )
    return found, settings.kafka


def _answer(outcomes: Sequence[Outcome], as_json: bool, prefix: str) -> None:
    if as_json:
        print_json({"topics": outcomes, "ok": all(each.good for each in outcomes)})
    else:
        _print(outcomes, prefix)
    if not all(each.good for each in outcomes):
        raise SystemExit(1)


def _print(outcomes: Sequence[Outcome], prefix: str) -> None:
    for each in outcomes:
        told = f"{prefix}{each.state}" if each.state in ("created", "changed") else each.state
        why = f"  {'; '.join(each.differences)}" if each.differences and each.state != "missing" else ""
        click.echo(f"{told:<16} {each.name}{why}")
    counts = Counter(each.state for each in outcomes)
    click.echo(f"{len(outcomes)} topics: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    for hint in _hints(outcomes):
        click.echo(hint, err=True)


def _hints(outcomes: Sequence[Outcome]) -> list[str]:
    hints = []
    if any(each.state == "missing" for each in outcomes):
        hints.append("`nivaran topics apply` creates what is missing.")
    if any(difference.startswith("partitions:") for each in outcomes for difference in each.differences):
        common = Counter(each.partitions for each in outcomes if each.partitions).most_common(1)[0][0]
        hints.append(
            f"Most topics have {common} partitions. The number is fixed for life: set NIVARAN_PARTITIONS={common}, "
            "or delete a topic that has another and apply again."
        )
    return hints
