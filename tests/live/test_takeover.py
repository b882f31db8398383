"""Partitions are taken over when all that earlier owners have open in them has ended, under whatever id it is open."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from agents.positions import committed, onlooker
from agents.runtime import settling
from agents.runtime.producers import client_config
from agents.runtime.settling import Settling
from agents.runtime.transactions import Warm
from agents.settings import Settings
from tests.live.bench import Bench
from tests.waiting import until

pytestmark = pytest.mark.live
ANSWER_S = 20
MINE, OTHERS, POSITION = 2, 0, 7
WHILE_S = 0.5
"""Long enough to find out what is not there to be waited for: that takes a hundredth of it."""


@dataclass
class Before:
    """A worker that had both partitions, and wrote in one transaction under the id of the one that is others' now."""

    settings: Settings
    settling: Settling
    bench: Bench
    producer: Producer
    member: Consumer

    def begin(self) -> None:
        self.producer.begin_transaction()
        self.write()
        self.give_position()

    def write(self) -> None:
        self.producer.produce(self.bench.changelog, b"state", b"key", MINE)

    def give_position(self) -> None:
        place = TopicPartition(self.bench.topics.reads, MINE, POSITION)
        self.producer.send_offsets_to_transaction([place], self.member.consumer_group_metadata(), ANSWER_S)

    def position(self) -> dict[int, int]:
        asking = onlooker(client_config(self.settings), self.bench.group)
        try:
            return committed(asking, self.bench.topics.reads, [MINE], ANSWER_S)
        finally:
            asking.close()


@pytest.fixture
def before(bench: Bench) -> Iterator[Before]:
    bench.make_topics()
    worker = bench.start().wait_ready()  # makes the changelog
    worker.stop()
    settings = Settings(kafka=bench.bootstrap)
    producer = Warm(settings).take("of-the-other")
    producer.init_transactions(ANSWER_S)
    member = Consumer({
        "bootstrap.servers": bench.bootstrap, "group.id": bench.group, "enable.auto.commit": False, "log_level": 2,
    })  # fmt: skip
    member.subscribe([bench.topics.reads])
    until(lambda: member.poll(0.1) or member.assignment(), what="a member of the group")
    yield Before(
        settings, Settling(settings, bench.group, bench.topics.reads, bench.changelog), bench, producer, member
    )
    member.close()


async def waits(before: Before) -> asyncio.Task[None]:
    """Somebody who takes the partition over meanwhile; not done with it as long as the transaction is open."""
    before.producer.flush(ANSWER_S)
    waiting = asyncio.get_running_loop().create_task(before.settling.until_over([MINE]))
    await asyncio.wait([waiting], timeout=WHILE_S)
    assert not waiting.done(), waiting
    return waiting


async def test_nothing_open_is_nothing_to_wait_for(before: Before) -> None:
    await asyncio.wait_for(before.settling.until_over([MINE, OTHERS]), ANSWER_S)


async def test_what_is_open_is_waited_for_and_its_position_is_final_when_it_commits(before: Before) -> None:
    before.begin()
    waiting = await waits(before)
    before.producer.commit_transaction(ANSWER_S)
    await asyncio.wait_for(waiting, ANSWER_S)
    assert before.position() == {MINE: POSITION}


async def test_who_has_the_id_now_ends_it_and_nothing_of_it_is_there(before: Before) -> None:
    before.begin()
    waiting = await waits(before)
    Warm(before.settings).take("of-the-other").init_transactions(ANSWER_S)
    await asyncio.wait_for(waiting, ANSWER_S)
    assert before.position() == {}
    with pytest.raises(KafkaException, match="fenced"):
        before.producer.commit_transaction(ANSWER_S)


@pytest.mark.parametrize("part", [Before.write, Before.give_position])
async def test_states_alone_are_waited_for_and_so_is_a_position(before: Before, part: Callable[..., None]) -> None:
    before.producer.begin_transaction()
    part(before)
    waiting = await waits(before)
    before.producer.abort_transaction(ANSWER_S)
    await asyncio.wait_for(waiting, ANSWER_S)


async def test_what_nobody_ends_is_not_waited_for_for_ever(before: Before, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "HANGING_S", 0.0)
    monkeypatch.setattr(settling, "BEYOND_S", 0.0)
    bench = before.bench
    impatient = Settings(kafka=bench.bootstrap, transaction_timeout=5)
    before.begin()
    before.producer.flush(ANSWER_S)
    with pytest.raises((TimeoutError, KafkaException)):
        await Settling(impatient, bench.group, bench.topics.reads, bench.changelog).until_over([MINE])
    before.producer.abort_transaction(ANSWER_S)
