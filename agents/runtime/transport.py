"""Faust's transport, delivering slices: one message per run of records of a partition instead of one per record."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aiokafka.consumer import fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage
from msgspec import Struct

IDLE_S = 0.02
ROUND_S = 0.2
FULL_S = 1.0
SLICES_EACH = 2
QUIET_WAIT_MS = 100
"""How long a broker may hold a fetch when the last round brought nothing; it is answered at the first record then.

A worker of 144 quiet partitions had a seventh of a core to do for asking for them fifty times a second.
"""


class Fetched(Struct, gc=False):
    """A record as aiokafka gives it, field by field: its own is a dataclass, which takes six times as long to make.

    To unpack a record then takes 0.9 us of CPU instead of 1.4, in commands and in recovery.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    headers: tuple[tuple[str, bytes], ...]


fetcher.ConsumerRecord = Fetched


class Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # faust ships no types
    """The thread of aiokafka's consumer, with a consumer that reads committed records only."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for these; the consumer reads them when it starts, which is later
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # noqa: SLF001
        consumer._fetch_min_bytes = self.app.fetch_least_bytes  # noqa: SLF001
        return consumer

    def hold(self, wait_ms: int, least_bytes: int) -> None:
        """Have brokers hold the coming fetches so long for which there is less than that."""
        fetcher = self._consumer._fetcher  # noqa: SLF001 - as above; it reads them for each fetch
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = wait_ms, least_bytes  # noqa: SLF001

    def consumed(self, tp: TP) -> int | None:
        """Return the next offset to be fetched, past transaction markers; None while unknown."""
        subscription = self._consumer._subscription.subscription  # noqa: SLF001 - aiokafka's own `position` waits
        if subscription is None or subscription.assignment is None:
            return None
        if tp not in subscription.assignment.tps:
            return None
        position: int | None = subscription.assignment.state_value(tp)._position  # noqa: SLF001 - its property asserts
        return position

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Seek every source partition to what is committed of it, one of which nothing is to its beginning."""
        found: Mapping[TP, int | None] = await self.call_thread(self._seek_all)
        return found

    async def _seek_all(self) -> Mapping[TP, int | None]:
        """Do so within one assignment, or not at all: another's are sought when it comes.

        aiokafka's own leaves a partition of which nothing is committed where it is, and what had been fetched of it and
        not handed over would be skipped; and it may seek in an assignment that came while it asked for the last one.
        """
        subscription = self._consumer._subscription.subscription  # noqa: SLF001 - as above
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        tps = [tp for tp in assignment.tps if tp.topic not in self.app.tables.changelog_topics]
        committed = {tp: await self._consumer.committed(tp) for tp in tps}
        if not assignment.active:
            return {}
        for tp, offset in committed.items():
            if offset:
                self._consumer.seek(tp, offset)
        if fresh := [tp for tp, offset in committed.items() if not offset]:
            await self._consumer.seek_to_beginning(*fresh)
        return committed

    async def refresh(self) -> None:
        """Ask anew which topics there are: aiokafka joins again when it finds that its own have other partitions."""
        await self.call_thread(self._consumer._client.force_metadata_update)  # noqa: SLF001 - as above

    def membership(self) -> tuple[int, str]:
        """Return the generation of the group and this member's id, which fence a transaction."""
        coordinator = self._consumer._coordinator  # noqa: SLF001 - aiokafka shows them nowhere else
        return coordinator.generation, coordinator.member_id


class Consumer(driver.Consumer):  # type: ignore[misc]  # faust ships no types
    """Delivers `Message(value=[ConsumerRecord, ...], offset=offset of the last)`.

    What is handed over and not acknowledged is counted per topic; a topic that has its fill is not fetched, the others
    are: a slow gateway behind a sender never holds back a lane.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.positions: dict[TP, int] = {}
        """Next offset of each partition; everything before has been handed over, or is a marker."""
        self._delivered: dict[TP, deque[int]] = defaultdict(deque)
        self._slurped: dict[TP, int] = {}
        self._in_hand: dict[str, set[Any]] = defaultdict(set)
        """By topic, the messages handed over and not acknowledged."""
        self._room = asyncio.Event()
        self._quiet = False

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Do nothing: `nivaran topics apply` makes topics, the start makes changelogs, nobody makes one by accident."""

    # fetching

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        await self._wait_for_room()
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        full = self._full()
        # a copy: a fetch may outlive a rebalance, and Faust's set is live
        active = {tp for tp in self._get_active_partitions() if tp.topic not in full}
        generation = self.app.consumer_generation_id
        fetched = await self._getmany(active, timeout)
        self._hush(not fetched and bool(active) and not (self.app.rebalancing or self.app.in_recovery))
        if fetched is None or self.should_stop or not (self.flow_active or fetched):
            return
        reached = {tp: offset for tp in active if (offset := self._thread.consumed(tp)) is not None}
        for tp, records in self._slices(fetched):
            if not self.flow_active or generation != self.app.consumer_generation_id:
                await self._put_back(fetched)
                return
            yield tp, self._message(tp, records[-1].offset, records[-1].timestamp, records)
        if generation != self.app.consumer_generation_id:
            return
        self.positions.update(reached)
        if self.app.in_recovery:
            for tp, offset in self._markers(reached):
                yield tp, self._message(tp, offset, 0, [])

    def _hush(self, quiet: bool) -> None:
        if quiet != self._quiet:
            self._quiet = quiet
            self._thread.hold(*((QUIET_WAIT_MS, 1) if quiet else (self.app.fetch_wait_ms, self.app.fetch_least_bytes)))

    async def _wait_for_room(self) -> None:
        # Faust's own back-pressure sleeps a whole second once every partition is full
        while self.flow_active and not self.should_stop:
            full, active = self._full(), self._get_active_partitions()
            if not full or not active or any(tp.topic not in full for tp in active):
                return
            self._room.clear()
            await self.wait_first(self._room.wait(), self.suspend_flow.wait(), timeout=FULL_S)

    def _full(self) -> set[str]:
        """Topics of which as much is in hand as may be: two slices a partition at least, lest turns be small."""
        full = {topic for topic, slices in self._in_hand.items() if len(slices) >= self.app.most_in_flight}
        if not full:
            return full
        mine = Counter(tp.topic for tp in self.assignment())
        return {topic for topic in full if len(self._in_hand[topic]) >= SLICES_EACH * mine[topic]}

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        if self.app.rebalancing:
            # Faust resumes the source partitions before it has sought them to the committed offsets: what is fetched
            # in between would be folded twice
            active_partitions = {tp for tp in active_partitions if self._is_changelog_tp(tp)}
        if not active_partitions:  # Faust would sleep a whole second
            await self.sleep(IDLE_S)
            return {}
        return await super()._getmany(active_partitions, min(timeout, ROUND_S))

    def _slices(self, fetched: Mapping[TP, list[Any]]) -> Iterable[tuple[TP, list[Any]]]:
        for tp, records in fetched.items():
            size = self.app.slice_size(tp.topic)
            for first in range(0, len(records), size):
                yield tp, records[first : first + size]

    def _markers(self, reached: Mapping[TP, int]) -> Iterable[tuple[TP, int]]:
        """Name the changelogs that end in transaction markers or compacted records, and where.

        Nothing of these is ever delivered, and recovery would wait for it for ever.
        """
        recovery = self.app.tables.recovery
        for tp in recovery.active_tps & reached.keys():
            last = reached[tp] - 1
            seen = recovery.active_offsets.get(tp)
            if last > max(self._slurped.get(tp, -1), -1 if seen is None else seen):
                self._slurped[tp] = last
                yield tp, last

    async def _put_back(self, tps: Iterable[TP]) -> None:
        """Move positions back to what was handed over: dropping what was fetched would leave a hole.

        Replaying a changelog changes nothing, and lanes skip what they have folded.
        """
        mine = set(tps) & self.assignment()
        for tp in mine:
            if self._is_changelog_tp(tp):
                self._slurped.pop(tp, None)
                self._thread.seek(tp, max(self.app.tables.recovery.active_offsets.get(tp) or 0, 0))
        if not self.app.rebalancing and any(not self._is_changelog_tp(tp) for tp in mine):
            await self.perform_seek()

    def _message(self, tp: TP, offset: int, timestamp: int, records: list[Any]) -> Any:
        message = ConsumerMessage(
            tp.topic, tp.partition, offset, timestamp / 1000, 0, None, None, records, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        if not self._is_changelog_tp(tp):
            self._delivered[tp].append(offset)
            self._in_hand[tp.topic].add(message)
        return message

    # acknowledging: by the last offset of a slice; order of delivery replaces Faust's arithmetic of gaps, which commits
    # past what is unprocessed

    @property
    def in_flight(self) -> int:
        """Slices handed over and not acknowledged."""
        return sum(map(len, self._in_hand.values()))

    def idle_at(self, tp: TP) -> int | None:
        """Return the next offset of a partition with nothing of its topic in hand, past markers; else None."""
        return None if self._in_hand[tp.topic] else self.positions.get(tp)

    def ack(self, message: Any) -> bool:
        in_hand = self._in_hand[message.tp.topic]
        if message.generation_id != self.app.consumer_generation_id or message not in in_hand:
            message.acked = True
            return False  # delivered again, to us after a seek or to whoever owns the partition now
        in_hand.remove(message)
        self._room.set()
        return bool(super().ack(message))

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: see above."""

    def _new_offset(self, tp: TP) -> int | None:
        acked, delivered, last = self._acked_index[tp], self._delivered[tp], None
        while delivered and delivered[0] in acked:
            last = delivered.popleft()
            acked.discard(last)
        if last is None:
            return None
        self._acked[tp][:] = [offset for offset in self._acked[tp] if offset > last]
        return last + 1

    async def refresh(self) -> None:
        """See `Thread.refresh`."""
        await self._thread.refresh()

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._forget()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # the parent forgets what is acknowledged before anybody could commit it
        self.stop_flow()
        await self.app.give_back()
        await super().on_partitions_revoked(revoked)
        self._slurped.clear()
        self.positions.clear()

    def _forget(self) -> None:
        for books in (self._in_hand, self._delivered, self._acked, self._acked_index):
            books.clear()
        self._room.set()


class Transport(driver.Transport):  # type: ignore[misc]  # faust ships no types
    """`slices://host:port`."""

    Consumer = Consumer
