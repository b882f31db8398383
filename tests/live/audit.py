"""Recomputes what a stage must have written and kept, from its input log alone, and compares.

Uses the pure stage, not the runtime: decode, step, encode, one record at a time, with the same origins.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.telemetry.trace import TRACEPARENT
from schemas.codec import cloudevent, decoder, encode
from streams.stage import Origin, Stage
from tests.live.harness import records


@dataclass
class Expected:
    """By output topic: event id -> key, value and headers; dead letters by place; states by key."""

    outputs: dict[str, dict[bytes, tuple[bytes, bytes, list[tuple[str, bytes]]]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    dead: set[tuple[int, int]] = field(default_factory=set)
    states: dict[bytes, Any] = field(default_factory=dict)
    inputs: int = 0
    ends: dict[int, int] = field(default_factory=dict)


@dataclass
class Audit:
    """What differs from the recomputation; all empty or zero when the run was exactly once."""

    inputs: int = 0
    outputs: int = 0
    states: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    states_wrong: list[str] = field(default_factory=list)
    uncommitted_repeats: int = 0
    """Repeats that only a reader of uncommitted records sees: aborted attempts."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.repeated or self.wrong or self.states_wrong)

    def __str__(self) -> str:
        faults = {
            "lost": self.lost,
            "repeated": self.repeated,
            "wrong": self.wrong,
            "states wrong": self.states_wrong,
        }
        found = "; ".join(f"{name} {len(each)} {each[:3] if each else ''}" for name, each in faults.items())
        counts = f"inputs {self.inputs} outputs {self.outputs} states {self.states}"
        return f"{counts} | {found} | attempts only seen uncommitted {self.uncommitted_repeats}"


def expected(bootstrap: str, stage: Stage[Any]) -> Expected:
    decode, found = decoder(stage.records), Expected()
    for message in records(bootstrap, stage.reads):
        key, partition, offset, at = message.key(), message.partition(), message.offset(), message.timestamp()[1]
        found.inputs += 1
        found.ends[partition] = offset + 1
        try:
            key.decode()
            record = decode(message.value())
        except (AttributeError, TypeError, msgspec.DecodeError, UnicodeDecodeError):
            found.dead.add((partition, offset))
            continue
        origin = Origin(stage.reads, partition, offset, at)
        state, outputs, refused = stage.step(found.states.get(key), record, origin)
        if state is None:
            found.states.pop(key, None)
        else:
            found.states[key] = state
        trace = dict(message.headers() or []).get(TRACEPARENT)
        for index, output in enumerate(outputs):
            event = f"{stage.reads}-{partition}-{offset}-{index}"
            headers = cloudevent(
                output.value, source=f"/nivaran/{stage.name}", id=event, subject=output.key, at=output.at,
                traceparent=trace,
            )  # fmt: skip
            found.outputs[output.topic][event.encode()] = (output.key.encode(), encode(output.value), headers)
        if refused is not None:
            found.dead.add((partition, offset))
    return found


def audit(bootstrap: str, stage: Stage[Any], group: str) -> Audit:
    want = expected(bootstrap, stage)
    result = Audit(inputs=want.inputs, states=len(want.states))
    for topic in stage.writes:
        _outputs(bootstrap, topic, stage, want, result)
    _dead(bootstrap, stage, want, result)
    _states(bootstrap, f"{group}-{stage.name}-changelog", stage, want, result)
    return result


def _outputs(bootstrap: str, topic: str, stage: Stage[Any], want: Expected, result: Audit) -> None:
    source = f"/nivaran/{stage.name}".encode()
    due, seen = want.outputs[topic], Counter[bytes]()
    for message in records(bootstrap, topic):
        headers = message.headers() or []
        attributes = dict(headers)
        if attributes.get("ce_source") != source:
            continue  # another writer of the same topic
        event = attributes["ce_id"]
        seen[event] += 1
        if due.get(event) != (message.key(), message.value(), headers):
            result.wrong.append(event.decode())
    result.outputs += seen.total()
    result.lost += [event.decode() for event in due.keys() - seen.keys()]
    result.repeated += [event.decode() for event, times in seen.items() if times > 1]
    attempts = sum(
        dict(message.headers() or []).get("ce_source") == source
        for message in records(bootstrap, topic, committed=False)
    )
    result.uncommitted_repeats += attempts - seen.total()


def _dead(bootstrap: str, stage: Stage[Any], want: Expected, result: Audit) -> None:
    seen = Counter[tuple[int, int]]()
    for message in records(bootstrap, f"{stage.reads}.dlq"):
        headers = dict(message.headers())
        seen[int(headers["x-dlq-original-partition"]), int(headers["x-dlq-original-offset"])] += 1
    result.lost += [f"dead letter {place}" for place in want.dead - seen.keys()]
    result.wrong += [f"dead letter {place}" for place in seen.keys() - want.dead]
    result.repeated += [f"dead letter {place}" for place, times in seen.items() if times > 1]


def _states(bootstrap: str, changelog: str, stage: Stage[Any], want: Expected, result: Audit) -> None:
    kept: dict[bytes, bytes] = {}
    for message in records(bootstrap, changelog):
        if message.value() is None:
            kept.pop(message.key(), None)
        else:
            kept[message.key()] = message.value()
    wanted = {key: msgspec.msgpack.encode(state) for key, state in want.states.items()}
    differing = {key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)}
    result.states_wrong += sorted(key.decode() for key in differing)
