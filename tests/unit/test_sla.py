"""Windows of a unit, seen from the topic they are published on."""

from datetime import UTC, datetime

import pytest

from schemas.base import Wake
from schemas.sla import Counts, SlaFact, SlaWindow
from schemas.topics import SLA_FACTS, SLA_WINDOW
from streams.driver import Driver
from streams.profiles.load import profile
from streams.sla.stage import SLA
from streams.sla.table import fold, pendency, roll_up
from streams.sla.windows import unit_key

HOUR, DAY = 3_600_000, 86_400_000
LATENESS = profile("up-1076").windows.lateness_ms


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


NINE = ms("2026-02-10T09:00:00+05:30")


def fact(at: int, counts: Counts, *, age: int | None = None, level: int = 1, system: str = "up-1076") -> SlaFact:
    return SlaFact(system, 159, "revenue", level, at, counts, age)


def tell(driver: Driver, *facts: SlaFact) -> None:
    for each in facts:
        driver.send(SLA_FACTS, unit_key(each), each)


def windows(driver: Driver, grain: str = "hour") -> list[SlaWindow]:
    return [
        each.value for each in driver.log[SLA_WINDOW] if isinstance(each.value, SlaWindow) and each.value.grain == grain
    ]


def test_an_hour_is_published_once_when_it_and_its_allowed_lateness_are_over():
    driver = Driver([SLA], now=NINE)
    tell(driver, fact(NINE, {"received": 1}), fact(NINE + HOUR - 1, {"received": 1}))
    driver.advance(NINE + HOUR + LATENESS - 1)
    assert windows(driver) == []
    driver.advance(NINE + HOUR + LATENESS)
    assert windows(driver) == [
        SlaWindow(
            "up-1076",
            159,
            "revenue",
            1,
            "hour",
            NINE,
            NINE + HOUR,
            "final",
            {"received": 2},
            open_change=2,
            at=driver.now,
        )
    ]


def test_the_day_and_the_month_close_in_indian_time_with_everything_in_them():
    driver = Driver([SLA], now=NINE)
    tell(driver, fact(NINE, {"received": 1}), fact(NINE + 3 * HOUR, {"disposed": 1, "left": 1}, age=3 * HOUR))
    driver.advance(ms("2026-03-01T06:00:00+05:30"))
    (day,), (month,) = windows(driver, "day"), windows(driver, "month")
    assert (day.start_at, day.end_at) == (ms("2026-02-10T00:00:00+05:30"), ms("2026-02-11T00:00:00+05:30"))
    assert (month.start_at, month.end_at) == (ms("2026-02-01T00:00:00+05:30"), ms("2026-03-01T00:00:00+05:30"))
    assert day.counts == month.counts == {"received": 1, "left": 1, "disposed": 1}
    assert (month.disposals, month.disposal_ms, month.open_change) == (1, 3 * HOUR, 0)


def test_a_late_fact_within_the_allowed_lateness_is_in_the_final_result():
    driver = Driver([SLA], now=NINE)
    tell(driver, fact(NINE, {"received": 1}))
    driver.advance(NINE + HOUR + LATENESS - 1)
    tell(driver, fact(NINE + 1, {"received": 1}))
    driver.advance(NINE + DAY)
    assert [each.counts for each in windows(driver)] == [{"received": 2}]


def test_a_fact_after_that_is_published_at_once_as_a_difference():
    driver = Driver([SLA], now=NINE)
    tell(driver, fact(NINE, {"received": 1}))
    driver.advance(NINE + 12 * HOUR)
    tell(driver, fact(NINE + 1, {"disposed": 1, "left": 1}, age=HOUR))
    final, revised = windows(driver)
    assert (final.result, revised.result) == ("final", "revised")
    assert (revised.start_at, revised.counts, revised.disposals, revised.open_change) == (
        NINE,
        {"left": 1, "disposed": 1},
        1,
        -1,
    )
    driver.advance(NINE + 3 * DAY)
    (day,) = windows(driver, "day")
    assert day.counts == {"received": 1, "left": 1, "disposed": 1}, "the day was still open, so it holds the late fact"


def test_a_fact_years_late_revises_hour_day_and_month():
    driver = Driver([SLA], now=NINE)
    tell(driver, fact(NINE, {"received": 1}))
    driver.advance(NINE + 60 * DAY)
    tell(driver, fact(NINE, {"received": -1}))
    assert [
        each.grain for grain in ("hour", "day", "month") for each in windows(driver, grain) if each.result == "revised"
    ] == [
        "hour",
        "day",
        "month",
    ]
    assert all(
        line["received"] == 0
        for line in fold(windows(driver) + windows(driver, "day") + windows(driver, "month")).values()
    )


def test_a_stale_or_repeated_wake_changes_nothing():
    driver = Driver([SLA], now=NINE)
    first = fact(NINE, {"received": 1})
    tell(driver, first)
    key = unit_key(first)
    before = driver.state["sla"][key]
    driver.send(SLA_FACTS, key, Wake(key, NINE, NINE))
    assert driver.state["sla"][key] == before
    driver.advance(NINE + HOUR + LATENESS)
    driver.send(SLA_FACTS, key, Wake(key, driver.now, driver.now))
    assert len(windows(driver)) == 1
    driver.send(SLA_FACTS, "nobody", Wake("nobody", NINE, NINE))
    assert "nobody" not in driver.state["sla"]


def test_a_unit_forgets_its_windows_when_they_are_closed():
    driver = Driver([SLA], now=NINE)
    tell(driver, *(fact(NINE + hour * HOUR, {"received": 1}) for hour in range(200)))
    driver.advance(NINE + 60 * DAY)
    assert driver.state["sla"][unit_key(fact(NINE, {}))].first_end() is None
    assert driver.next_due() is None


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (fact(NINE, {"received": 1}, system="nowhere"), "unknown-system"),
        (fact(253_402_300_799_999, {"received": 1}), "out-of-range"),
    ],
)
def test_a_fact_that_cannot_be_counted_is_a_dead_letter(bad: SlaFact, error: str):
    driver = Driver([SLA], now=NINE)
    tell(driver, bad)
    assert [letter.refused.error for letter in driver.dead[SLA_FACTS]] == [error]


def test_the_table_adds_revisions_rolls_up_and_says_shares():
    driver = Driver([SLA], now=NINE)
    tell(
        driver,
        fact(NINE, {"received": 4, "verified": 3, "satisfied": 2, "dissatisfied": 1}),
        *(fact(NINE + day * DAY, {"disposed": 1, "left": 1}, age=day * DAY) for day in (1, 2, 3)),
        fact(NINE + 7 * DAY, {"defaulters": 1, "escalated_timeout": 1, "left": 1}),
        fact(NINE + 7 * DAY, {"received": 1}, level=2),
    )
    driver.advance(NINE + 30 * DAY)
    tell(driver, fact(NINE + DAY, {"satisfied": 1, "verified": 1}))
    rolled = roll_up(fold(windows(driver, "day")), lambda cell: cell.district)
    line = rolled[159]
    assert (line["received"], line["disposed"], line.open_change) == (5, 3, 1)
    assert line.satisfied_share == 0.75
    assert line.in_time_share == 0.75
    assert line.mean_disposal_ms == 2 * DAY
    assert line.quantile_ms(0.5) == pytest.approx(2 * DAY, rel=0.01)
    by_level = roll_up(fold(windows(driver, "day")), lambda cell: cell.level if cell.level > 1 else None)
    assert {level: line["received"] for level, line in by_level.items()} == {2: 1}
    assert by_level[2].satisfied_share is None
    months = {(cell.level, number) for cell, number in pendency(fold(windows(driver, "month")), "month")}
    assert months == {(1, 0), (2, 1)}
