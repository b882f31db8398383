"""Headers: the quick way gives what the codec gives; messages of the decoder lose everything of the input."""

from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.runtime.envelope import Stamp, faultless
from schemas.base import Record, Wake
from schemas.codec import cloudevent, iso
from tests.live.toy import Added

SECRET = "9876543210"


class Strict(Record, frozen=True, tag="strict.v1", forbid_unknown_fields=True):
    kind: Literal["a", "b"] = "a"
    count: int = 0
    names: dict[str, int] | None = None


@pytest.mark.parametrize("record", [Wake("कुंजी", 5, 6), Added(1, 2, 3, "cause")])
@pytest.mark.parametrize("trace", [None, b"00-aa-bb-01"])
def test_stamped_headers_are_the_codecs(record: Record, trace: bytes | None) -> None:
    quick = Stamp("stage")(record, b"t-0-1-2", "कुंजी".encode(), 1_795_478_149_420, trace)
    plain = cloudevent(
        record, source="/nivaran/stage", id="t-0-1-2", subject="कुंजी", at=1_795_478_149_420, traceparent=trace
    )
    assert quick == plain


@pytest.mark.parametrize(
    "body",
    [
        f'{{"type":"{SECRET}"}}',
        f'{{"type":"strict.v1","kind":"{SECRET}"}}',
        f'{{"type":"strict.v1","{SECRET}":1}}',
        f'{{"type":"strict.v1","count":"{SECRET}"}}',
        f'{{"type":"strict.v1","names":{{"{SECRET}":"x"}}}}',
    ],
)
def test_nothing_of_the_input_is_in_a_reason(body: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=Strict)
    assert SECRET not in faultless(str(caught.value))
    assert faultless(str(caught.value))


@given(st.integers(0, 253_402_300_799_999))
def test_an_instant_is_written_in_utc_with_its_milliseconds(at: int) -> None:
    seconds, rest = divmod(at, 1000)
    plain = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    assert iso(at) == f"{plain}.{rest:03d}Z"
