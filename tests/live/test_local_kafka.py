"""The embedded brokers: they start, keep what they were given through a kill, and leave nothing behind."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from deploy.local.errors import LocalError
from deploy.local.kafka import KafkaCluster
from deploy.local.ports import LOOPBACK, PortLease
from tests.waiting import until

pytestmark = pytest.mark.live
SILENT = {"log_level": 0}


def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, **SILENT})


def make_topic(bootstrap: str, name: str) -> None:
    client = admin(bootstrap)
    client.create_topics([NewTopic(name, 1)])[name].result(30)


def produce(bootstrap: str, topic: str, values: list[bytes], **record: int) -> None:
    refused: list[str] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, **SILENT})
    for value in values:
        producer.produce(
            topic, value, on_delivery=lambda error, _: refused.append(str(error)) if error else None, **record
        )
    assert producer.flush(30) == 0, "not acknowledged in 30 s"
    assert refused == []


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, **SILENT})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[bytes] = []
        until(
            lambda: [found.append(m.value()) for m in consumer.consume(count, 0.2)] and len(found) >= count,
            30,
            every=0,
            what=f"{count} records of {topic}",
        )
        return found
    finally:
        consumer.close()


def running(marker: Path) -> list[str]:
    """Command lines of live processes that name `marker`."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(marker) in line and "kafka.Kafka" in line:
            lines.append(line)
    return lines


def test_what_is_produced_is_consumed(kafka: KafkaCluster) -> None:
    make_topic(kafka.bootstrap, "local.echo")
    sent = [b"%d" % n for n in range(100)]
    produce(kafka.bootstrap, "local.echo", sent)
    assert read(kafka.bootstrap, "local.echo", 100) == sent


def test_records_of_any_instant_are_taken_and_kept(kafka: KafkaCluster) -> None:
    """Historical and simulated instants: nothing is refused for its time, nothing is deleted by it."""
    make_topic(kafka.bootstrap, "local.times")
    year_2015, year_2100 = 1_420_070_400_000, 4_102_444_800_000
    produce(kafka.bootstrap, "local.times", [b"old"], timestamp=year_2015)
    produce(kafka.bootstrap, "local.times", [b"future"], timestamp=year_2100)
    assert read(kafka.bootstrap, "local.times", 2) == [b"old", b"future"]
    client = admin(kafka.bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, "local.times")
    assert client.describe_configs([resource])[resource].result(30)["retention.ms"].value == "-1"


def test_no_topic_appears_by_accident(kafka: KafkaCluster) -> None:
    assert admin(kafka.bootstrap).list_topics("local.unknown", timeout=10).topics["local.unknown"].error is not None


def test_a_paused_and_a_killed_broker_come_back_with_their_data(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path / "kafka") as cluster:
        node = cluster.nodes[0]
        make_topic(cluster.bootstrap, "kept")
        produce(cluster.bootstrap, "kept", [b"before"])

        node.pause()
        producer = Producer({"bootstrap.servers": cluster.bootstrap, **SILENT})
        producer.produce("kept", b"paused")
        assert producer.flush(0.5) == 1, "nothing answers"
        node.resume()
        assert producer.flush(30) == 0

        node.kill()
        assert not node.alive
        node.start()
        cluster.wait_ready()
        produce(cluster.bootstrap, "kept", [b"after"])
        assert read(cluster.bootstrap, "kept", 3) == [b"before", b"paused", b"after"]


def test_nothing_stays_after_the_stop_and_a_stranger_is_not_touched(tmp_path: Path) -> None:
    """A recorded pid that now is another program's: it lives on."""
    folder = tmp_path / "kafka"
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            (folder / "node1").mkdir(parents=True)
            (folder / "node1" / "kafka.pid").write_text(Path(f"/proc/{stranger.pid}/stat").read_text())
            with KafkaCluster(folder) as cluster:
                ports = cluster.ports
                assert running(folder)
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert running(folder) == []
    assert not folder.exists()
    with PortLease(2, ports) as lease:
        assert lease.ports == ports


def test_kept_data_is_found_again_and_a_leftover_is_reaped(tmp_path: Path) -> None:
    """The owner of a detached broker is gone; who starts on the same folder ends that broker first."""
    folder = tmp_path / "kafka"
    first = KafkaCluster(folder, keep=True, detached=True).start()
    try:
        make_topic(first.bootstrap, "kept")
        produce(first.bootstrap, "kept", [b"once"])
        leftover = first.nodes[0].pid
        with KafkaCluster(folder, keep=True) as second:
            assert second.nodes[0].pid != leftover
            assert len(running(folder)) == 1
            assert read(second.bootstrap, "kept", 1) == [b"once"]
    finally:
        first.stop()


OWNER = """
import sys, signal
from pathlib import Path
from deploy.local.kafka import KafkaCluster
cluster = KafkaCluster(Path(sys.argv[1])).start()
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_brokers_end_with_their_owner_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "kafka"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        assert len(running(folder)) == 1
        owner.send_signal(number)
    until(lambda: running(folder) == [], 10, what="the broker ends")


def test_a_folder_serves_one_run_at_a_time(kafka: KafkaCluster) -> None:
    with pytest.raises(LocalError, match="in use by another run"):
        KafkaCluster(kafka.folder)


def test_a_port_taken_by_another_program_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        cluster = KafkaCluster(tmp_path / "kafka")
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOOPBACK, cluster.nodes[0].ports.client))
        other.listen()
        with pytest.raises(LocalError, match="a port it was given is in use by another program"):
            cluster.start()
    assert running(tmp_path / "kafka") == []


def test_a_wrong_broker_setting_is_reported_with_the_brokers_words(tmp_path: Path) -> None:
    with (
        pytest.raises(LocalError, match=r"num\.partitions"),
        KafkaCluster(tmp_path, settings={"num.partitions": "many"}),
    ):
        pass


def test_three_brokers_take_writes_while_one_is_dead(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path / "kafka", brokers=3) as cluster:
        make_topic(cluster.bootstrap, "survives")
        produce(cluster.bootstrap, "survives", [b"three"])
        partition = admin(cluster.bootstrap).list_topics(timeout=10).topics["survives"].partitions[0]
        assert len(partition.isrs) == 3
        victim = cluster.nodes[partition.leader - 1]
        victim.kill()
        produce(cluster.bootstrap, "survives", [b"two"])
        victim.start()
        cluster.wait_ready()
        produce(cluster.bootstrap, "survives", [b"again three"])
        assert read(cluster.bootstrap, "survives", 3) == [b"three", b"two", b"again three"]


def test_two_brokers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="choose 1 or 3"):
        KafkaCluster(tmp_path, brokers=2)
