"""Folding a batch: outputs with derived ids, changed states once, due instants, dead letters without personal data."""

import msgspec
import pytest

from agents.runtime.fold import Fold, StateUnreadableError
from agents.runtime.producers import Written
from schemas.base import Wake
from schemas.codec import cloudevent, encode
from tests.agents.records import Raw, raw
from tests.live.toy import Add, Added, Explode, Forget, Sum, toy

STAGE = toy("t")
FOLD = Fold(STAGE, "group-of-test")


def fold(*records: Raw, states: dict[bytes, Sum] | None = None):
    stored = {key: msgspec.msgpack.encode(state) for key, state in (states or {}).items()}
    return FOLD(3, records, stored.get, now=77)


def test_outputs_carry_the_id_of_their_cause_its_timestamp_and_its_trace() -> None:
    trace = b"00-11-22-01"
    batch = fold(raw(Add(8, 5), offset=41, timestamp=9000, headers=(("traceparent", trace),)))
    [written] = batch.outputs
    value = Added(8, 1, 5, "t.in.v1/3/41")
    assert written == Written(
        "t.sums.v1", b"sum-1", encode(value),
        cloudevent(value, source="/nivaran/toy", id="t.in.v1-3-41-0", subject="sum-1", at=5, traceparent=trace),
        9000,
    )  # fmt: skip


def test_a_key_touched_often_is_written_once_with_its_last_state() -> None:
    batch = fold(*(raw(Add(1, 5), offset=offset) for offset in range(100)))
    assert batch.changes == [(b"k", msgspec.msgpack.encode(Sum(100, 100)))]
    assert (batch.records, len(batch.outputs)) == (100, 100)


def test_an_unchanged_state_is_not_written_again() -> None:
    batch = fold(raw(Wake("k", 1, 2)), states={b"k": Sum(3, 1)})
    assert batch.changes == []
    assert batch.wakes == 1


def test_a_forgotten_key_becomes_a_tombstone_and_a_key_never_known_becomes_nothing() -> None:
    assert fold(raw(Forget(1)), states={b"k": Sum(3, 1)}).changes == [(b"k", None)]
    assert fold(raw(Forget(1))).changes == []
    assert fold(raw(Add(1, 1)), raw(Forget(1), offset=1)).changes == []


def test_only_a_new_due_instant_is_noted() -> None:
    assert fold(raw(Add(1, 5, 10))).dues == [(15, b"k")]
    assert fold(raw(Add(1, 5)), states={b"k": Sum(1, 1, wake=15)}).dues == []
    assert fold(raw(Add(1, 6, 10)), states={b"k": Sum(1, 1, wake=15)}).dues == [(16, b"k")]


@pytest.mark.parametrize(
    ("record", "error", "reason"),
    [
        (Raw(b"{"), b"malformed", b"the value is not JSON"),
        (Raw(b""), b"malformed", b"the value is not JSON"),
        (Raw(b"\xff\xfe"), b"malformed", b"the value is not JSON"),
        (Raw(None), b"malformed", b"the record has no value"),
        (raw(Add(1, 1), key=None), b"malformed", b"the record has no key"),
        (raw(Add(1, 1), key=b"\xc3"), b"malformed", b"the text is not UTF-8"),
        (Raw(b"[" * 5000), b"invalid", b"Expected `object`, got `array`"),
        (Raw(b'{"type":"toy.add.v1","x":' + b"[" * 100_000), b"malformed", b"the value is nested too deeply"),
        (Raw(b'{"type":"toy.add.v1","at":1}'), b"invalid", b"Object missing required field `amount`"),
        (Raw(b'{"type":"toy.add.v1","amount":NaN,"at":1}'), b"malformed", b"the value is not JSON"),
        (raw(Add(13, 1)), b"unlucky", b"thirteen is refused"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_what_cannot_be_taken_is_kept_unchanged_with_its_reason(record: Raw, error: bytes, reason: bytes) -> None:
    batch = fold(record, raw(Add(1, 1), offset=1))
    dead, _ = batch.outputs
    assert (dead.topic, dead.key, dead.value, dead.at) == ("t.in.v1.dlq", record.key, record.value, record.timestamp)
    headers = dict(dead.headers)
    assert headers["x-dlq-error-class"] == error
    assert headers["x-dlq-error-message"].startswith(reason)
    assert headers["x-dlq-failed-at"] == b"77"
    assert batch.dead == {error.decode(): 1}


def test_a_redriven_dead_letter_counts_its_attempts_and_tells_its_reason_once() -> None:
    first = fold(raw(Add(13, 1), headers=(("ce_id", b"a"),))).outputs[0]
    again = fold(Raw(first.value, headers=tuple(first.headers), offset=9)).outputs[0]
    names = [name for name, _ in again.headers]
    assert len(names) == len(set(names))
    assert dict(again.headers)["x-dlq-attempts"] == b"2"
    assert dict(again.headers)["x-dlq-original-offset"] == b"9"
    assert dict(again.headers)["ce_id"] == b"a"


def test_a_count_of_attempts_that_is_no_number_anybody_counted_to_stops_nothing() -> None:
    letter = fold(Raw(b"not json", headers=(("x-dlq-attempts", b"9" * 5000),))).outputs[0]
    assert dict(letter.headers)["x-dlq-attempts"].isdigit()


def test_a_defect_in_a_stage_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        fold(raw(Explode(1)))


def test_a_state_of_another_version_is_refused_with_the_stage_named() -> None:
    with pytest.raises(StateUnreadableError, match="stage toy cannot be read"):
        FOLD(3, [raw(Add(1, 1))], {b"k": b"\x91\xa1x"}.get, now=0)
