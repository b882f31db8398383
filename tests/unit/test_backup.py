"""How a partition is written again: the steps give every record its offset, whatever the gaps; lines keep bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.backup import steps as plan
from agents.backup.files import Sink, Stored, lines, record
from agents.backup.steps import Aborted, Committed, Filler, Plain, steps


def rewritten(begin: int, end: int, offsets: list[int]) -> tuple[dict[int, int], int]:
    """What a log has after the steps: old offset -> new offset, and its end."""
    found: dict[int, int] = {}
    reached = 0
    for step in steps(end, [Stored(offset, 0, None, None) for offset in offsets]):
        match step:
            case Plain(records) | Committed(records):
                found |= {each.offset: reached + number for number, each in enumerate(records)}
                reached += len(records) + isinstance(step, Committed)
            case Aborted(fillers):
                assert fillers > 0, "a marker of nothing is not written"
                reached += fillers + 1
            case Filler():
                assert reached < begin, "a filler that is not deleted would be read"
                reached += 1
    return found, reached


@given(
    gaps=st.lists(st.integers(1, 3) | st.integers(1, 30), max_size=40),
    first=st.integers(0, 25), tail=st.integers(0, 25), most=st.integers(2, 9),
)  # fmt: skip
def test_every_record_gets_its_offset_and_the_log_its_end(gaps: list[int], first: int, tail: int, most: int) -> None:
    offsets = [first + sum(gaps[:number]) for number in range(len(gaps) + 1)]
    end = offsets[-1] + 1 + tail
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "MOST", most)
        found, reached = rewritten(first, end, offsets)
    assert found == {offset: offset for offset in offsets}
    assert reached == end


@pytest.mark.parametrize("end", [0, 1, 2, 3, 50])
def test_a_partition_of_which_all_is_deleted_keeps_its_end(end: int) -> None:
    assert rewritten(end, end, []) == ({}, end)


@given(
    st.lists(
        st.builds(
            Stored, st.integers(0, 2**40), st.integers(0, 2**42), st.none() | st.binary(max_size=9),
            st.none() | st.binary(max_size=30) | st.just("हैण्डपम्प\n".encode()),
            st.lists(st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=4)), max_size=2).map(tuple),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, stored: list[Stored]) -> None:
    path = tmp_path_factory.mktemp("lines") / "0000.ndjson.zst"
    sink = Sink(path)
    for each in stored:
        sink.add(each)
    sink.close()
    assert list(lines(path)) == stored


def test_hindi_stands_in_a_line_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "0000.ndjson.zst"
    sink = Sink(path)
    sink.add(Stored(1, 2, b"k", "हैण्डपम्प".encode()))
    sink.close()
    assert record('{"o":1,"t":2,"k":"k","v":"हैण्डपम्प"}'.encode()) == next(lines(path))
