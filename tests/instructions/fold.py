"""Folds a fixed input through all stages, in a child process: what it executes beyond its parent is the fold alone.

The parent has read everything by then: modules, profiles, the input. Run it under a tool that counts a process's
instructions and writes down each process's sum.
"""

import gc
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from schemas.codec import decoder, encode
from streams.driver import Driver
from streams.profiles.load import profiles
from streams.topology import STAGES

INPUT: Final = Path(__file__).parent / "input.jsonl"
"""What reaches the topics from outside in weeks of a simulated helpline: made by `python -m tests.instructions`."""


class Line(NamedTuple):
    """A record from outside; `at` is UTC ms: when it is written."""

    at: int
    topic: str
    key: str
    value: msgspec.Raw


def lines(path: Path) -> list[Line]:
    read = msgspec.json.Decoder(Line).decode
    return [read(line) for line in path.read_bytes().splitlines()]


def fold(given: list[Line]) -> int:
    """How many records were written; raises ValueError where the input is none that the stages take any more."""
    written: list[bytes] = []
    driver = Driver(STAGES, keep=lambda _: False, on_write=lambda _, record: written.append(encode(record.value)))
    decoders: dict[str, Any] = {topic: decoder(stage.records) for topic, stage in driver.readers.items()}
    for line in given:
        driver.advance(line.at)
        driver.send(line.topic, line.key, decoders[line.topic](line.value))
    refused = {topic: letters[0].refused for topic, letters in driver.dead.items() if letters}
    if refused:
        raise ValueError(f"the stages refuse the input: {refused}")
    return len(written)


def main() -> None:
    profiles()
    given = lines(INPUT)
    # how often cycles are looked for is the worker's business
    gc.freeze()
    gc.disable()
    child = os.fork()
    if child == 0:
        os.write(1, f"{fold(given)}\n".encode())
        os._exit(0)
    # leaving as the child does: to take down what was loaded is no part of either
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
