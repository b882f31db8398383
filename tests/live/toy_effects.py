"""A toy sink and a toy sender: what they are given goes to a file, so that a test sees every call, repeated or not.

`python -m tests.live.toy_effects PREFIX FILE` runs both in one worker: the sink on PREFIX.facts.v1, the sender on
PREFIX.orders.v1, its outcomes to PREFIX.outcomes.v1.
"""

import asyncio
import sys
from pathlib import Path

from agents.clock import Clock
from agents.runtime.exits import Exit
from agents.runtime.launch import run
from agents.runtime.ports import Slice
from agents.runtime.worker import Role, Worker
from agents.settings import Settings, load
from agents.telemetry.logs import set_up_log
from schemas.base import Record
from streams.stage import Origin, Output

CALL_S = 0.002


class Order(Record, frozen=True, tag="toy.order.v1"):
    number: int


class Outcome(Record, frozen=True, tag="toy.outcome.v1"):
    number: int
    at: int


class Ledger:
    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, *words: object) -> None:
        self._file.write(" ".join(map(str, words)) + "\n")


class FileSink:
    name = "file-sink"
    collectors = ()

    def __init__(self, prefix: str, ledger: Ledger) -> None:
        self.topics = (f"{prefix}.facts.v1",)
        self._ledger = ledger

    async def open(self) -> None:
        self._ledger.write("open")

    async def handle(self, records: Slice) -> None:
        for record in records.records:
            self._ledger.write("fact", record.partition, record.offset)
        await asyncio.sleep(CALL_S)

    async def close(self) -> None:
        self._ledger.write("close")


class FileSender:
    name = "file-sender"
    records = Order
    bound = 10
    collectors = ()

    def __init__(self, prefix: str, ledger: Ledger, clock: Clock) -> None:
        self.reads, self.writes = f"{prefix}.orders.v1", (f"{prefix}.outcomes.v1",)
        self._ledger, self._clock = ledger, clock

    async def open(self) -> None: ...

    async def send(self, key: str, record: Order, origin: Origin) -> Output:
        await asyncio.sleep(CALL_S)
        self._ledger.write("call", record.number, origin.id)
        at = self._clock.now()
        return Output(self.writes[0], key, Outcome(record.number, at), at)

    async def close(self) -> None: ...


def main(prefix: str, path: str) -> Exit:
    settings = load(Settings)
    set_up_log(settings.log_level, settings.log_format)
    ledger = Ledger(Path(path))
    role = Role(
        sinks=(lambda _, __: FileSink(prefix, ledger),),
        senders=(lambda _, clock: FileSender(prefix, ledger, clock),),
    )
    return run(Worker("effects", role, settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
