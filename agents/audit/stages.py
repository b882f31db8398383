"""Recomputes what a stage must have written, from its input and by the same pure step, and compares with the logs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from agents.audit.log import Entry, Log, header
from agents.audit.report import Findings, Result
from agents.runtime.fold import NO_KEY, NO_VALUE, refusal
from schemas.base import Wake
from schemas.codec import TYPE_PREFIX, decoder, encode, tag
from schemas.registry import dead_letters, declared, topics
from streams.profiles.load import departments
from streams.stage import Origin, Refused, Stage

DEAD: Final = 0xFFFF
"""Stands for the place among siblings where a dead letter would be."""
OFFSET_BITS: Final = 40
INDEX_BITS: Final = 16
COMPACTED: Final = frozenset(name for name, topic in declared().items() if topic.retention == "compact")
WAKE: Final = (TYPE_PREFIX + tag(Wake)).encode()


class Cause(NamedTuple):
    """Which input an output comes from, and its place among that input's outputs."""

    partition: int
    offset: int
    place: int


def packed(partition: int, offset: int, place: int) -> int:
    """A cause as one number: a dictionary of a million of them stays small."""
    return ((partition << OFFSET_BITS | offset) << INDEX_BITS) | place


def unpacked(number: int) -> Cause:
    place = number & (1 << INDEX_BITS) - 1
    rest = number >> INDEX_BITS
    return Cause(rest >> OFFSET_BITS, rest & (1 << OFFSET_BITS) - 1, place)


class Recomputation:
    """One stage folded anew. `expected` maps causes to digests of what must stand in the logs."""

    def __init__(self, stage: Stage[Any], done: Mapping[int, int] | None) -> None:
        self.stage, self._done = stage, done
        self.states: dict[bytes, Any] = {}
        self.beyond: set[bytes] = set()
        """Keys with input the stage had not folded when the audit began: their states may be ahead of us."""
        self.expected: dict[int, int] = {}
        self.superseded: set[int] = set()
        """Causes of outputs on compacted topics that a later one of their key took the place of: they may be gone."""
        self._newest: dict[tuple[str, str], int] = {}
        self.inputs = self.wakes = self.dead = self.ahead = 0
        self._decode: Callable[[bytes], Any] = decoder(stage.records)

    def folds(self, partition: int, offset: int) -> bool:
        """Whether the stage had folded this input when the audit began."""
        return self._done is None or offset < self._done.get(partition, 0)

    def take(self, entry: Entry) -> None:
        if not self.folds(entry.partition, entry.offset):
            self.ahead += 1
            if entry.key is not None:
                self.beyond.add(entry.key)
            return
        self.inputs += 1
        if entry.key is None or entry.value is None:
            self._bury(entry, NO_KEY if entry.key is None else NO_VALUE)
            return
        try:
            entry.key.decode()
            record = self._decode(entry.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._bury(entry, refusal(error))
            return
        self._step(entry, entry.key, record)

    def _step(self, entry: Entry, key: bytes, record: Any) -> None:
        self.wakes += type(record) is Wake
        origin = Origin(entry.topic, entry.partition, entry.offset, entry.at)
        after, outputs, refused = self.stage.step(self.states.get(key), record, origin)
        if after is None:
            self.states.pop(key, None)
        else:
            self.states[key] = after
        for number, output in enumerate(outputs, packed(entry.partition, entry.offset, 0)):
            self.expected[number] = hash((output.topic, output.key.encode(), encode(output.value)))
            if output.topic in COMPACTED:
                self._supersede(output.topic, output.key, number)
        if refused is not None:
            self._bury(entry, refused)

    def _supersede(self, topic: str, key: str, cause: int) -> None:
        before = self._newest.get((topic, key))
        if before is not None:
            self.superseded.add(before)
        self._newest[topic, key] = cause

    def _bury(self, entry: Entry, refused: Refused) -> None:
        self.dead += 1
        letter = hash((dead_letters(entry.topic), entry.key, entry.value, refused.error))
        self.expected[packed(entry.partition, entry.offset, DEAD)] = letter


def check(stage: Stage[Any], log: Log) -> Result:
    """Every output of the stage once and as recomputed, nothing besides; its changelog as a fresh fold."""
    findings = Findings()
    done = log.done(stage.name)
    # the changelog first: a key that changes later has its input in the log by then, and is left out
    kept = dict(log.states(stage.name))
    fresh = Recomputation(stage, done)
    for entry in log.read(stage.reads):
        fresh.take(entry)
    outputs = _compare_outputs(fresh, log, findings)
    states = _compare_states(fresh, kept, findings)
    figures = {
        "inputs": fresh.inputs,
        "wakes": fresh.wakes,
        "outputs": outputs,
        "dead letters": fresh.dead,
        "states": states,
    }
    if fresh.ahead:
        figures["not folded yet"] = fresh.ahead
    return findings.result(
        f"stage {stage.name}", "outputs, dead letters and states equal a recomputation from the input", figures
    )


def _compare_outputs(fresh: Recomputation, log: Log, findings: Findings) -> int:
    seen = 0
    for entry in log.read(*_written_to(fresh.stage, log)):
        cause = _cause(entry, fresh.stage)
        if cause is None:
            continue
        if isinstance(cause, str):
            findings.add(f"{entry.place}: {cause}")
        elif fresh.folds(cause.partition, cause.offset):
            seen += 1
            _compare(fresh, entry, cause, findings)
    for number in sorted(fresh.expected.keys() - fresh.superseded):
        cause = unpacked(number)
        what = "its dead letter" if cause.place == DEAD else f"output {cause.place}"
        findings.add(f"{fresh.stage.reads}/{cause.partition}/{cause.offset}: {what} is missing")
    return seen


def _compare(fresh: Recomputation, entry: Entry, cause: Cause, findings: Findings) -> None:
    found: tuple[Any, ...] = (entry.topic, entry.key, entry.value)
    if cause.place == DEAD:
        found = (*found, header(entry, "x-dlq-error-class"))
    match fresh.expected.pop(packed(*cause), None):
        case None:
            named = f"{fresh.stage.reads}/{cause.partition}/{cause.offset}"
            findings.add(f"{entry.place}: {named} does not call for it (place {cause.place}), or it is there twice")
        case expected if expected != hash(found):
            findings.add(f"{entry.place}: not what {fresh.stage.reads}/{cause.partition}/{cause.offset} must lead to")
        case _:
            pass


def _written_to(stage: Stage[Any], log: Log) -> Iterator[str]:
    there = log.topics()
    return (topic for topic in (*stage.writes, dead_letters(stage.reads)) if topic in there)


def _cause(entry: Entry, stage: Stage[Any]) -> Cause | str | None:
    """The input an entry names as its cause; None: it is another writer's; a text: nobody may have written it."""
    told = dict(entry.headers)
    if entry.topic == dead_letters(stage.reads):
        place = [told.get(f"x-dlq-original-{each}", b"") for each in ("partition", "offset")]
        return _parsed(stage.reads, told.get("x-dlq-original-topic", b""), [*place, b"%d" % DEAD])
    source = told.get("ce_source", b"")
    if told.get("ce_type") == WAKE:
        return None  # an input of the topic's reader
    if source != _source(stage.name):
        named = source.decode(errors="replace") or "a stranger"
        alone = _only_writer(entry.topic, stage.name)
        return f"written by {named}, not by stage {stage.name}" if alone else None
    topic, *place = told.get("ce_id", b"").rsplit(b"-", 3)
    return _parsed(stage.reads, topic, place)


@cache
def _source(stage: str) -> bytes:
    return f"/nivaran/{stage}".encode()


def _parsed(reads: str, topic: bytes, place: Sequence[bytes]) -> Cause | str:
    if topic != reads.encode() or len(place) != len(Cause._fields) or not all(each.isdigit() for each in place):
        return "names no record of its writer's input as its cause"
    return Cause(*map(int, place))


@cache
def _only_writer(topic: str, stage: str) -> bool:
    """Whether the registry lets nobody else put records there; a stage's own wakes do not count."""
    declared = topics(departments())[topic]
    return [writer for writer in declared.writers if writer not in declared.readers] == [stage] or declared.writers == (
        stage,
    )


def _compare_states(fresh: Recomputation, kept: dict[bytes, bytes | None], findings: Findings) -> int:
    decode = msgspec.msgpack.Decoder(fresh.stage.state).decode
    there = {key: decode(state) for key, state in kept.items() if state is not None and key not in fresh.beyond}
    for key, state in fresh.states.items():
        if key in fresh.beyond:
            continue
        if key not in there:
            findings.add(f"state of {key.decode()}: not in the changelog")
        elif there.pop(key) != state:
            findings.add(f"state of {key.decode()}: not as a fresh fold")
    for key in there:
        findings.add(f"state of {key.decode()}: in the changelog, not in a fresh fold")
    return len(fresh.states)
