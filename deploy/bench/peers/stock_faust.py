"""The job on Faust as its documentation shows it: an agent, a table written per record, a send per output.

What it does not do: no transactions, so a crash repeats outputs and may part them from the state; no timer per key. It
gets the stage's own codec and decisions: `faust.Record` has no unions, and its codec costs ten times as much.
"""

import sys
from typing import Any

import faust
import msgspec

from agents.runtime.envelope import Stamp
from agents.settings import Settings, load
from schemas.codec import decoder, encode
from streams.case.stage import CASE
from streams.case.state import Case
from streams.stage import Origin


def made(group: str, folder: str, settings: Settings) -> Any:
    """The application; its table is `cases`."""
    app = faust.App(
        group,
        broker=f"kafka://{settings.kafka}",
        topic_partitions=settings.partitions,
        topic_replication_factor=1,
        producer_compression_type="lz4",
        web_enabled=False,
        datadir=folder,
    )
    types = {"key_type": bytes, "value_type": bytes}
    raw = {**types, "key_serializer": "raw", "value_serializer": "raw"}
    read = app.topic(CASE.reads, **raw)
    written = {name: app.topic(name, **raw) for name in CASE.writes}
    table = app.Table("cases", partitions=settings.partitions, **types)
    decode, stamp = decoder(CASE.records), Stamp(CASE.name)
    loads, dumps = msgspec.msgpack.Decoder(Case).decode, msgspec.msgpack.Encoder().encode

    @app.agent(read)  # type: ignore[untyped-decorator]  # faust ships no types
    async def fold(stream: Any) -> None:
        async for event in stream.events():
            message, key = event.message, event.key
            stored = table.get(key)
            before = None if stored is None else loads(stored)
            origin = Origin(CASE.reads, message.partition, message.offset, round(message.timestamp * 1000))
            after, outputs, _ = CASE.step(before, decode(event.value), origin)
            if after is None:
                table.pop(key, None)
            elif after is not before:
                table[key] = dumps(after)
            for index, made in enumerate(outputs):
                name, event_id = (
                    made.key.encode(),
                    f"{CASE.reads}-{message.partition}-{message.offset}-{index}".encode(),
                )
                headers = dict(stamp(made.value, event_id, name, made.at, None))
                await written[made.topic].send(
                    key=name, value=encode(made.value), headers=headers, timestamp=message.timestamp
                )

    return app


if __name__ == "__main__":
    group, folder = sys.argv[1:]
    faust.Worker(made(group, folder, load(Settings)), loglevel="WARNING").execute_from_commandline()
