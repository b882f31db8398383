"""One batch of a lane: records and states in, outputs, dead letters, changed states and due instants out. No I/O."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from agents.runtime.envelope import Stamp, dead_letter_headers, faultless, traceparent
from agents.runtime.ports import Received
from agents.runtime.producers import Written
from schemas.base import Record, Wake
from schemas.codec import decoder, encode, tag
from schemas.registry import dead_letters
from streams.stage import Origin, Refused, Stage

MALFORMED = "malformed"
"""Error class: no key, no value, not UTF-8 or not JSON."""
INVALID = "invalid"
"""Error class: JSON, but not a record this topic may carry."""
NO_KEY = Refused(MALFORMED, "the record has no key")
NO_VALUE = Refused(MALFORMED, "the record has no value")
TOO_DEEP = Refused(MALFORMED, "the value is nested too deeply")
NOT_UTF8 = Refused(MALFORMED, "the text is not UTF-8")


class StateUnreadableError(RuntimeError):
    """A stored state does not decode: another version of the stage wrote it, or something that is no worker."""


@dataclass(slots=True)
class Batch:
    """What one fold did; `changes` are encoded states (None: forget the key), `dues` what to wake when."""

    records: int = 0
    outputs: list[Written] = field(default_factory=list)
    changes: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    dues: list[tuple[int, bytes]] = field(default_factory=list)
    dead: Counter[str] = field(default_factory=Counter)
    wakes: int = 0
    timers: dict[str, list[int]] = field(default_factory=dict)
    """Type of the first record a wake led to -> due instants (UTC ms) that led to one."""


def refusal(error: Exception) -> Refused:
    """Say why a record did not decode, without a word of it."""
    match error:
        case msgspec.ValidationError():
            return Refused(INVALID, faultless(str(error)))
        case UnicodeDecodeError():
            return NOT_UTF8
        case RecursionError():
            return TOO_DEEP
        case _:
            # the decoder's other messages name a byte position; some quote the byte
            return Refused(MALFORMED, "the value is not JSON")


@cache
def led_to(kind: type[Record]) -> str:
    """A record type without its version, as a label."""
    return tag(kind).rpartition(".")[0]


class Reader:
    """Decodes records of one topic, and says in a `Refused` what cannot be taken."""

    def __init__(self, records: Any) -> None:
        self._decode: Callable[[bytes], Any] = decoder(records)

    def __call__(self, record: Received) -> tuple[bytes, Any] | Refused:
        key, value = record.key, record.value
        if key is None:
            return NO_KEY
        if value is None:
            return NO_VALUE
        try:
            key.decode()
            return key, self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return refusal(error)


class Fold:
    """Runs a stage over batches. `get` gives the stored bytes of a key's state, None for a new key."""

    def __init__(self, stage: Stage[Any], group: str) -> None:
        self.stage, self._group = stage, group
        self._read = Reader(stage.records)
        self._stamp = Stamp(stage.name)
        self._dead_topic = dead_letters(stage.reads)
        self._loads: Callable[[bytes], Any] = msgspec.msgpack.Decoder(stage.state).decode
        self._dumps: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode

    def state(self, stored: bytes) -> Any:
        """Decode a stored state; raises StateUnreadableError."""
        try:
            return self._loads(stored)
        except msgspec.DecodeError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: msgspec.DecodeError) -> StateUnreadableError:
        return StateUnreadableError(
            f"a stored state of stage {self.stage.name} cannot be read ({faultless(str(error))}): "
            "another version wrote it, or something that is no worker"
        )

    def dues(self, stored: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield the instant of each key's stored state that wants to be woken, UTC ms; raises StateUnreadableError."""
        loads, wake_at = self._loads, self.stage.wake_at
        try:
            for key, value in stored:
                if (at := wake_at(loads(value))) is not None:
                    yield at, key
        except msgspec.DecodeError as error:
            raise self._unreadable(error) from None

    def due(self, stored: bytes) -> int | None:
        """Return when a stored state wants to be woken, UTC ms."""
        return self.stage.wake_at(self.state(stored))

    def __call__(
        self, partition: int, records: Sequence[Received], get: Callable[[bytes], bytes | None], now: int
    ) -> Batch:
        """Fold `records` of one partition in order; `now` (UTC ms) only dates dead letters."""
        batch = Batch(records=len(records))
        before: dict[bytes, Any] = {}
        states: dict[bytes, Any] = {}
        topic, step, read, outputs, stamp = self.stage.reads, self.stage.step, self._read, batch.outputs, self._stamp
        prefix = f"{topic}-{partition}-"
        for record in records:
            taken = read(record)
            if isinstance(taken, Refused):
                self._bury(batch, record, taken, now)
                continue
            key, message = taken
            at = record.timestamp
            if key in states:
                state = states[key]
            else:
                stored = get(key)
                state = before[key] = None if stored is None else self.state(stored)
            after, written, refused = step(state, message, Origin(topic, partition, record.offset, at))
            states[key] = after
            if written:
                trace = traceparent(record.headers)
                cause = f"{prefix}{record.offset}-"
                for index, each in enumerate(written):
                    name, value = each.key.encode(), each.value
                    headers = stamp(value, f"{cause}{index}".encode(), name, each.at, trace)
                    outputs.append(Written(each.topic, name, encode(value), headers, at))
            if refused is not None:
                self._bury(batch, record, refused, now)
            if type(message) is Wake:
                batch.wakes += 1
                if written:
                    batch.timers.setdefault(led_to(type(written[0].value)), []).append(message.due_at)
        self._changes(batch, before, states)
        return batch

    def _bury(self, batch: Batch, record: Received, refused: Refused, now: int) -> None:
        batch.dead[refused.error] += 1
        headers = dead_letter_headers(record, self._group, refused.error, refused.reason, now)
        batch.outputs.append(Written(self._dead_topic, record.key, record.value, headers, record.timestamp))

    def _changes(self, batch: Batch, before: dict[bytes, Any], states: dict[bytes, Any]) -> None:
        dumps, wake_at = self._dumps, self.stage.wake_at
        for key, state in states.items():
            old = before[key]
            if state is old:
                continue
            if state is None:
                batch.changes.append((key, None))
                continue
            batch.changes.append((key, dumps(state)))
            due = wake_at(state)
            # the index has every state's instant already; only a new one is added, or it would grow with every record
            if due is not None and (old is None or wake_at(old) != due):
                batch.dues.append((due, key))
