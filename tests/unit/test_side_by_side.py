"""How live tests are shared out: the long ones first, and what shares a fixture of its module in one process."""

from pathlib import Path

import pytest

from tests.side_by_side import APART, LONGEST_FIRST, Sharing

LIVE = Path(__file__).parents[1] / "live"
NOTES = """
import os
import pathlib
import pytest

@pytest.fixture(scope="module")
def shared():
    return 1

@pytest.mark.parametrize("number", range(4))
def test_it(shared, number):
    with pathlib.Path({out!r}).open("a") as out:
        out.write(f"{{__name__}} {{os.getpid()}}\\n")
"""


@pytest.mark.thorough
def test_what_shares_stays_together_and_the_long_ones_come_first(pytester: pytest.Pytester) -> None:
    out = pytester.path / "out"
    for name in ("test_short", LONGEST_FIRST[0], min(APART)):
        (pytester.path / f"{name}.py").write_text(NOTES.format(out=str(out)))
    arguments = ("-n", "2", "--dist", "loadscope", "-p", "tests.side_by_side", "-p", "no:cacheprovider")
    done = pytester.runpytest_subprocess(*arguments, "-o", "asyncio_default_fixture_loop_scope=function")
    done.assert_outcomes(passed=12)
    told = [line.split() for line in out.read_text().splitlines()]
    processes = {module: {process for name, process in told if name == module} for module, _ in told}
    assert {len(processes[name]) for name in ("test_short", LONGEST_FIRST[0])} == {1}
    assert told[0][0] in {LONGEST_FIRST[0], min(APART)}


def test_modules_whose_tests_go_anywhere_share_nothing() -> None:
    sharing = object.__new__(Sharing)
    assert sharing._split_scope(f"tests/live/{min(APART)}.py::test_it[1]") == f"tests/live/{min(APART)}.py::test_it[1]"
    assert sharing._split_scope("tests/live/test_stories.py::test_it[a::b]") == "tests/live/test_stories.py"
    for name in APART:
        assert 'scope="module"' not in (LIVE / f"{name}.py").read_text(), name
    assert {path.stem for path in LIVE.parent.rglob("test_*.py")} >= {*APART, *LONGEST_FIRST}
