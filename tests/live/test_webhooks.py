"""Calls to subscribers from real Kafka: at least once under one id, over kills; one that hangs holds up no other."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from msgspec.structs import replace

from agents.kafka_admin import connected, specs
from deploy.cli import cli
from deploy.local.kafka import KafkaCluster
from schemas.codec import cloudevent, decoder, encode
from schemas.events import EscalationRaised
from schemas.topics import ESCALATION_RAISED, WEBHOOK_UNDELIVERED
from streams.profiles.load import departments
from tests.live.harness import WorkerProcess, producer, records
from tests.subscribing import ENVIRON, Endpoint, listening
from tests.waiting import auntil

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
RAISED = decoder(EscalationRaised)((ROOT / "schemas/examples/escalation.raised.v1/on-time-out.json").read_bytes())
PARTITIONS = 3
COUNT = 90


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker of its own: subscriptions are for topics of the registry, which other tests use as well."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        with connected(cluster.bootstrap) as admin:
            admin.apply(specs(departments(), partitions=PARTITIONS, replication=1))
        yield cluster


class Sending:
    """The process under test, and what is written for it."""

    def __init__(self, bootstrap: str, folder: Path, prefix: str) -> None:
        self.bootstrap, self._folder = bootstrap, folder
        self._file = folder / "webhooks.toml"
        self._written: Producer = producer(bootstrap)
        self._running: list[WorkerProcess] = []
        self.environ = {
            "NIVARAN_KAFKA": bootstrap,
            "NIVARAN_GROUP_PREFIX": prefix,
            "NIVARAN_WEBHOOKS": str(self._file),
            **ENVIRON,
        }

    def subscribe(self, subscriptions: Mapping[str, tuple[Endpoint, str]]) -> None:
        every = 'secrets = ["NIVARAN_WEBHOOK_SECRET_A"]\nbegin = "beginning"'
        self._file.write_text(
            "\n".join(f'[{name}]\nurl = "{to.url}"\n{every}\n{more}' for name, (to, more) in subscriptions.items())
        )

    def raise_(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            case = f"{number:018d}"
            record = replace(RAISED, case=case)
            headers = cloudevent(record, source="/nivaran/case", id=f"cause-{number}-0", subject=case, at=RAISED.at)
            self._written.produce(ESCALATION_RAISED, encode(record), case, headers=headers)
        self._written.flush(20)

    def start(self) -> WorkerProcess:
        log = self._folder / f"webhooks-{len(self._running)}.log"
        self._running.append(WorkerProcess(["deploy.cli", "webhooks", "run"], self.environ, log))
        return self._running[-1]

    def ask(self, *words: str) -> Result:
        return CliRunner().invoke(cli, ["webhooks", *words], env=self.environ, catch_exceptions=False)

    def end(self) -> None:
        for each in self._running:
            if each.process.poll() is None:
                each.kill()


@pytest.fixture
def sending(own_kafka: KafkaCluster, tmp_path: Path) -> Iterator[Sending]:
    made = Sending(own_kafka.bootstrap, tmp_path, f"t-{uuid.uuid4().hex[:8]}")
    yield made
    made.end()


def case(number: int) -> str:
    return f"{number:018d}"


async def test_each_record_is_delivered_over_a_kill_and_put_aside_or_repeated_as_it_must_be(sending: Sending) -> None:
    async with listening(Endpoint()) as good, listening(Endpoint()) as hanging:
        poison = {case(COUNT - 1), case(COUNT - 2)}
        good.answer = lambda call: 422 if call.event["data"]["case"] in poison else 200
        hanging.answer = lambda _: 503
        sending.subscribe({"good": (good, "refusals = 2"), "hanging": (hanging, "")})
        sending.raise_(0, COUNT)
        first = sending.start()
        await auntil(lambda: len(good.calls) > COUNT // 4, 40, every=0.01, what="some are delivered")
        await auntil(lambda: len(hanging.calls) > PARTITIONS, 20, what="the hanging one is repeated")
        first.kill()

        second = await asyncio.to_thread(sending.start().wait_ready)
        wanted = {case(number) for number in range(COUNT)}
        await auntil(lambda: set(good.cases()) == wanted, 40, what="all were called")
        await auntil(lambda: set(_aside(sending)) == poison, 30, what="what it will not have is put aside")
        assert len({call.id for call in good.calls}) == COUNT, "every attempt has the id of its event"
        assert len(hanging.calls) > PARTITIONS
        assert len(set(hanging.cases())) <= PARTITIONS, "in order: nothing after what is not delivered"
        assert await asyncio.to_thread(second.stop) == 0, second.log()
        calls_before = len(good.calls)

        # what was away is back; nothing that was delivered comes again, and the position of all was kept
        hanging.answer = lambda _: 200
        third = await asyncio.to_thread(sending.start().wait_ready)
        await auntil(lambda: set(hanging.cases()) == wanted, 40, what="what waited is delivered")
        sending.raise_(COUNT, 5)
        await auntil(lambda: case(COUNT + 4) in good.cases(), 20, what="new ones go on")
        new = Counter(good.cases()[calls_before:])
        assert set(new) == {case(number) for number in range(COUNT, COUNT + 5)}
        assert await asyncio.to_thread(third.stop) == 0, third.log()

        # killed between putting it aside and noting that, the first process leaves a record to be put aside once more
        kept = _aside(sending)
        good.answer = lambda _: 200
        again = await asyncio.to_thread(sending.ask, "redrive", "good", "--json")
        assert (again.exit_code, json.loads(again.stdout)["delivered"]) == (0, len(kept)), again.output
        assert sorted(good.cases()[-len(kept) :]) == sorted(kept)
        assert json.loads((await asyncio.to_thread(sending.ask, "redrive", "good", "--json")).stdout)["delivered"] == 0


async def test_after_410_it_is_silent_until_its_revision_is_raised(sending: Sending) -> None:
    async with listening(Endpoint()) as endpoint:
        endpoint.answer = lambda call: 410 if call.event["data"]["case"] == case(0) else 200
        sending.subscribe({"desk": (endpoint, "")})
        sending.raise_(0, 10)
        first = await asyncio.to_thread(sending.start().wait_ready)
        await auntil(lambda: 'nivaran_webhook_gone{subscription="desk"} 1.0' in first.get("/metrics"), 30)
        assert await asyncio.to_thread(first.stop) == 0
        silent = len(endpoint.calls)

        second = await asyncio.to_thread(sending.start().wait_ready)
        await auntil(lambda: 'nivaran_webhook_gone{subscription="desk"} 1.0' in second.get("/metrics"), 30)
        assert await asyncio.to_thread(second.stop) == 0
        assert len(endpoint.calls) == silent

        endpoint.answer = lambda _: 200
        sending.subscribe({"desk": (endpoint, "revision = 2")})
        third = await asyncio.to_thread(sending.start().wait_ready)
        await auntil(lambda: {case(number) for number in range(10)} <= set(endpoint.cases()), 30)
        assert await asyncio.to_thread(third.stop) == 0


async def test_two_processes_share_the_partitions_and_a_case_keeps_its_order(sending: Sending) -> None:
    async with listening(Endpoint()) as endpoint:
        sending.subscribe({"desk": (endpoint, "")})
        await asyncio.to_thread(sending.start().wait_ready)
        for number in range(3):
            sending.raise_(1000 + 10 * number, 10)
            if number == 1:
                await asyncio.to_thread(sending.start().wait_ready)
        wanted = [case(number) for number in range(1000, 1030)]
        await auntil(lambda: set(wanted) <= set(endpoint.cases()), 40, what="all were called")
        firsts = list(dict.fromkeys(endpoint.cases()))
        for partition in _by_partition(sending, wanted):
            assert [each for each in firsts if each in partition] == partition


def _aside(sending: Sending) -> list[str]:
    """Cases of what was put aside of the subscription `good`."""
    return [
        each.key().decode()
        for each in records(sending.bootstrap, WEBHOOK_UNDELIVERED)
        if dict(each.headers())["x-dlq-subscription"] == b"good"
    ]


def _by_partition(sending: Sending, wanted: list[str]) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for each in records(sending.bootstrap, ESCALATION_RAISED):
        if each.key().decode() in wanted:
            found.setdefault(each.partition(), []).append(each.key().decode())
    return list(found.values())
