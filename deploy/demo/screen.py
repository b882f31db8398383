"""What the demonstration shows while it runs: figures of the read model, and the speed and lag of the flow."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from zoneinfo import ZoneInfo

from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.readmodel.keys import PREFIX, Keys
from deploy.fleet import Fleet
from deploy.fleet.settle import NotAnsweredError
from streams.profiles.profile import Profile

LOOK_S: Final = 0.5
Totals = Mapping[str, int]


class Screen:
    """A live table on a terminal; a line per simulated day elsewhere."""

    def __init__(self, fleet: Fleet, profiles: Sequence[Profile], days: int, console: Console) -> None:
        self._fleet, self._profiles, self._days, self._console = fleet, profiles, days, console
        self._levels = max(profile.last_level for profile in profiles)
        self._redis = Redis.from_url(fleet.redis.url)
        self._keys = Keys(PREFIX)
        self._ended = threading.Event()
        self._at = fleet.now or 0
        self._day, self._written, self._looked, self._rate, self._lag = 0, 0, time.monotonic(), 0.0, 0
        self._progress = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), TextColumn("day {task.completed}/{task.total}"),
            TimeElapsedColumn(), console=console,
        )  # fmt: skip
        self._task = self._progress.add_task("three weeks", total=days)
        self._live = Live(self._render(), console=console, refresh_per_second=4, transient=True)
        self._thread = threading.Thread(target=self._watch, name="screen", daemon=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._live.stop()
        self._redis.close()

    def told(self, at: int) -> None:
        """Time has come to `at`, and everything due before it is done."""
        self._at, self._day = at, min(self._days, self._day + 1)
        self._progress.update(self._task, completed=self._day)
        if not self._console.is_terminal:
            self._measure()
            self._console.print(f"{self._date()}  " + ", ".join(f"{name} {value}" for name, value in self._figures()))
            sys.stdout.flush()

    def totals(self) -> Totals:
        """The read model's counters of all systems shown; empty while Redis does not answer."""
        found = Counter[str]()
        try:
            for profile in self._profiles:
                held = self._redis.hgetall(self._keys.totals(profile.system))
                found.update({name.decode(): int(count) for name, count in dict(held).items()})  # type: ignore[union-attr]  # redis types sync and async answers as one
        except RedisError:
            return {}
        return found

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._measure()
            self._live.update(self._render())

    def _measure(self) -> None:
        try:
            written, lag = self._fleet.written(), self._fleet.lag()
        except NotAnsweredError:
            return  # the figures stay as they were
        now = time.monotonic()
        if self._written:
            self._rate = (written - self._written) / max(0.001, now - self._looked)
        self._written, self._looked, self._lag = written, now, lag

    def _date(self) -> str:
        return (
            datetime.fromtimestamp(self._at / 1000, UTC)
            .astimezone(ZoneInfo(self._profiles[0].zone))
            .strftime("%a %d %b %Y")
        )

    def _figures(self) -> list[tuple[str, str]]:
        totals = self.totals()
        levels = " / ".join(f"{totals.get(f'open:{level}', 0):,}" for level in range(1, self._levels + 1))
        return [
            ("received", f"{totals.get('registered', 0):,}"),
            (f"open L1-L{self._levels}", levels),
            ("up by time-out", f"{totals.get('escalated:time-out', 0):,}"),
            ("up by dissatisfaction", f"{totals.get('escalated:dissatisfaction', 0):,}"),
            ("defaulters", f"{totals.get('defaulted', 0):,}"),
            ("SMS accepted", f"{totals.get('sms:accepted', 0):,}"),
            ("lag", f"{self._lag:,}"),
            ("records/s", f"{self._rate:,.0f}"),
        ]

    def _render(self) -> Group:
        table = Table(show_header=False, show_edge=False, pad_edge=False)
        table.add_row("simulated date", self._date())
        for name, value in self._figures():
            table.add_row(name, value)
        return Group(self._progress, table)
