"""States on disk, on real Kafka: however it ended they are the fold of the changelog, and its tail is what is read."""

import re
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from agents.runtime.changelogs import CHANGELOG
from agents.runtime.disk import logs
from agents.runtime.exits import Exit
from agents.runtime.rocks import Folder, Part
from agents.settings import Settings
from tests.live.audit import audit
from tests.live.bench import PARTITIONS, Bench
from tests.live.harness import WorkerProcess, make_topics, records
from tests.live.toy import Forget
from tests.waiting import until

pytestmark = pytest.mark.live
READ = re.compile(r"stage toy: (\d+) states as of the log after [0-9.]+ s, (\d+) records read")
HOUR = 3_600_000
KEYS = 400


@pytest.fixture(autouse=True)
def on_disk(bench: Bench) -> None:
    bench.store = "rocksdb"
    bench.make_topics()


def read(worker: WorkerProcess) -> tuple[int, int]:
    """States after the first recovery, and the records of the changelog that it took."""
    found = READ.search(worker.log())
    assert found, worker.log()
    return int(found[1]), int(found[2])


def fold(bench: Bench) -> dict[int, dict[bytes, bytes]]:
    states: dict[int, dict[bytes, bytes]] = {number: {} for number in range(PARTITIONS)}
    for record in records(bench.bootstrap, bench.changelog):
        if record.value() is None:
            states[record.partition()].pop(record.key(), None)
        else:
            states[record.partition()][record.key()] = record.value()
    return states


def kept(bench: Bench, home: Path) -> dict[int, dict[bytes, bytes]]:
    """What stands in the folder of a worker that has ended."""
    now = logs(Settings(kafka=bench.bootstrap), bench.changelog, set(range(PARTITIONS)))
    folder, found = Folder(home / bench.group, 8), {}
    for partition, log in now.items():
        part = Part(folder.of("toy", partition), folder)
        part.open(log)
        found[partition] = dict(part.items())
        assert len(part) == len(found[partition])
        part.close()
    folder.close()
    return found


def check(bench: Bench) -> None:
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert found.clean, str(found)


def test_after_kills_in_the_midst_of_work_states_and_due_instants_are_the_fold(bench: Bench) -> None:
    start = int(time.time() * 1000)
    worker = bench.start().wait_ready()
    for round_ in range(3):
        bench.add(3000, keys=KEYS, at=start, remind_after=HOUR)
        bench.send(f"key-{round_}", Forget(start))
        bench.producer.flush(20)
        begun = sum(worker.quiesced()["positions"].values())
        until(lambda begun=begun, now=worker: sum(now.quiesced()["positions"].values()) > begun, what="it is at work")
        worker.kill()
        worker = bench.start().wait_ready()
    bench.settled()
    due = worker.quiesced()["next_due"]
    assert due // 1000 == (start + HOUR) // 1000
    assert f'nivaran_table_states{{part="toy"}} {KEYS - 1}.0' in worker.get("/metrics")
    assert worker.stop() == Exit.CLEAN
    assert kept(bench, Path(worker.store_dir)) == fold(bench)
    check(bench)
    again = bench.start().wait_ready()
    assert again.quiesced()["next_due"] == due


def test_a_restart_reads_the_tail_alone(bench: Bench) -> None:
    bench.add(2000, keys=KEYS)
    first = bench.start().wait_ready()
    bench.settled()
    assert first.stop() == Exit.CLEAN
    second = bench.start().wait_ready()
    assert read(second) == (KEYS, 0)
    assert "cannot be used" not in second.log()
    second.kill()
    # of what nobody has changed since, nothing is read again after a kill either
    third = bench.start().wait_ready()
    assert read(third) == (KEYS, 0)
    bench.add(40, keys=40)
    bench.settled()
    third.kill()
    fourth = bench.start().wait_ready()
    states, tail = read(fourth)
    assert states == KEYS
    assert 0 < tail <= 40 + PARTITIONS
    bench.settled()
    check(bench)


def test_what_another_owner_has_done_meanwhile_is_read(bench: Bench) -> None:
    bench.add(1000, keys=KEYS)
    first = bench.start().wait_ready()
    bench.settled()
    assert first.stop() == Exit.CLEAN
    other = bench.start(NIVARAN_STORE_DIR=str(bench.folder / "other")).wait_ready()
    bench.add(100, keys=20)
    bench.send("key-30", Forget(1))
    bench.producer.flush(20)
    bench.settled()
    assert other.stop() == Exit.CLEAN
    again = bench.start().wait_ready()
    states, tail = read(again)
    assert states == KEYS - 1
    assert 0 < tail < 100
    assert again.stop() == Exit.CLEAN
    assert kept(bench, Path(again.store_dir)) == fold(bench)
    check(bench)


def test_a_changelog_that_was_made_anew_is_read_from_its_beginning(bench: Bench) -> None:
    bench.add(500, keys=50)
    worker = bench.start().wait_ready()
    bench.settled()
    assert worker.stop() == Exit.CLEAN
    states = fold(bench)
    admin = AdminClient({"bootstrap.servers": bench.bootstrap, "log_level": 2})
    for gone in admin.delete_topics([bench.changelog]).values():
        gone.result(20)
    until(lambda: bench.changelog not in admin.list_topics(timeout=20).topics, what="the topic is gone")
    make_topics(bench.bootstrap, [bench.changelog], PARTITIONS, config=CHANGELOG)
    # longer than it was: by its offsets alone it could be the old one
    producer = Producer({"bootstrap.servers": bench.bootstrap, "log_level": 2})
    for partition, each in states.items():
        for _ in range(20):
            for key, state in each.items():
                producer.produce(bench.changelog, state, key, partition)
    producer.flush(20)
    again = bench.start().wait_ready()
    assert "the changelog was deleted and made anew" in again.log()
    assert read(again) == (50, 1000)
    assert again.stop() == Exit.CLEAN
    assert kept(bench, Path(again.store_dir)) == states


def test_a_folder_belongs_to_one_process(bench: Bench) -> None:
    first = bench.start().wait_ready()
    second = bench.start(NIVARAN_STORE_DIR=first.store_dir)
    assert second.wait() == Exit.NOT_SET_UP
    assert "belongs to a worker that runs; each worker of a role needs a folder of its own" in second.log()
    third = bench.start(NIVARAN_STORE_DIR="")
    assert third.wait() == Exit.USAGE
    assert "NIVARAN_STORE_DIR is not set" in third.log()
