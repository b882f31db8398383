"""The sizing formula: what grows with what, and that the page says what the formula says."""

import pytest

from deploy.sizing.costs import costs
from deploy.sizing.model import assumptions, sized, used
from deploy.sizing.publish import PAGE, page

FIGURES = assumptions().figures


def test_the_page_has_the_sizes_of_the_present_figures() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run python -m deploy.sizing.publish"


def test_twice_the_complaints_are_twice_the_work_and_the_disk() -> None:
    one, two = (sized(each, (), costs(), FIGURES) for each in (1e6, 2e6))
    assert two.disk_gib == pytest.approx(2 * one.disk_gib)
    assert two.cases_in_table == 2 * one.cases_in_table
    assert [role.cores for role in two.roles] == [pytest.approx(2 * role.cores) for role in one.roles]


def test_partitions_are_whole_dozens_and_leave_the_largest_role_room() -> None:
    for complaints in (10, 20_000, 4e6):
        size = sized(complaints, (), costs(), FIGURES)
        assert size.partitions % 12 == 0
        assert size.partitions >= FIGURES.room_to_grow.value * max(role.workers for role in size.roles)


def test_a_small_helpline_has_two_workers_of_each_role_so_that_one_may_be_lost() -> None:
    assert {role.workers for role in sized(10, (), costs(), FIGURES).roles} == {2}


def test_fewer_systems_have_fewer_topics() -> None:
    all_systems, one = (sized(20_000, systems, costs(), FIGURES) for systems in ((), ("up-1076",)))
    assert one.broker_partitions < all_systems.broker_partitions


def test_every_figure_has_a_mark_and_a_source() -> None:
    for each in used(costs(), FIGURES, ()):
        assert each.mark in "MSID"
        assert each.source
    for scenario in assumptions().scenarios:
        assert scenario.complaints_per_day.source


def test_the_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the marks"):
        page("nothing")
