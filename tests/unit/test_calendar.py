"""Spans of local time, at the edges where clocks change."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.sla import Grain
from streams.calendar import EARLIEST, HOUR_MS, LATEST, bounds, date_text, day_key, month_key, outside

INDIA, NEW_YORK = "Asia/Kolkata", "America/New_York"
# daylight saving; half-hour steps; changes at midnight and at 00:01; a day left out; an offset of three quarters
ZONES = (
    INDIA,
    NEW_YORK,
    "Australia/Lord_Howe",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "UTC",
)
GRAINS = get_args(Grain)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("grain", "at", "zone", "start", "end"),
    [
        ("hour", "2026-08-28T10:45:00+05:30", INDIA, "2026-08-28T10:00:00+05:30", "2026-08-28T11:00:00+05:30"),
        ("day", "2026-08-28T00:00:00+05:30", INDIA, "2026-08-28T00:00:00+05:30", "2026-08-29T00:00:00+05:30"),
        ("day", "2026-08-27T23:59:59.999+05:30", INDIA, "2026-08-27T00:00:00+05:30", "2026-08-28T00:00:00+05:30"),
        ("month", "2026-12-31T20:00:00+00:00", INDIA, "2027-01-01T00:00:00+05:30", "2027-02-01T00:00:00+05:30"),
        ("month", "2024-02-29T12:00:00+05:30", INDIA, "2024-02-01T00:00:00+05:30", "2024-03-01T00:00:00+05:30"),
        ("day", "2021-03-14T12:00:00-04:00", NEW_YORK, "2021-03-14T00:00:00-05:00", "2021-03-15T00:00:00-04:00"),
        ("day", "2021-11-07T12:00:00-05:00", NEW_YORK, "2021-11-07T00:00:00-04:00", "2021-11-08T00:00:00-05:00"),
        ("month", "2021-11-30T23:59:00-05:00", NEW_YORK, "2021-11-01T00:00:00-04:00", "2021-12-01T00:00:00-05:00"),
        ("hour", "2021-11-07T01:30:00-04:00", NEW_YORK, "2021-11-07T01:00:00-04:00", "2021-11-07T02:00:00-04:00"),
        ("hour", "2021-11-07T01:30:00-05:00", NEW_YORK, "2021-11-07T01:00:00-05:00", "2021-11-07T02:00:00-05:00"),
        ("hour", "2021-03-14T03:10:00-04:00", NEW_YORK, "2021-03-14T01:59:59.999-05:00", "2021-03-14T04:00:00-04:00"),
    ],
)
def test_a_span_in_local_time(grain: Grain, at: str, zone: str, start: str, end: str):
    skip = 1 if start.endswith("59.999-05:00") else 0
    assert bounds(grain, ms(at), zone) == (ms(start) + skip, ms(end))


def test_the_days_of_a_clock_change_have_23_and_25_hours():
    spring, autumn = (
        bounds("day", ms(day), NEW_YORK) for day in ("2021-03-14T12:00:00-04:00", "2021-11-07T12:00:00-05:00")
    )
    assert (spring.end_at - spring.start_at) // HOUR_MS == 23
    assert (autumn.end_at - autumn.start_at) // HOUR_MS == 25


def test_a_midnight_that_a_clock_change_skips_is_the_instant_of_the_change():
    assert bounds("day", ms("2021-03-14T12:00:00-04:00"), "America/Havana").start_at == ms("2021-03-14T01:00:00-04:00")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("grain", GRAINS)
@given(at=st.integers(min_value=EARLIEST, max_value=ms("2038-01-01T00:00:00+00:00")))
def test_spans_hold_their_instants_and_touch(grain: Grain, zone: str, at: int):
    span = bounds(grain, at, zone)
    assert span.start_at <= at < span.end_at
    assert bounds(grain, span.end_at, zone).start_at == span.end_at
    assert bounds(grain, span.start_at, zone) == span == bounds(grain, span.end_at - 1, zone)


@pytest.mark.parametrize("zone", ZONES)
@given(at=st.integers(min_value=EARLIEST, max_value=ms("2038-01-01T00:00:00+00:00")))
def test_hours_lie_within_days_and_days_within_months(zone: str, at: int):
    hour, day, month = (bounds(grain, at, zone) for grain in GRAINS)
    assert month.start_at <= day.start_at <= hour.start_at < hour.end_at <= day.end_at <= month.end_at


@pytest.mark.parametrize("at", [-1, LATEST])
def test_an_instant_outside_the_calendar_is_refused(at: int):
    with pytest.raises(ValueError, match="outside the calendar"):
        bounds("day", at, INDIA)


def test_dates_as_text():
    at = ms("2026-08-27T20:00:00+00:00")
    assert (day_key(at, INDIA), month_key(at, INDIA), date_text(at, INDIA)) == ("2026-08-28", "2026-08", "28/08/2026")
    assert day_key(at, NEW_YORK) == "2026-08-27"


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ("2026-08-28T20:59:59.999+05:30", "2026-08-28T20:59:59.999+05:30"),
        ("2026-08-28T21:00:00+05:30", "2026-08-29T08:00:00+05:30"),
        ("2026-08-29T03:30:00+05:30", "2026-08-29T08:00:00+05:30"),
        ("2026-08-29T08:00:00+05:30", "2026-08-29T08:00:00+05:30"),
    ],
)
def test_the_next_instant_outside_some_hours(at: str, allowed: str):
    assert outside((21, 8), ms(at), INDIA) == ms(allowed)
