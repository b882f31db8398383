"""How live tests are shared out: what shares a fixture of its module goes to one process, the long ones come first."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.side_by_side import LONGEST_FIRST, pytest_collection_modifyitems

MODULE = """
import pytest

@pytest.fixture(scope="module")
def shared():
    return 1

def test_one(shared): ...
def test_two(shared): ...
def test_alone(): ...
"""


@pytest.fixture
def collected(pytester: pytest.Pytester) -> list[pytest.Item]:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(test_short=MODULE, **{LONGEST_FIRST[0]: "def test_long(): ..."})
    items, _ = pytester.inline_genitems()
    return items


def shared_out(items: list[pytest.Item], *, side_by_side: bool) -> list[tuple[str, str]]:
    config: Any = SimpleNamespace(option=SimpleNamespace(loadgroup=side_by_side))
    pytest_collection_modifyitems(config, items)
    marks = [item.get_closest_marker("xdist_group") for item in items]
    return [(item.name, mark.args[0] if mark else "") for item, mark in zip(items, marks, strict=True)]


def test_what_shares_stays_together_and_the_long_ones_come_first(collected: list[pytest.Item]) -> None:
    assert sorted(shared_out(collected, side_by_side=True)[1:]) == [
        ("test_alone", ""), ("test_one", "test_short.py"), ("test_two", "test_short.py"),
    ]  # fmt: skip
    assert collected[0].name == "test_long"


def test_one_process_takes_them_as_they_stand(collected: list[pytest.Item]) -> None:
    before = [item.name for item in collected]
    assert shared_out(collected, side_by_side=False) == [(name, "") for name in before]
