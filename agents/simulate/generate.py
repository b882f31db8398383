"""The whole simulation: submissions by the day curve, each case's life behind them, faults between."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from agents.simulate.desk import Desk
from agents.simulate.draws import Draws
from agents.simulate.faulty import Faults
from agents.simulate.life import Life
from agents.simulate.lines import Line, Way
from agents.simulate.truth import Truth, total
from agents.simulate.world import world
from streams.profiles.profile import DAY_MS, HOUR_MS, Profile

RECENT: Final = 500
"""Of so many latest cases one may be the same citizen's other matter, or get a faulty action."""
MINUTE: Final = 60_000
WAITS_MS: Final = DAY_MS
"""How long a command waits for the registration of its case before it is rejected (docs/decisions/0001)."""
FIRST_MOBILE: Final = 10**9
"""Numbers that begin with 1 and have ten digits are nobody's mobile in India."""
MOBILES: Final = 10**7
"""Numbers of one system's citizens, so that no two systems share one."""
OFFICERS_COMPLAINED_OF: Final = 3
MATTERS: Final = 3
"""Most matters of one citizen: below the caps of every system."""


class Simulation:
    """Lines in order of time, by iterating; `truth` is complete when the last line is out."""

    def __init__(self, profile: Profile, seed: int, *, scale: float = 1.0, days: int | None = None) -> None:
        volume = world().volume
        self.profile, self._shares = profile, world().shares
        self.draws = Draws(seed, profile)
        self.days = days or volume.days
        start_at = int(volume.start.timestamp() * 1000)
        self.truth = Truth(system=profile.system, seed=seed, start_at=start_at, end_at=start_at + self.days * DAY_MS)
        per_day = volume.complaints * scale / volume.days
        self._moments = self.draws.received(start_at, self.days, max(1, round(per_day * self.days)))
        self._heap: list[tuple[int, int, Line]] = []
        self._serial = 0
        self._recent: list[tuple[str, Way, str, str]] = []
        self._matters = Counter[str]()
        self._first_mobile = FIRST_MOBILE + int(profile.code) * MOBILES
        self._faults = Faults(self.draws, self.truth, self._emit)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        return (self.profile,)

    def __iter__(self) -> Iterator[Line]:
        for number, received in enumerate(self._moments, 1):
            yield from self._until(received)
            self._submission(number, received)
            self._faulty(received)
        yield from self._until(self.truth.end_at + 1)

    def _until(self, at: int) -> Iterator[Line]:
        while self._heap and self._heap[0][0] < at:
            line = heapq.heappop(self._heap)[2]
            self.truth.lines[line.way] = self.truth.lines.get(line.way, 0) + 1
            yield line

    def _emit(self, line: Line) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (line.at, self._serial, line))

    def _submission(self, number: int, received: int) -> None:
        draws, shares = self.draws, self._shares
        way: Way = "http" if draws.chance(shares.by_http) else "load"
        mobile, other_than = str(self._first_mobile + number), ""
        if self._recent and draws.chance(shares.other_matter):
            found = draws.one(self._recent)
            if self._matters[found[0]] < MATTERS:
                mobile, way, other_than, _ = found
        self._matters[mobile] += 1
        desk = Desk(draws, self.truth, self._emit, way, number)
        made_at = received - draws.between(2 * HOUR_MS, 60 * HOUR_MS) if draws.chance(shares.told_late) else received
        body = self._body(mobile, made_at, other_than)
        line = desk.submit(received, made_at, body["channel"], body)
        self._again(desk, line)
        standing = Life(desk).live()
        self.truth.standing[standing] = self.truth.standing.get(standing, 0) + 1
        self._recent = [*self._recent[-RECENT + 1 :], (mobile, way, body["category"], desk.case)]

    def _body(self, mobile: str, made_at: int, other_than: str = "") -> dict[str, Any]:
        draws, shares = self.draws, self._shares
        kind = draws.random.choices(
            ("demand", "information", "suggestion", "complaint"),
            (
                shares.demand,
                shares.information,
                shares.suggestion,
                1 - shares.demand - shares.information - shares.suggestion,
            ),
        )[0]
        if kind not in self.profile.case_types:
            kind = "complaint"
        category = draws.category(other_than)
        language = "en" if draws.chance(shares.english) and "en" in self.profile.languages else "hi"
        body: dict[str, Any] = {
            "system": self.profile.system,
            "type": kind,
            "channel": draws.channel(),
            "category": category,
            "place": draws.place(category),
            "text": draws.text(kind if kind in ("information", "suggestion") else category, language),
            "language": language,
            "mobile": mobile,
            "occurred_at": made_at,
        }
        if kind in self.profile.timed_types and draws.chance(shares.against_officer):
            body["against_level"] = 1 + int(draws.random.random() * OFFICERS_COMPLAINED_OF)
        if self.profile.intake_sources and draws.chance(shares.names_source):
            body["source"] = draws.one(sorted(self.profile.intake_sources))
        return body

    def _again(self, desk: Desk, line: Line) -> None:
        """The channel sends it twice, or gives its key to something else; the citizen says it again days later."""
        draws, shares, body = self.draws, self._shares, line.body or {}
        if draws.chance(shares.sent_twice):
            self._retry(line, body, "again", "repeated")
        if draws.chance(shares.key_reused):
            self._retry(line, body | {"text": body["text"] + " (२)"}, "reused", "rejected conflict")
        if draws.chance(shares.said_again):
            self._said_again(desk, line.at + draws.between(2 * HOUR_MS, 10 * DAY_MS), body)

    def _retry(self, line: Line, body: dict[str, Any], at_the_door: str, by_intake: str) -> None:
        again = Line(line.at + self.draws.between(1_000, 600_000), line.way, line.key, body=body)
        if again.at > self.truth.end_at:
            return
        self._emit(again)
        if line.way == "http":
            self.truth.door[at_the_door] += 1
        else:
            self.truth.door["taken"] += 1
            self.truth.submissions[by_intake] += 1

    def _said_again(self, desk: Desk, at: int, body: dict[str, Any]) -> None:
        if at > self.truth.end_at:
            return
        channel = self.draws.channel()
        body = body | {"text": self.draws.said_again(body["text"]), "channel": channel, "occurred_at": at}
        self._emit(Line(at, desk.way, f"{channel}-{self.truth.seed}-again-{desk.number:07d}", body=body))
        self.truth.door["taken"] += 1
        self.truth.submissions["duplicate"] += 1
        desk.fact("case.duplicate-linked.v1")
        desk.sms("duplicate", "citizen")

    def _faulty(self, received: int) -> None:
        draws, shares = self.draws, self._shares
        at = received + draws.between(1, MINUTE)
        if at > self.truth.end_at:
            return
        if draws.chance(shares.malformed * 0.7):
            self._faults.submission(at, self._body(str(FIRST_MOBILE), at))
        if draws.chance(shares.malformed * 0.3):
            self._faults.no_recording(at, draws.one(self._recent)[3])
        if draws.chance(shares.wrong_number):
            self._faults.wrong_number(at, WAITS_MS)


class Together:
    """Several systems at once, over the same weeks: their lines in order of time, their truths added up."""

    def __init__(self, parts: Sequence[Simulation]) -> None:
        self.parts, self.days, self.profile = parts, parts[0].days, parts[0].profile

    def __iter__(self) -> Iterator[Line]:
        return heapq.merge(*self.parts, key=lambda line: line.at)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        return tuple(part.profile for part in self.parts)

    @property
    def truth(self) -> Truth:
        """Complete when the last line is out."""
        return total([part.truth for part in self.parts])
