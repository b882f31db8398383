"""The job on Quix Streams: its state store, its changelog, its exactly-once transactions, its way of sending.

What it does not do: no timer per key, so a due instant is in the state and nothing wakes it; no dead letters; one
output topic per record is chosen by a callback. It gets the stage's own codec and decisions.
"""

import sys
from typing import Any, Final, NamedTuple

import msgspec
from quixstreams import Application, message_context
from quixstreams.models import Serializer
from quixstreams.state import State

from agents.runtime.envelope import Stamp
from agents.settings import Settings, load
from schemas.codec import Headers, decoder, encode
from streams.case.stage import CASE
from streams.case.state import Case
from streams.stage import Origin

STATE: Final = "case"


class Out(NamedTuple):
    """An output on its way to its topic."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Body(Serializer):  # type: ignore[misc]  # not installed where types are checked
    """The value of an output, encoded already."""

    def __call__(self, value: Out, ctx: Any) -> bytes:  # noqa: ARG002 - the port's signature
        return value.value


class Fold:
    """Decides with the stage; answers what it writes."""

    def __init__(self) -> None:
        self._decode, self._stamp = decoder(CASE.records), Stamp(CASE.name)
        self._loads, self._dumps = msgspec.msgpack.Decoder(Case).decode, msgspec.msgpack.Encoder().encode

    def __call__(self, value: bytes, key: bytes, timestamp: int, headers: Any, state: State) -> list[Out]:  # noqa: ARG002 - the port's signature
        at, stored = message_context(), state.get_bytes(STATE)
        before = None if stored is None else self._loads(stored)
        origin = Origin(CASE.reads, at.partition, at.offset, timestamp)
        after, outputs, _ = CASE.step(before, self._decode(value), origin)
        if after is None:
            state.delete(STATE)
        elif after is not before:
            state.set_bytes(STATE, self._dumps(after))
        found = []
        for index, made in enumerate(outputs):
            name, event_id = made.key.encode(), f"{CASE.reads}-{at.partition}-{at.offset}-{index}".encode()
            found.append(
                Out(made.topic, name, encode(made.value), self._stamp(made.value, event_id, name, made.at, None))
            )
        return found


def main(group: str, folder: str) -> None:
    app = Application(
        load(Settings).kafka,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=folder,
        loglevel="WARNING",
        producer_extra_config={"compression.type": "lz4"},
    )
    read = app.topic(CASE.reads, key_deserializer="bytes", value_deserializer="bytes")
    written = {name: app.topic(name, key_serializer="bytes", value_serializer=Body()) for name in CASE.writes}
    outputs = app.dataframe(read).apply(Fold(), stateful=True, metadata=True).apply(lambda all_: all_, expand=True)
    outputs = outputs.set_headers(lambda out, *_: out.headers)
    outputs.to_topic(lambda out, *_: written[out.topic], key=lambda out: out.key)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
