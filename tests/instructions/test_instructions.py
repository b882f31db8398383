"""The pure core costs as many instructions as it did when its figure was written down."""

import pytest

from tests.instructions.measure import FIGURES, TOLERANCE, build, figures, measure
from tests.observability.tools import tool


@pytest.mark.thorough
def test_the_pure_core_takes_no_more_instructions_than_the_figure_says() -> None:
    tool("valgrind")
    kept = figures().get(build())
    if kept is None:
        pytest.skip(f"left out: no figure of {build()} in {FIGURES.name}; see `python -m tests.instructions --help`")
    found = measure()
    assert abs(found.against(kept)) <= TOLERANCE, (
        f"{found.each:,.0f} instructions a record, {found.against(kept):+.1%} against {kept.each:,.0f}. If that is "
        "meant, `python -m tests.instructions --renew` writes the new figure down: commit it and say why"
    )
