"""A dead letter's headers as anybody may have written them."""

import pytest

from agents.dead_letters import DeadLetter


@pytest.mark.parametrize(
    ("told", "timestamp"),
    [
        (b"1780000000000", 1_780_000_000_000),
        (b"0", 0),
        (b"", 0),
        (b"-1", 0),
        (b"soon", 0),
        (b"\xff\xfe", 0),
        ("१७८०".encode(), 0),
        (b"9" * 5000, 0),
        (b"9" * 16, 0),
    ],
)
def test_a_timestamp_that_is_none_is_the_present(told: bytes, timestamp: int) -> None:
    letter = DeadLetter("t.in.v1.dlq", 0, 7, b"k", b"v", [("x-dlq-original-timestamp", told)])
    assert letter.timestamp == timestamp
