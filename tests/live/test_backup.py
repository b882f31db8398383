"""A deployment as files and back: at rest, whole, at the same offsets, and its workers go on in the new cluster."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from agents.audit import cases, inputs, stages
from agents.backup.files import MANIFEST
from agents.cli.audit import log_of
from deploy.cli import cli
from deploy.fleet import Fleet
from deploy.fleet.service import end_all
from deploy.local.kafka import KafkaCluster
from schemas.topics import CASE_EVENTS
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from streams.sla.stage import SLA
from tests.story import bursts, stories

pytestmark = pytest.mark.live
ROLES = {"intake": 1, "case": 1, "sla": 1}
STORIES = [story for story in stories() if not story.of_officers][:6]
BURSTS = list(bursts(STORIES))
HALF = len(BURSTS) // 2


class Moved(NamedTuple):
    """What came of it."""

    running: Result
    unsettled: Result
    exported: Result
    imported: Result
    again: Result
    backup: Path
    results: dict[str, Any]
    states: dict[str, int]
    now: int


def nivaran(kafka: KafkaCluster, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env={"NIVARAN_KAFKA": kafka.bootstrap}, catch_exceptions=False)


def tell(fleet: Fleet, part: list[Any]) -> None:
    for burst in part:
        fleet.advance(burst.at)
        fleet.produce([(each.topic, each.key, each.value, each.at) for each in burst.inputs])
        fleet.settle()


@contextmanager
def open_transaction(kafka: KafkaCluster) -> Iterator[None]:
    """Somebody has written and not committed."""
    writer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "somebody", "log_level": 2})
    writer.init_transactions(20)
    writer.begin_transaction()
    writer.produce(CASE_EVENTS, b"{}", b"k", 0)
    writer.flush(20)
    yield
    writer.abort_transaction(20)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    home: Path = tmp_path_factory.mktemp("moved")
    backup, old, new = home / "backup", home / "old", home / "new"
    begin = min(story.start for story in STORIES)
    with Fleet(old, roles=ROLES, begin=begin, partitions=2) as fleet:
        tell(fleet, BURSTS[:HALF])
        running = nivaran(fleet.kafka, "export", str(home / "refused"))
        end_all(fleet.workers)
        with open_transaction(fleet.kafka):
            unsettled = nivaran(fleet.kafka, "export", str(home / "unsettled"))
        exported = nivaran(fleet.kafka, "export", str(backup), "--json")
        now = fleet.now or 0
    with KafkaCluster(new / "kafka", keep=True) as kafka:
        imported = nivaran(kafka, "import", str(backup), "--replication", "1", "--json")
        again = nivaran(kafka, "import", str(backup), "--replication", "1")
    with Fleet(new, roles=ROLES, begin=now, partitions=2) as fleet:
        fleet.settle()
        tell(fleet, BURSTS[HALF:])
        fleet.advance(max(story.end for story in STORIES))
        log = log_of(fleet.kafka.bootstrap, "nivaran")
        checked = [
            *(check(log) for check in (inputs.submissions, inputs.commands, cases.check)),
            *(stages.check(stage, log) for stage in (INTAKE, CASE, SLA)),
        ]
        results = {result.name: result for result in checked}
        states = {name: result.figures.get("states", 0) for name, result in results.items()}
        yield Moved(running, unsettled, exported, imported, again, backup, results, states, now)


def test_nothing_is_exported_while_workers_run(moved: Moved) -> None:
    assert moved.running.exit_code == 1
    assert "workers are running (nivaran-case, nivaran-intake, nivaran-sla): stop them first" in moved.running.output


def test_nothing_is_exported_while_a_transaction_is_open(moved: Moved) -> None:
    assert moved.unsettled.exit_code == 1
    assert f"a transaction is open in {CASE_EVENTS}-0" in moved.unsettled.output


def test_what_is_imported_is_what_was_exported_and_only_once(moved: Moved) -> None:
    assert moved.exported.exit_code == 0, moved.exported.output
    assert moved.imported.exit_code == 0, moved.imported.output
    told, restored = json.loads(moved.exported.stdout), json.loads(moved.imported.stdout)
    assert (told["topics"], told["records"]) == (restored["topics"], restored["records"])
    assert told["records"] > 100
    assert moved.again.exit_code == 1
    assert "the cluster has grievance." in moved.again.output


def test_its_workers_go_on_as_if_nothing_had_happened(moved: Moved) -> None:
    assert {name: result.problems for name, result in moved.results.items() if not result.ok} == {}
    assert moved.results["stage case"].figures["inputs"] > 100
    assert sum(moved.states.values()) > 0


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_backup_is_refused_before_anything_is_written(
    moved: Moved, kafka: KafkaCluster, tmp_path: Path, damage: str
) -> None:
    for path in moved.backup.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(moved.backup)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    victim = max((tmp_path / CASE_EVENTS).iterdir(), key=lambda path: path.stat().st_size)
    whole = victim.read_bytes()
    match damage:
        case "cut":
            victim.write_bytes(whole[:-10])
        case "changed":
            victim.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        case "missing":
            victim.unlink()
    found = nivaran(kafka, "import", str(tmp_path))
    assert found.exit_code == 1
    assert victim.name in found.output
    (tmp_path / MANIFEST).unlink()
    assert "it is no backup, or one that was not finished" in nivaran(kafka, "import", str(tmp_path)).output
