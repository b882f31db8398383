"""A worker of today's build beside one of a coming minor version, on records of both: the same follows, once.

The coming build is this tree with a field more in a command, an event and a state. What is told of it in
docs/guarantees.md is held here: a field that a reader does not know changes nothing for it, stays in the log and in
dead letters, and is gone from a state that a worker which does not know it has written.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.positions import offsets
from deploy.local.kafka import KafkaCluster
from schemas import commands as c
from schemas.base import Actor, Place
from schemas.codec import encode
from schemas.registry import dead_letters, topics
from schemas.topics import CASE_COMMANDS
from streams.case.stage import CASE
from streams.case.state import Case
from streams.ids import case_id
from streams.profiles.load import departments
from tests.builds import Change, built, environ
from tests.live.audit import Expected, expected
from tests.live.flows import Flow, Input
from tests.live.harness import producer, records
from tests.live.stand import Stand

pytestmark = pytest.mark.live
PACKAGES = ("schemas", "streams", "agents")
WORKER = "tests/live/stage_worker.py"
MORE: Final = (
    Change(
        "schemas/commands.py",
        '    """The officer opened the case."""\n',
        '    """The officer opened the case."""\n\n    mood: str | None = None\n',
    ),
    Change(
        "schemas/events.py",
        'tag="case.viewed.v1"):\n    by: Actor\n',
        'tag="case.viewed.v1"):\n    by: Actor\n    mood: str | None = None\n',
    ),
    Change(
        "streams/case/state.py",
        "    channel: Channel | None = None\n",
        "    channel: Channel | None = None\n    mood: str | None = None\n",
    ),
    Change(
        "streams/case/desk.py",
        "command.at), by=command.by))\n\n\ndef note",
        "command.at), by=command.by, mood=command.mood))\n\n\ndef note",
    ),
    Change(
        "streams/case/evolve.py",
        "e.CaseViewed: _nothing,",
        'e.CaseViewed: lambda _case, fact, _profile: {"mood": fact.mood},',
    ),
)
"""The coming version: file, what stands there, and what will."""
FIELD = "mood"
CASES, WAVES, PARTITIONS = 60, 3, 2
TODAY, COMING = ("case", 0), ("case", 1)
OFFICER = Actor("officer")
HERE = Place(161, {"block": "birdha"})


def told(wave: int, now: int) -> Iterator[tuple[str, bytes]]:
    """Commands of both versions by turns: every second record has the field that only the coming build knows."""
    for number in range(CASES):
        case = case_id("10", "call", f"side-by-side-{number}")
        heads = ((f"told-{wave}-{number}-{step}", case, now + step) for step in range(4))
        if wave == 0:
            citizen = f"ct_{number:032x}"
            yield _of(
                number, c.Register(*next(heads), "up-1076", "complaint", "call", "hand-pump", HERE, citizen, "शिकायत")
            )
            if number % 10 == 0:
                other = case_id("10", "call", f"refused-{number}")
                head = (f"refused-{number}", other, now)
                yield _of(
                    1, c.Register(*head, "up-1076", "complaint", "call", "no-such-matter", HERE, citizen, "शिकायत")
                )
        yield _of(number + 1, c.View(*next(heads), OFFICER))
        yield _of(number + 2, c.AddNote(*next(heads), OFFICER, "जाँच की गई।"))
        if wave == WAVES - 1:
            yield _of(number + 3, c.Dispose(*next(heads), OFFICER, "ठीक कराया गया।"))


def _of(version: int, command: Any) -> tuple[str, bytes]:
    """The command as today's version writes it, or as the coming one does."""
    value = msgspec.to_builtins(command) | ({FIELD: "calm"} if version % 2 else {})
    return command.case, msgspec.json.encode(value)


@dataclass
class Found:
    """What came of it."""

    want: Expected
    exits: list[int]
    settled: bool
    elsewhere: int = 0
    """Records on topics on which there should be none."""
    inputs: dict[tuple[int, int], bytes] = field(default_factory=dict)
    outputs: dict[str, list[tuple[bytes, bytes, list[tuple[str, bytes]]]]] = field(default_factory=dict)
    dead: list[tuple[dict[str, bytes], bytes]] = field(default_factory=list)
    states: dict[bytes, bytes] = field(default_factory=dict)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("builds")
    coming = built(folder / "coming", MORE, PACKAGES, [WORKER])
    builds = {TODAY: environ(), COMING: environ(coming)}
    worker = ("tests.live.stage_worker", "case")
    flow = Flow(
        (CASE,), tuple(topics(departments())), {"case": worker}, {"case": "case"}, _no_inputs, partitions=PARTITIONS
    )
    with KafkaCluster(folder / "kafka", settings={"group.min.session.timeout.ms": "3000"}) as kafka:
        stand = Stand(kafka, flow, "builds", folder, session_s=4)
        sender = producer(kafka.bootstrap)

        def start(place: tuple[str, int]) -> None:
            stand.start(place, **builds[place]).wait_ready()

        def wave(number: int) -> bool:
            for key, value in told(number, time.time_ns() // 1_000_000):
                sender.produce(CASE_COMMANDS, value, key)
            assert not sender.flush(60)
            return stand.settle()

        try:
            start(TODAY)
            start(COMING)
            settled = wave(0)  # both, each with partitions of its own
            stand.workers.pop(COMING).kill()
            settled &= wave(1)  # today's alone, on states that the coming build has written
            start(COMING)
            stand.workers.pop(TODAY).stop()
            settled &= wave(2)  # the coming one alone, on states of both
        finally:
            stand.end()
        result = Found(expected(kafka.bootstrap, CASE), stand.exits, settled)
        for message in records(kafka.bootstrap, CASE_COMMANDS):
            result.inputs[message.partition(), message.offset()] = message.value()
        others = [
            (topic, part) for topic in CASE.writes if topic not in result.want.outputs for part in range(PARTITIONS)
        ]
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 2})
        result.elsewhere = sum(offsets(admin, others, OffsetSpec.latest(), 60.0).values())
        for topic in result.want.outputs:
            result.outputs[topic] = [
                (each.key(), each.value(), each.headers()) for each in records(kafka.bootstrap, topic)
            ]
        for message in records(kafka.bootstrap, dead_letters(CASE_COMMANDS)):
            result.dead.append((dict(message.headers()), message.value()))
        for message in records(kafka.bootstrap, "builds-case-case-changelog"):
            result.states[message.key()] = message.value()
    return result


def _no_inputs(_seed: int, _count: int) -> Iterator[Input]:
    return iter(())


def known(value: bytes) -> Any:
    """What a reader of today's version makes of it."""
    told_of = msgspec.json.decode(value)
    told_of.pop(FIELD, None)
    return told_of


def test_what_is_written_is_what_today_s_build_would_have_written_once(found: Found) -> None:
    assert found.settled
    assert found.exits == []
    assert found.elsewhere == 0
    for topic, written in found.outputs.items():
        want = found.want.outputs[topic]
        ids = Counter(dict(headers)["ce_id"] for _, _, headers in written)
        assert ids.keys() == want.keys(), topic
        assert set(ids.values()) <= {1}, topic
        for key, value, headers in written:
            expected_key, expected_value, expected_headers = want[dict(headers)["ce_id"]]
            assert (key, headers) == (expected_key, expected_headers)
            assert known(value) == known(expected_value)
    assert sum(map(len, found.outputs.values())) > CASES * 10


def test_both_builds_had_records_of_both_versions(found: Found) -> None:
    kinds = Counter()
    for _, value, _ in found.outputs["grievance.case.events.v1"]:
        fact = msgspec.json.decode(value)
        if fact["type"] == "case.viewed.v1":
            _, partition, offset = fact["because"]["cause"].rsplit("/", 2)
            kinds[FIELD in msgspec.json.decode(found.inputs[int(partition), int(offset)]), FIELD in fact] += 1
    # the coming build takes the field over where it is told of; today's writes none
    assert kinds[True, True] > 0
    assert kinds[True, False] > 0
    assert kinds[False, False] > 0
    assert kinds[False, True] == 0


def test_what_is_refused_is_kept_with_the_field_and_nothing_else_is_refused(found: Found) -> None:
    assert len(found.dead) == CASES / 10
    for headers, value in found.dead:
        place = int(headers["x-dlq-original-partition"]), int(headers["x-dlq-original-offset"])
        assert value == found.inputs[place]
        assert FIELD in msgspec.json.decode(value)
        assert headers["x-dlq-error-class"] == b"unknown-category"


def test_each_build_reads_the_states_of_the_other(found: Found) -> None:
    read = {key: msgspec.msgpack.decode(value, type=Case) for key, value in found.states.items()}
    assert read == found.want.states
    assert len(read) == CASES
    fields = {len(msgspec.msgpack.decode(value)) for value in found.states.values()}
    assert fields == {len(Case.__struct_fields__) + 1}, "the last to write all of them was the coming build"
    assert encode(read[next(iter(read))])
