"""One subscription's reader: its own consumer group, a lane per partition; a slow endpoint holds up no other."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from agents.runtime.ports import Stored
from agents.runtime.producers import client_config
from agents.settings import Settings
from agents.webhooks.calling import Pace
from agents.webhooks.lane import ROOM, Calls, Lane, Letters, now_ms
from agents.webhooks.letters import group_of
from agents.webhooks.meters import Meters
from agents.webhooks.progress import Note, Position, gone_mark, read, written
from agents.webhooks.subscriptions import Subscriber

T = TypeVar("T")
POLL_S: Final = 0.2
"""Also how long what was delivered waits for its commit: a kill repeats at most that."""
ANSWER_S: Final = 20.0
GRACE_S: Final = 2.0
"""Beyond the endpoint's own time-out, for the lane to end."""
# the client's own names begin with an underscore
PASSING: Final = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE,  # noqa: SLF001
})  # fmt: skip
"""A broker that is away for a moment; the client goes on trying."""
NOT_OURS: Final = frozenset({
    KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001
})  # fmt: skip
"""The partitions are another's, or about to be, who calls some records again under the same ids."""

log = logging.getLogger("nivaran.webhooks")
Partition = tuple[str, int]


class Running(NamedTuple):
    """A lane and its task."""

    lane: Lane
    task: asyncio.Task[None]


class Feed:
    """All calls of Kafka's client are made in one thread; what lanes have reached is committed between two polls."""

    def __init__(
        self,
        subscriber: Subscriber,
        settings: Settings,
        calls: Calls,
        letters: Letters,
        meters: Meters,
        pace: Pace,
        stop: asyncio.Event,
    ) -> None:
        self._subscriber, self._subscription = subscriber, subscriber.subscription
        self._calls, self._letters, self._meters, self._pace, self._stop = calls, letters, meters, pace, stop
        self._room = asyncio.Semaphore(self._subscription.parallel)
        self._lanes: dict[Partition, Running] = {}
        self._committed: dict[Partition, Position] = {}
        self._paused: set[Partition] = set()
        self._mark = gone_mark(self._subscription)
        self.gone = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"webhooks-{self._subscription.name}")
        self._loop = asyncio.get_running_loop()
        self._consumer = Consumer({
            **client_config(settings),
            "group.id": group_of(settings.group_prefix, self._subscription.name),
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": int(settings.session_timeout * 1000),
        })  # fmt: skip
        self.ready = False

    async def run(self) -> None:
        """Until told to stop. Raises KafkaException or TimeoutError for what Kafka has refused or not answered."""
        try:
            topics = list(self._subscription.topics)
            await self._in_thread(self._consumer.subscribe, topics, self._assigned, self._revoked)
            while not self._stop.is_set() and not self.gone:
                await self._turn()
        finally:
            self.ready = False
            await self._in_thread(self._consumer.close)  # takes the partitions away, which commits
            self._thread.shutdown(wait=False)
        if self.gone:
            log.warning("%s: answered 410; nothing is sent until its revision is raised", self._subscription.name)
            await self._stop.wait()

    async def _turn(self) -> None:
        records = await self._in_thread(self._poll)
        for record in records:
            running = self._lanes.get((record.topic, record.partition))
            if running is not None:
                running.lane.put(record)
        for running in list(self._lanes.values()):
            if running.task.done():
                running.task.result()  # what a lane could not put aside ends the process
                self.gone |= running.lane.gone
        since = [at for running in self._lanes.values() if (at := running.lane.tried_since) is not None]
        tried_s = max(0, now_ms() - min(since)) / 1000 if since else 0.0
        self._meters.state(self._subscription, tried_s=tried_s, gone=self.gone)

    # in the client's thread

    def _poll(self) -> list[Stored]:
        self._commit()
        full = {each for each, running in self._lanes.items() if running.lane.full}
        if more := full - self._paused:
            self._consumer.pause([TopicPartition(*each) for each in more])
        if less := (self._paused & self._lanes.keys()) - full:
            self._consumer.resume([TopicPartition(*each) for each in less])
        self._paused = full
        return [_record(each) for each in self._consumer.consume(ROOM, POLL_S) if _whole(each)]

    def _commit(self) -> None:
        changed = {
            each: running.lane.position
            for each, running in self._lanes.items()
            if running.lane.position != self._committed.get(each)
        }
        if changed and self._noted(changed):
            self._committed.update(changed)

    def _noted(self, reached: dict[Partition, Position]) -> bool:
        try:
            self._consumer.commit(offsets=[_place(*each) for each in reached.items()], asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in NOT_OURS:
                raise
            log.info("%s: positions were not taken (%s)", self._subscription.name, error.args[0].name())
            return False
        return True

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = [self._begin(each) for each in consumer.committed(partitions, ANSWER_S)]
        consumer.assign([_place(*each) for each in places])
        self._paused.clear()
        self.gone |= any(position.note.gone == self._mark for _, position in places)
        if not self.gone:  # else what is polled finds no lane
            self._in_loop(self._open, dict(places))
        self.ready = True

    def _begin(self, committed: TopicPartition) -> tuple[Partition, Position]:
        if committed.error is not None:
            raise KafkaException(committed.error)
        where = (committed.topic, committed.partition)
        if committed.offset >= 0:
            self._committed[where] = position = Position(committed.offset, read(committed.metadata))
            return where, position
        # a new subscription's place is committed with the next turn: then nothing that comes while it is away is missed
        first, next_ = self._consumer.get_watermark_offsets(TopicPartition(*where), ANSWER_S)
        self._committed.pop(where, None)
        return where, Position(first if self._subscription.begin == "beginning" else next_)

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        self.ready = False
        reached: dict[Partition, Position] = self._in_loop(self._close)
        changed = {each: at for each, at in reached.items() if at != self._committed.get(each)}
        self._committed.clear()
        if changed:
            self._noted(changed)

    # in the event loop

    async def _open(self, places: dict[Partition, Position]) -> None:
        for where, begin in places.items():
            lane = Lane(
                self._subscriber, self._calls, self._letters, self._meters, self._room, self._pace,
                Position(begin.offset, Note(begin.note.trying)),
            )  # fmt: skip
            self._lanes[where] = Running(lane, asyncio.create_task(lane.run(), name=f"{where[0]}-{where[1]}"))

    async def _close(self) -> dict[Partition, Position]:
        """End all lanes, each after the call it has in hand; answers what they have reached."""
        running, self._lanes = self._lanes, {}
        for each in running.values():
            each.lane.close()
        tasks = [each.task for each in running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._subscription.timeout + GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.gone |= any(each.lane.gone for each in running.values())
        reached = {where: each.lane.position for where, each in running.items()}
        if self.gone:
            return {where: Position(at.offset, Note(at.note.trying, self._mark)) for where, at in reached.items()}
        return reached

    def _in_loop(self, function: Callable[..., Any], *args: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(function(*args), self._loop).result()

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await self._loop.run_in_executor(self._thread, function, *args)


def _place(where: Partition, at: Position) -> TopicPartition:
    return TopicPartition(*where, at.offset, written(at.note))


def _whole(message: Any) -> bool:
    """Whether it is a record; raises KafkaException for a fault that does not pass."""
    fault = message.error()
    if fault is not None and fault.code() not in PASSING:
        raise KafkaException(fault)
    return fault is None


def _record(message: Any) -> Stored:
    headers = [(name, value or b"") for name, value in message.headers() or []]
    _, timestamp = message.timestamp()
    return Stored(
        message.topic(), message.partition(), message.offset(), timestamp, message.key(), message.value(), headers
    )
