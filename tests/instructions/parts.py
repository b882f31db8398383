"""Does each part of the case stage's work alone, in a child process of its own: where the instructions go.

The parent folds the fixed input once and keeps what every part is given: what is cached is there by then, but for the
headers' instants, which a worker too meets once.
"""

import dataclasses
import gc
import os
from typing import Any, Final, NamedTuple

import msgspec

from agents.runtime.envelope import Stamp
from agents.runtime.fold import Fold
from agents.runtime.ports import Stored
from schemas.base import Wake
from schemas.codec import decoder, encode, iso
from streams.case import notify, tally
from streams.case.project import project
from streams.case.stage import CASE
from streams.case.state import Case
from streams.case.turn import Turn
from streams.driver import Driver
from streams.stage import Origin, Step
from streams.topology import STAGES
from tests.instructions.fold import INPUT, lines

BATCH: Final = 500
PARTS: Final = {
    "read": "the command read and validated",
    "states": "states read and written (msgpack)",
    "step": "the stage's step, and of it:",
    "project": "&nbsp;&nbsp;records made of the facts, and of it:",
    "sms": "&nbsp;&nbsp;&nbsp;&nbsp;SMS filled",
    "counts": "&nbsp;&nbsp;&nbsp;&nbsp;counts for the SLA table",
    "headers": "headers and ids of outputs",
    "write": "outputs written (JSON)",
    "whole": "a worker's fold, all together",
}


class Done(NamedTuple):
    """One record's way through the stage; `facts` as they were decided, each with the case after it."""

    key: str
    record: Any
    value: bytes
    origin: Origin
    stored: bytes | None
    before: Case | None
    step: Step[Case]
    facts: list[Any]


class Parts:
    def __init__(self) -> None:
        self.all: list[Done] = []
        self._dumps = msgspec.msgpack.Encoder().encode
        self._loads = msgspec.msgpack.Decoder(Case).decode
        self._decode = decoder(CASE.records)
        self._keep()

    def _keep(self) -> None:
        told: list[Any] = []
        tell = Turn.tell

        def noting(turn: Turn, fact: Any) -> None:
            tell(turn, fact)
            told.append(turn.facts[-1])

        def step(before: Case | None, record: Any, origin: Origin) -> Step[Case]:
            told.clear()
            done = CASE.step(before, record, origin)
            stored = None if before is None else self._dumps(before)
            key = record.key if isinstance(record, Wake) else record.case
            self.all.append(Done(key, record, encode(record), origin, stored, before, done, told.copy()))
            return done

        Turn.tell = noting  # type: ignore[method-assign]
        stages = [dataclasses.replace(each, step=step) if each is CASE else each for each in STAGES]
        driver = Driver(stages, keep=lambda _: False)
        decoders: dict[str, Any] = {topic: decoder(stage.records) for topic, stage in driver.readers.items()}
        for line in lines(INPUT):
            driver.advance(line.at)
            driver.send(line.topic, line.key, decoders[line.topic](line.value))
        Turn.tell = tell  # type: ignore[method-assign]
        for each in self.all:
            for output in each.step.outputs:
                iso(output.at)  # its hours are kept; its instants are met once, by a worker as here

    def nothing(self) -> None:
        """What each of the others has beside its own."""

    def read(self) -> None:
        for each in self.all:
            self._decode(each.value)

    def states(self) -> None:
        for each in self.all:
            if each.stored is not None:
                self._loads(each.stored)
            if each.step.state is not None and each.step.state is not each.before:
                self._dumps(each.step.state)

    def step(self) -> None:
        for each in self.all:
            CASE.step(each.before, each.record, each.origin)

    def project(self) -> None:
        for each in self.all:
            project(each.facts)

    def sms(self) -> None:
        for each in self.all:
            for told in each.facts:
                notify.messages(*told)

    def counts(self) -> None:
        for each in self.all:
            list(tally.facts([fact for fact, _, _ in each.facts]))

    def headers(self) -> None:
        stamp = Stamp(CASE.name)
        for each in self.all:
            cause = each.origin.id
            for index, output in enumerate(each.step.outputs):
                stamp(output.value, f"{cause}-{index}".encode(), output.key.encode(), output.at, None)

    def write(self) -> None:
        for each in self.all:
            for output in each.step.outputs:
                encode(output.value)

    def whole(self) -> None:
        """As a worker folds: in batches, states as bytes."""
        fold, states = Fold(CASE, "case"), dict[bytes, bytes | None]()
        records = [Stored(*each.origin, each.key.encode(), each.value) for each in self.all]
        for first in range(0, len(records), BATCH):
            states.update(fold(0, records[first : first + BATCH], states.get, 0).changes)


def main() -> None:
    parts = Parts()
    gc.freeze()
    gc.disable()
    for name in ("nothing", *PARTS):
        child = os.fork()
        if child == 0:
            getattr(parts, name)()
            os._exit(0)
        os.waitpid(child, 0)
        print(child, name)
    print(os.getpid(), len(parts.all), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
