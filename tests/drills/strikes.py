"""Faults as an operator meets them, each on a ground that runs; and what is mended by hand where no command does it."""

import contextlib
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from msgspec.structs import replace

from agents.settings import Settings
from agents.simulate.generate import Simulation
from deploy.bench import mix
from deploy.bench.storm import due_at, due_cases
from deploy.bench.table import fill as fill_table
from deploy.demo.load_feed import LoadFeed
from deploy.demo.secrets import drawn
from schemas.codec import cloudevent, decoder, encode
from schemas.events import EscalationRaised
from schemas.topics import CASE_COMMANDS, CASE_EVENTS, ESCALATION_RAISED
from streams.case.stage import CASE
from streams.ids import case_id
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS
from tests.drills.ground import READY_S, Ground
from tests.drills.load import SYSTEM
from tests.waiting import until

Strike = Callable[[Ground], None]
RAISED: Final = Path(__file__).parents[2] / "schemas/examples/escalation.raised.v1/on-time-out.json"
LONE: Final = "drill.only-copy"
STRANGER: Final = "reader 9876543210"
OLD_CASES: Final = 600
POISON: Final = 150
FILLING_S: Final = 60.0
LARGE: Final = 150_000
"""States of a table whose recovery takes long enough for a fault to strike in it."""
YEAR_MS: Final = 365 * DAY_MS
CHURN_S: Final = 80.0
CHURNING: Final = 3


def stop(*names: str) -> Strike:
    def strike(ground: Ground) -> None:
        for name in names:
            ground.service(name).stop()

    return strike


def freeze(name: str) -> Strike:
    """It stands still: connections stay open and nothing answers."""
    return lambda ground: ground.service(name).process.pause()


def freeze_kafka(ground: Ground) -> None:
    for node in ground.fleet.kafka.nodes:
        node.pause()


def kill_kafka(ground: Ground) -> None:
    for node in ground.fleet.kafka.nodes:
        node.kill()


def freeze_a_broker(ground: Ground) -> None:
    """One of three brokers stands still: its connections stay open."""
    ground.fleet.kafka.nodes[-1].pause()


def kill_redis(ground: Ground) -> None:
    ground.fleet.redis.kill()


def flush_redis(ground: Ground) -> None:
    with ground.redis() as redis:
        redis.flushall()


def kill_thrice(ground: Ground) -> None:
    """Whoever supervises it starts it again each time; it is killed again as soon as Prometheus has seen it."""
    service, seen = ground.service("gateway"), _started(ground)
    for _ in range(3):
        service.process.kill()
        until(lambda before=seen: _started(ground) not in (before, None), READY_S, what="it is back and seen")
        seen = _started(ground)


def _started(ground: Ground) -> str | None:
    """Since when the gateway runs, as Prometheus knows it."""
    found = ground.watch.query('process_start_time_seconds{job="nivaran-gateway"}')
    return found[0]["value"][1] if found else None


def come_and_go(ground: Ground) -> None:
    """More members join the group, and each leaves as soon as it has its partitions, until the alert fires."""
    deadline = time.monotonic() + CHURN_S

    def churn(number: int) -> None:
        while "NivaranRebalancing" not in ground.firing.now and time.monotonic() < deadline:
            extra = ground.join("intake", number)
            with contextlib.suppress(AssertionError):
                extra.wait_ready()
            extra.stop()

    with ThreadPoolExecutor(CHURNING) as pool:
        list(pool.map(churn, range(CHURNING)))


def dismiss(ground: Ground) -> None:
    """Those that come and go are left out."""
    ground.dismiss()


def stranger(ground: Ground) -> None:
    """Somebody reads our topics with a consumer group that has a telephone number in its name."""
    consumer = Consumer({"bootstrap.servers": ground.fleet.kafka.bootstrap, "group.id": STRANGER})
    consumer.commit(offsets=[TopicPartition(CASE_EVENTS, 0, 0)], asynchronous=False)
    consumer.close()


def delete_stranger(ground: Ground) -> None:
    """The group is deleted, as Kafka's `kafka-consumer-groups.sh --delete` does."""
    for future in ground.fleet.admin.delete_consumer_groups([STRANGER]).values():
        future.result(20)


def poison(count: int) -> Strike:
    """Records on the command topic that are no commands."""

    def strike(ground: Ground) -> None:
        now = time.time_ns() // 1_000_000
        ground.fleet.produce(
            (CASE_COMMANDS, f"k{number}", b'{"type": "no-command.v1"}', now) for number in range(count)
        )

    return strike


def contact_key(ground: Ground) -> None:
    """The sender has another contact key than the gateway."""
    ground.set("worker-sms", NIVARAN_CONTACT_KEY=drawn().contact_key)
    ground.carry_out("docker compose up -d worker-sms")


def right_contact_key(ground: Ground) -> None:
    """NIVARAN_CONTACT_KEY_PREVIOUS of the sender is the NIVARAN_CONTACT_KEY with which the gateway has sealed."""
    ground.set("worker-sms", NIVARAN_CONTACT_KEY_PREVIOUS=ground.secrets.contact_key)


def raise_escalation(ground: Ground, number: int) -> str:
    """Write one escalation more, of a case that there is not; answers the case."""
    now = time.time_ns() // 1_000_000
    raised = decoder(EscalationRaised)(RAISED.read_bytes())
    record, id_ = replace(raised, at=now, case=case_id("10", "call", f"drill-{number}")), f"drill-{now}-{number}"
    headers = cloudevent(record, source="/nivaran/case", id=id_, subject=record.case, at=now)
    ground.fleet.producer.produce(ESCALATION_RAISED, encode(record), record.case, headers=headers)
    ground.fleet.producer.flush(20)
    return record.case


def gone(ground: Ground) -> None:
    """The endpoint answers 410 to the next record."""
    ground.desk.answer = lambda _: 410
    raise_escalation(ground, 0)


def raise_revision(ground: Ground) -> None:
    """The endpoint takes records again, `revision` is raised, and the process started again."""
    ground.desk.answer = lambda _: 204
    ground.revision += 1
    ground.subscribe()
    ground.carry_out("docker compose restart webhooks")


def above_the_last_level(ground: Ground) -> None:
    """A complaint against the officer of the last level: above that one there is no office."""
    assert ground.load is not None
    last = profile(SYSTEM).last_level
    assert ground.load.post(type="complaint", against_level=last) == 202


def no_complaints(ground: Ground) -> None:
    """The channels in front of the gateway send nothing any more."""
    assert ground.load is not None
    ground.load.hold()


def complaints_again(ground: Ground) -> None:
    """The channel is mended, and a submission of one's own is taken."""
    assert ground.load is not None
    ground.load.go_on()
    until(lambda: ground.load is not None and ground.load.post() == 202, 30, what="a submission is taken")


def old_register(ground: Ground) -> None:
    """Ten months old cases are loaded as they happened, and the case worker may write one wake at a time."""
    ground.set("worker-case", NIVARAN_WAKE_BOUND="1", NIVARAN_COMMIT_GAP_MS="500")
    ground.carry_out("docker compose up -d worker-case")
    old_cases(ground, OLD_CASES)


def old_cases(ground: Ground, count: int) -> None:
    """Complaints of ten months ago, received as they occurred."""
    feed = LoadFeed(
        Settings(kafka=ground.fleet.kafka.bootstrap), ground.secrets.identity, ground.fleet.home / "rejects.ndjson"
    )
    lines = (line for line in Simulation(profile(SYSTEM), ground.seed + 1, scale=0.5) if line.case is None)
    feed.send(line for line, _ in zip((each for each in lines if each.body), range(count), strict=False))
    feed.close()


def freeze_in_recovery(ground: Ground) -> None:
    """The case worker has a large table; it is killed and comes back, and Kafka stands still while it reads that."""
    service = ground.service("worker-case")
    settings = Settings(kafka=ground.fleet.kafka.bootstrap, partitions=ground.fleet.partitions, replication=1)
    # nothing of them falls due meanwhile
    cases = due_at(due_cases(ground.seed), time.time_ns() // 1_000_000 + YEAR_MS)
    fill_table(settings, f"{settings.group_prefix}-case-{CASE.name}-changelog", mix.multiplied(cases, LARGE))
    for _ in range(20):
        service.process.kill()
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            remaining = _remaining(service.url)
            if remaining is None:
                time.sleep(0.002)
            elif remaining > 0:
                freeze_kafka(ground)
                if _stands_still(service.url):
                    return
                ground.carry_out("docker compose restart kafka")
                break
            elif service.ready:
                break
    raise AssertionError("its recovery was over each time before Kafka stood still")


def _stands_still(url: str) -> bool:
    """Whether records of the changelog are left when it has read all that had come."""
    before: float | None = -1.0
    while (remaining := _remaining(url)) and remaining != before:
        before = remaining
        time.sleep(1)
    return bool(remaining)


def _remaining(url: str) -> float | None:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    return next(
        (float(line.split()[-1]) for line in text.splitlines() if line.startswith("nivaran_recovery_remaining")), None
    )


def kill_alertmanager(ground: Ground) -> None:
    ground.watch.processes["alertmanager"].kill()


def fill(share: float) -> Strike:
    def strike(ground: Ground) -> None:
        assert ground.disk is not None
        ground.disk.fill(share)

    return strike


def fill_slowly(ground: Ground) -> None:
    """The disk fills from 61 % on, a little every second."""
    disk = ground.disk
    assert disk is not None

    def run() -> None:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < 4 * FILLING_S and "NivaranDiskFilling" not in ground.firing.now:
            disk.fill(0.61 + 0.2 * passed / (4 * FILLING_S))
            time.sleep(1)

    threading.Thread(target=run, name="filling", daemon=True).start()


def more_room(ground: Ground) -> None:
    """The volume is given more room."""
    assert ground.disk is not None
    ground.disk.grow()


def kill_a_broker(ground: Ground) -> None:
    """One of three brokers is killed, which holds the only copy of one topic's partition beside its share of all."""
    node = ground.fleet.kafka.nodes[-1]
    admin = AdminClient({"bootstrap.servers": ground.fleet.kafka.bootstrap})
    topic = NewTopic(LONE, num_partitions=1, replica_assignment=[[node.node_id]])
    for future in admin.create_topics([topic], operation_timeout=20).values():
        future.result(20)
    shown = f'kafka_topic_partition_leader{{topic="{LONE}"}}'
    until(lambda: ground.watch.query(shown), 30, what="the exporter sees the topic")
    node.kill()


def take_and_be_silent(ground: Ground) -> None:
    """The operator's gateway takes one complaint's messages, again and again, and answers nothing."""
    assert ground.load is not None
    ground.load.hold()
    ground.control(silent=1)
    until(lambda: ground.load is not None and ground.load.post() == 202, 30, what="a submission is taken")


def ask_the_operator(ground: Ground) -> None:
    """The operator says by their ids which messages it took, and its gateway answers again."""
    assert ground.load is not None
    ground.control(silent=0)
    ground.load.go_on()


def answer_again(ground: Ground) -> None:
    """The operator's gateway answers again."""
    ground.service("sms-sandbox").start()
