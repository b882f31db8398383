"""What chance decides about people and offices: when, where, what and how they say it; all of it from one seed."""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from agents.simulate.world import texts, world
from streams.profiles.profile import DAY_MS, HOUR_MS, Profile

T = TypeVar("T")
MINUTE_MS: Final = 60_000
UNIT_OF_CHAIN: Final = {"development": "block", "revenue": "tehsil", "police": "thana"}
"""The unit a complaint of these chains usually names (report 003); of others it names a block now and then."""
PEOPLE: Final = 15
"""Weight of a district that world.toml gives none."""
NAMES_UNIT: Final = 0.85
NAMES_BLOCK: Final = 0.3


class Weighted(NamedTuple):
    """Values with cumulated weights, as `Random.choices` likes them."""

    values: Sequence[object]
    weights: list[int]


class Draws:
    """The dice. One instance makes one simulation; the order of calls is the simulation."""

    def __init__(self, seed: int, profile: Profile) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose
        self.profile = profile
        self.world, self.texts = world(), texts()
        self._categories = [name for name in self.texts if name in profile.categories]
        # Zipf: the n-th most frequent category 1/n as often, flattened a little, as no single matter rules a state
        self._ranks = list(accumulate(1 / (rank + 3) for rank in range(len(self._categories))))
        self._districts = sorted(profile.districts, key=lambda code: (code not in self.world.districts, code))
        self._people = list(accumulate(self.world.districts.get(code, PEOPLE) for code in self._districts))
        taken = self.world.channels.keys() if profile.channels is None else profile.channels
        self._channels = [channel for channel in self.world.channels if channel in taken]
        self._channel_weights = list(accumulate(self.world.channels[channel] for channel in self._channels))
        self._zone = ZoneInfo(profile.zone)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, values: Sequence[T]) -> T:
        return values[int(self.random.random() * len(values))]

    def between(self, low: float, high: float) -> int:
        """A whole number of milliseconds in [low, high)."""
        return int(low + self.random.random() * (high - low))

    def category(self, other_than: str = "") -> str:
        while True:
            found = self.random.choices(self._categories, cum_weights=self._ranks)[0]
            if found != other_than:
                return found

    def channel(self) -> str:
        return self.random.choices(self._channels, cum_weights=self._channel_weights)[0]

    def place(self, category: str) -> dict[str, int | str]:
        """District by its people, and the unit a complaint of this kind names."""
        district = self.random.choices(self._districts, cum_weights=self._people)[0]
        chain = self.profile.departments[self.profile.categories[category].department].chain
        unit = UNIT_OF_CHAIN.get(chain)
        if unit is None:
            return {"district": district} | (self._unit("block") if self.chance(NAMES_BLOCK) else {})
        return {"district": district} | (self._unit(unit) if self.chance(NAMES_UNIT) else {})

    def _unit(self, kind: str) -> dict[str, int | str]:
        return {kind: f"{kind}-{1 + int(self.random.random() * self.world.units[kind]):02d}"}

    def text(self, about: str, language: str) -> str:
        names = self.world.names
        if language == "en":
            about, places = "english", names.villages_en
        else:
            places = (*names.villages, *names.wards) if self.chance(0.2) else names.villages
        return self.one(self.texts[about]).format(v=self.one(places), n=2 + int(self.random.random() * 28))

    def said_again(self, text: str) -> str:
        """The same, as another operator would type it."""
        return self.one(
            (
                text,
                text.replace("।", "."),
                text.replace(" ", "  ", 1),
                text.replace("।", " !"),
                text.replace(" ", "\u00a0", 1),
            )
        )

    def received(self, start_at: int, days: int, count: int) -> list[int]:
        """`count` instants over `days` local days from `start_at`, in order, by the day curve and the weekday."""
        curves = self.world.curves
        weights, hours = [], []
        for hour in range(days * 24):
            local = datetime.fromtimestamp((start_at + hour * HOUR_MS) / 1000, self._zone)
            hours.append(start_at + hour * HOUR_MS)
            weights.append(curves.hour[local.hour] * curves.weekday[local.weekday()])
        drawn = self.random.choices(hours, cum_weights=list(accumulate(weights)), k=count)
        return sorted(hour + self.between(0, HOUR_MS) for hour in drawn)

    def office_time(self, earliest: int, latest: int) -> int:
        """An instant in (earliest, latest), most likely in office hours; the two are at least 3 ms apart."""
        days = max(1, (latest - earliest) // DAY_MS)
        for _ in range(8):
            day = earliest + self.between(0, days * DAY_MS)
            at = self._at_office_hour(day)
            if earliest < at < latest:
                return at
        return self.between(earliest + 1, latest)

    def _at_office_hour(self, day: int) -> int:
        local = datetime.fromtimestamp(day / 1000, self._zone)
        into = (local.hour * 3600 + local.minute * 60 + local.second) * 1000 + local.microsecond // 1000
        hour = self.random.choices(range(24), weights=self.world.curves.office_hour)[0]
        return day - into + hour * HOUR_MS + self.between(0, HOUR_MS)
