"""The short form of the matrix of faults (`make faults` is the whole): each strikes under load and is audited."""

import random
from pathlib import Path

import pytest

from tests.faults.__main__ import run
from tests.faults.rows import ROWS, SHORT, SHORT_SHARE
from tests.faults.trial import Outcome
from tests.live.audit import Audit

pytestmark = pytest.mark.live
BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_strikes_and_nothing_is_lost_repeated_or_wrong(name: str, tmp_path: Path) -> None:
    outcome = run(BY_NAME[name], random.Random(name).randrange(1000), tmp_path, SHORT_SHARE)
    assert outcome.verdict == "holds", f"{outcome.audit} {outcome}"
    assert outcome.audit.inputs > 500


def test_a_row_that_does_not_strike_is_void_and_one_that_breaks_says_so() -> None:
    def verdict(struck: int, audit: Audit, *, settled: bool = True, why: str = "") -> str:
        return Outcome("row", struck, 3, audit, settled, None, None, 1.0, why).verdict

    assert verdict(3, Audit()) == "holds"
    assert verdict(2, Audit()) == "void: struck 2 of 3 times"
    assert verdict(0, Audit(), why="no root") == "void: no root"
    assert verdict(3, Audit(), settled=False) == "NOT SETTLED"
    assert {verdict(3, Audit(**{what: ["x"]})) for what in ("lost", "repeated", "wrong", "states_wrong")} == {"BROKEN"}
