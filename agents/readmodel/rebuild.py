"""Makes the read model from the log: from where it stands to the end, or anew beside the first; and compares two."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from agents.readmodel.folding import TOPICS
from agents.readmodel.keys import LONGEST_FEED, WINDOWS_KEPT, Keys
from agents.readmodel.model import ReadModel
from agents.runtime.ports import Slice, Stored

if TYPE_CHECKING:
    from redis.asyncio import Redis

SLICE: Final = 2000
POLL_S: Final = 0.1
ANSWER_S: Final = 15.0
Place = tuple[str, int]


class OtherLogError(RuntimeError):
    """What Redis holds was made from another log than the one there is now."""


async def catch_up(model: ReadModel, kafka: str, other: ReadModel | None = None) -> dict[Place, int]:
    """Apply what the log has beyond the positions in Redis; answers the positions reached.

    Where Redis has lost everything this makes it all anew. With `other` it goes as far as that one is, no further.
    Raises OtherLogError, redis' errors and KafkaException.
    """
    reached: dict[Place, int] = {}
    consumer = await asyncio.to_thread(_consumer, kafka)
    try:
        cluster, ends = await asyncio.to_thread(_log, consumer)
        if not await model.of(cluster):
            raise OtherLogError("shown is the log of another Kafka cluster")
        for place, end in ends.items():
            reached[place] = position = await model.position(*place)
            if position > end:
                raise OtherLogError(f"{place[0]}/{place[1]}: shown up to {position}, the log ends at {end}")
        limits = ends if other is None else {place: await other.position(*place) for place in ends}
        left = [place for place in ends if reached[place] < limits[place]]
        consumer.assign([TopicPartition(*place, reached[place]) for place in left])
        async for part in _slices(consumer, limits, set(left)):
            reached[part.topic, part.partition] = await model.apply(part)
    finally:
        await asyncio.to_thread(consumer.close)
    return reached


def _consumer(kafka: str) -> Consumer:
    return Consumer({
        "bootstrap.servers": kafka,
        "group.id": "nivaran-board-catch-up",  # the client demands one; nothing is committed and nothing joined
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",  # a position that retention has passed
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "log_level": 3,
    })  # fmt: skip


def _log(consumer: Consumer) -> tuple[str, dict[Place, int]]:
    """The cluster's id, and the end of each partition the board reads."""
    cluster = consumer.list_topics(timeout=ANSWER_S)
    places = [
        (topic, partition)
        for topic in TOPICS
        if topic in cluster.topics
        for partition in sorted(cluster.topics[topic].partitions)
    ]
    ends = {place: consumer.get_watermark_offsets(TopicPartition(*place), ANSWER_S)[1] for place in places}
    return str(cluster.cluster_id), ends


async def _slices(consumer: Consumer, limits: Mapping[Place, int], left: set[Place]) -> AsyncIterator[Slice]:
    """Everything before each partition's limit, or its end where that comes first."""
    while left:
        messages = await asyncio.to_thread(consumer.consume, SLICE, POLL_S)
        for message in messages:
            fault = message.error()
            if fault is not None and fault.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                raise KafkaException(fault)
            place, offset = _place(message), message.offset()
            if fault is not None or (offset is not None and offset + 1 >= limits[place]):
                left.discard(place)
        for part in _parts(messages, limits):
            yield part


def _place(message: Message) -> Place:
    topic, partition = message.topic(), message.partition()
    assert topic is not None
    assert partition is not None
    return topic, partition


def _parts(messages: Sequence[Message], limits: Mapping[Place, int]) -> Iterator[Slice]:
    stored = (_stored(each) for each in messages if each.error() is None)
    records = sorted((each for each in stored if each.offset < limits[each[:2]]), key=lambda each: each[:3])
    for (topic, partition), part in groupby(records, key=lambda each: each[:2]):
        yield Slice(topic, partition, list(part))


def _stored(message: Message) -> Stored:
    offset = message.offset()
    assert offset is not None
    return Stored(*_place(message), offset, message.timestamp()[1], message.key(), message.value())


async def rebuild(redis: "Redis", kafka: str, prefix: str) -> ReadModel:
    """Make a read model under a fresh prefix; what stood under it is dropped first."""
    await drop(redis, prefix)
    model = ReadModel(redis, prefix)
    await catch_up(model, kafka)
    return model


async def drop(redis: "Redis", prefix: str) -> None:
    """Remove a read model."""
    batch: list[Any] = []
    async for key in redis.scan_iter(match=f"{prefix}:*", count=1000):
        batch.append(key)
        if len(batch) == SLICE:
            await redis.unlink(*batch)
            batch.clear()
    if batch:
        await redis.unlink(*batch)


async def compare(redis: "Redis", left: str, right: str) -> list[str]:
    """Keys (without prefix) whose content differs between two read models, sorted; empty when they are equal.

    Expiries and the ids of feed entries do not count, nor windows past those that are kept, nor whose log it was.
    """
    contents = [await everything(redis, Keys(prefix)) for prefix in (left, right)]
    names = set(contents[0]) | set(contents[1])
    return sorted(name for name in names if contents[0].get(name) != contents[1].get(name))


async def everything(redis: Any, keys: Keys) -> dict[str, object]:
    """Key without prefix -> content, in a form that two read models of the same log share."""
    found: dict[str, object] = {}
    names = [key.decode() async for key in redis.scan_iter(match=f"{keys.prefix}:*", count=SLICE)]
    apart = (f"{keys.prefix}:window:", f"{keys.prefix}:windows:", keys.log())
    single = [name for name in names if not name.startswith(apart)]
    for start in range(0, len(single), SLICE):
        found.update(await _read(redis, single[start : start + SLICE]))
    for series in (name for name in names if name.startswith(f"{keys.prefix}:windows:")):
        found.update(await _windows(redis, keys, series))
    return {name.removeprefix(f"{keys.prefix}:"): content for name, content in found.items() if content}


async def _read(redis: Any, names: Sequence[str]) -> dict[str, object]:
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.type(name)
        kinds = [kind.decode() for kind in await pipe.execute()]
        present = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind in READERS]
        for name, kind in present:
            READERS[kind](pipe, name)
        contents = await pipe.execute()
    return {name: _content(kind, raw) for (name, kind), raw in zip(present, contents, strict=True)}


async def _windows(redis: Any, keys: Keys, series: str) -> dict[str, object]:
    system, _, grain = series.removeprefix(f"{keys.prefix}:windows:").rpartition(":")
    kept = next(count for each, count in WINDOWS_KEPT.items() if each == grain)
    starts = [start.decode() for start in await redis.zrange(series, -kept, -1)]
    return await _read(redis, [f"{keys.prefix}:window:{system}:{grain}:{start}" for start in starts])


READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "string": lambda pipe, key: pipe.get(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
    "set": lambda pipe, key: pipe.smembers(key),
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "stream": lambda pipe, key: pipe.xrange(key),
}


def _content(kind: str, raw: Any) -> object:
    if kind == "hash":
        # a counter that came back to zero is there or not, as slices fell
        return {field: value for field, value in raw.items() if value != b"0"}
    if kind != "stream":
        return raw
    # a full feed has dropped what came first, and that differs with the order of partitions
    return sorted(tuple(sorted(entry.items())) for _, entry in raw) if len(raw) < LONGEST_FEED else LONGEST_FEED
