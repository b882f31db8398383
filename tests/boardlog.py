"""A log for the board: every story run in memory, its facts as slices of partitions."""

import random
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from agents.readmodel.folding import TOPICS
from agents.readmodel.rebuild import Stored
from agents.runtime.ports import Slice
from schemas.codec import encode
from streams.driver import Driver
from streams.stage import Stage
from streams.topology import STAGES
from tests.story import Story, stories

READABLE = {stage.reads: msgspec.json.Decoder(stage.records).decode for stage in STAGES}


def story_driver(told: Sequence[Story] | None = None, stages: Sequence[Stage[Any]] = STAGES) -> Driver:
    """The stories one after another in one driver; what no stage can read is left out."""
    driver = Driver(stages)
    steps = [each for story in told or stories() for each in story.inputs()]
    for step in sorted(steps, key=lambda each: each.at):
        driver.advance(step.at)
        try:
            record = READABLE[step.topic](step.value)
        except msgspec.ValidationError:
            continue
        driver.send(step.topic, step.key, record)
    driver.advance(max(story.end for story in told or stories()))
    return driver


def partitioned(driver: Driver, partitions: int = 3) -> dict[tuple[str, int], list[Stored]]:
    """The log of the topics the board reads; offsets have gaps, as transaction markers leave them."""
    parts: dict[tuple[str, int], list[Stored]] = defaultdict(list)
    for topic in TOPICS:
        for written in driver.log[topic]:
            key = written.key.encode()
            partition = zlib.crc32(key) % partitions
            part = parts[topic, partition]
            offset = part[-1].offset + 1 + (len(part) % 4 == 3) if part else 0
            part.append(Stored(topic, partition, offset, written.origin.at, key, encode(written.value)))
    return parts


def slices(parts: dict[tuple[str, int], list[Stored]], seed: int, most: int = 40) -> Iterator[Slice]:
    """All of it in slices of any size, partitions mixed, each partition in order."""
    draw = random.Random(seed)
    left = {place: list(records) for place, records in parts.items() if records}
    while left:
        place = draw.choice(sorted(left))
        size = draw.randint(1, most)
        yield Slice(*place, left[place][:size])
        left[place] = left[place][size:]
        if not left[place]:
            del left[place]


def values(driver: Driver, topic: str) -> Iterable[Any]:
    return (each.value for each in driver.log[topic])
