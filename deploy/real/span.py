"""Which of the real cases are run, and the local midnight at which time stops."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from streams.profiles.load import profile
from streams.profiles.profile import Profile

SYSTEM: Final = "nyc-council"
ROOT: Final = Path(__file__).resolve().parents[2]
CASES: Final = ROOT / "tests" / "data" / "council_cases_2015_2021.csv.gz"
AFTER_THE_SNAPSHOT: Final = date(2025, 1, 2)
"""The publisher's copy was taken in January 2025, the last closing day in it is 29 February 2024."""


@dataclass(frozen=True, slots=True)
class Span:
    """Cases opened from `first` to `last`, both included, run until the first instant of `now`; days are local."""

    first: date = date(2015, 1, 1)
    last: date = date(2021, 12, 31)
    now: date = AFTER_THE_SNAPSHOT

    @property
    def starts_at(self) -> int:
        """First instant of `first`, UTC ms."""
        return _midnight(self.first)

    @property
    def until(self) -> int:
        """First instant of `now`, UTC ms."""
        return _midnight(self.now)


WHOLE: Final = Span()
HALF_YEAR: Final = Span(date(2019, 7, 1), date(2019, 12, 31))
"""20,230 rows with 15 repeated keys, the autumn clock change, and closings until 2023."""


def rules() -> Profile:
    return profile(SYSTEM)


def zone() -> ZoneInfo:
    return ZoneInfo(rules().zone)


def _midnight(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone()).timestamp() * 1000)
