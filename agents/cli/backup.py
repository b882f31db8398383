"""`nivaran export` and `nivaran import`: a whole deployment as files, and back into an empty cluster."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from confluent_kafka import KafkaException

from agents.audit.log import LogError
from agents.backup.export import export
from agents.backup.files import MANIFEST, BackupError, load, save
from agents.backup.restore import differing, restore
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.kafka_admin import ClusterError, knock
from schemas.registry import topics
from streams.profiles.load import departments

folder_argument = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@contextmanager
def told_in_full() -> Iterator[None]:
    """What can go wrong with Kafka, a disk or a backup ends with exit code 1 and its reason."""
    try:
        yield
    except (BackupError, ClusterError, LogError) as fault:
        raise click.ClickException(str(fault)) from fault
    except KafkaException as fault:
        raise click.ClickException(f"Kafka: {fault.args[0].str()}") from fault
    except OSError as fault:
        raise click.ClickException(f"{fault.filename}: {fault.strerror}") from fault


def _say(topic: str, records: int) -> None:
    click.echo(f"{topic}: {records} records", err=True)


@click.command("export")
@folder_argument
@kafka_option
@json_option
def export_command(folder: Path, kafka: str | None, as_json: bool) -> None:
    """Write every topic, changelog and position of a deployment at rest into FOLDER, which must be new or empty.

    A file of lines (NDJSON, zstd) per partition and a manifest with checksums. Stop the workers first; what the
    gateway takes meanwhile is left out. Redis is not part of it: the board is made anew from the topics.
    The files hold what the topics hold: citizens' words, contact details sealed.

    Exit code: 0 done; 1 workers are running, a transaction is open, Kafka is away or the disk is full; 2 wrong usage.

    \b
    Example:
      nivaran export /backup/2026-11-28
    """
    settings = settings_with(kafka)
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty")
    with told_in_full():
        knock(settings.kafka)
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time_ns() // 1_000_000
        names = topics(departments())
        manifest = export(settings.kafka, settings.group_prefix, names, folder, now=now, tell=_say)
        save(manifest, folder)
    if as_json:
        print_json({"manifest": str(folder / MANIFEST), "topics": len(manifest.topics), "records": manifest.records})
    else:
        click.echo(f"{manifest.records} records of {len(manifest.topics)} topics in {folder}")


@click.command("import")
@folder_argument
@click.option(
    "--replication", type=click.IntRange(min=1), help="Copies of every partition; default: NIVARAN_REPLICATION."
)
@click.option("--check", "only_check", is_flag=True, help="Only see whether FOLDER is whole; Kafka is not asked.")
@kafka_option
@json_option
def import_command(folder: Path, replication: int | None, only_check: bool, kafka: str | None, as_json: bool) -> None:
    """Write a backup of `nivaran export` into a cluster that has none of its topics, and compare it record by record.

    Every record gets the offset and timestamp it had, and every group its position: workers started afterwards go on
    where those of the old cluster ended, and `nivaran audit` holds. Start with an empty Redis.

    Exit code: 0 restored and the same; 1 the backup is damaged, a topic is there already, or what was read then
    differs; 2 wrong usage.

    \b
    Example:
      nivaran import /backup/2026-11-28 --replication 3
    """
    settings = settings_with(kafka)
    with told_in_full():
        manifest = load(folder)
        if not only_check:
            knock(settings.kafka)
            copies = replication or settings.replication
            restore(settings.kafka, manifest, folder, replication=copies, tell=_say)
            if wrong := differing(settings.kafka, manifest):
                raise BackupError(f"restored, and not the same: {', '.join(wrong[:5])}")
    done = "whole" if only_check else "restored"
    if as_json:
        print_json({"state": done, "topics": len(manifest.topics), "records": manifest.records})
    else:
        click.echo(f"{done}: {manifest.records} records of {len(manifest.topics)} topics")
