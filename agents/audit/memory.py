"""The logs of an in-memory run, as an audit reads them."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec

from agents.audit.log import Entry
from schemas.codec import TYPE_PREFIX, Headers, encode, tag
from schemas.registry import dead_letters
from streams.driver import Driver, Written
from streams.stage import Origin, Refused, Stage, Step

_state = msgspec.msgpack.Encoder().encode


class MemoryLog:
    """Keeps what a driver writes. Give the driver `stages` and `on_write`, then set `driver`."""

    driver: Driver

    def __init__(self, stages: Iterable[Stage[Any]]) -> None:
        self.stages = tuple(dataclasses.replace(stage, step=self._noting(stage)) for stage in stages)
        self.entries: defaultdict[str, list[Entry]] = defaultdict(list)
        self._causes: dict[int, Headers] = {}

    def on_write(self, topic: str, written: Written) -> None:
        """Keep a record with the headers a worker would have given it."""
        headers = [*self._causes.pop(id(written.value), []), ("ce_type", (TYPE_PREFIX + tag(written.value)).encode())]
        origin = written.origin
        key, value = written.key.encode(), encode(written.value)
        entry = Entry(topic, origin.partition, origin.offset, origin.at, key, value, lambda: headers)
        self.entries[topic].append(entry)

    def read(self, *topics: str) -> Iterator[Entry]:
        return chain.from_iterable(self.entries.get(topic, ()) for topic in topics)

    def topics(self) -> frozenset[str]:
        return frozenset(self.entries)

    def done(self, stage: str) -> Mapping[int, int] | None:  # noqa: ARG002 - the log's interface
        return None

    def states(self, stage: str) -> Iterator[tuple[bytes, bytes | None]]:
        return ((key.encode(), _state(state)) for key, state in self.driver.state[stage].items())

    def now(self) -> int:
        return self.driver.now

    def _noting(self, stage: Stage[Any]) -> Any:
        """The stage's step, which leaves word of each output's cause; the driver writes every output once."""
        source = ("ce_source", f"/nivaran/{stage.name}".encode())

        def step(state: Any, record: Any, origin: Origin) -> Step[Any]:
            done = stage.step(state, record, origin)
            for index, output in enumerate(done.outputs):
                event = f"{origin.topic}-{origin.partition}-{origin.offset}-{index}"
                self._causes[id(output.value)] = [source, ("ce_id", event.encode())]
            if done.refused is not None:
                self._bury(origin, done.refused)
            return done

        return step

    def _bury(self, origin: Origin, refused: Refused) -> None:
        letter = self.entries[origin.topic][origin.offset]
        place = [
            ("x-dlq-original-topic", origin.topic.encode()),
            ("x-dlq-original-partition", str(origin.partition).encode()),
            ("x-dlq-original-offset", str(origin.offset).encode()),
            ("x-dlq-error-class", refused.error.encode()),
        ]
        topic = dead_letters(origin.topic)
        offset = len(self.entries[topic])
        headers = [*letter.headers, *place]
        self.entries[topic].append(letter._replace(topic=topic, offset=offset, told=lambda: headers))
