"""Where a drawn life becomes input lines and counted facts: one desk per case."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from agents.simulate.draws import Draws
from agents.simulate.lines import Line, Way
from agents.simulate.truth import Truth
from streams.ids import case_id
from streams.profiles.due import Kind
from streams.profiles.profile import DAY_MS

if TYPE_CHECKING:
    from schemas.base import CaseType

RETRY_MS: Final = (1_000, 600_000)
REJECTED: Final = "case.command-rejected.v1"


class Over(Exception):  # noqa: N818 - no fault: the simulation's end has come
    """What would happen next lies after the end."""


class Desk:
    """Writes one case's lines and counts its facts; `now` is the latest instant it has come to, UTC ms."""

    def __init__(self, draws: Draws, truth: Truth, emit: Callable[[Line], None], way: Way, number: int) -> None:
        self.draws, self.profile = draws, draws.profile
        self._truth, self._emit = truth, emit
        self.way, self.number = way, number
        self.case = self.category = self.language = ""
        self.case_type: CaseType = "complaint"
        self.place: dict[str, Any] = {}
        self.first_level = 1
        self.source: str | None = None
        self.against = False
        """The complaint is against an officer: the office above works on it itself."""
        self.timed = True
        self.registered_at = self.now = self.told_at = 0
        self._commands = 0

    @property
    def kind(self) -> Kind:
        """What the days of its levels depend on."""
        return Kind(self.case_type, self.category, self.source)

    def reach(self, at: int) -> None:
        """Come to an instant; raises Over when it lies after the end."""
        if at > self._truth.end_at:
            raise Over
        self.now = max(self.now, at)

    def submit(self, received: int, made_at: int, channel: str, body: dict[str, Any]) -> Line:
        """The submission that opens the case, and the facts of its registration."""
        self.category, self.language, self.place = body["category"], body["language"], body["place"]
        self.timed = body["type"] in self.profile.timed_types
        self.source = self.profile.source_of(body["channel"], body.get("source"))
        source = None if self.source is None else self.profile.intake_sources.get(self.source)
        self.against = "against_level" in body
        self.case_type = body["type"]
        self.first_level = max(1 if source is None else source.level, 1 + body.get("against_level", 0))
        self.now, self.told_at, self.registered_at = received, received, made_at
        key = f"{channel}-{self._truth.seed}-{self.number:07d}"
        self.case = case_id(self.profile.code, channel, key)
        line = Line(received, self.way, key, body=body)
        self._emit(line)
        self._truth.door["taken"] += 1
        self._truth.submissions["registered"] += 1
        self.fact("case.registered.v1")
        self.fact("case.routed.v1")
        step = "registered" if self.timed else "recorded"
        self.sms(step, "officer")
        self.sms(step, "citizen")
        return line

    def fact(self, tag: str) -> None:
        self._truth.events[tag] += 1

    def sms(self, step: str, audience: str) -> None:
        """Requested where the profile has a text for it."""
        language = self.language if audience == "citizen" else self.profile.languages[0]
        if f"{step}.{audience}.{language}" in self.profile.templates:
            self._truth.sms[f"{step} {audience}"] += 1

    def escalated(self, cause: str, from_level: int, to_level: int) -> None:
        self.fact("case.escalated.v1")
        self._truth.escalations[f"{cause} L{from_level} to L{to_level}"] += 1
        self.sms(f"escalated-{cause}", "officer")
        self.sms(f"escalated-{cause}", "citizen")

    def closed(self, outcome: str) -> None:
        self.fact("case.closed.v1")
        self._truth.closed[outcome] += 1
        self.sms(f"closed-{outcome}", "citizen")

    def command(
        self,
        told: int,
        action: str,
        body: dict[str, Any],
        fact: str | None = None,
        *,
        rejected: str | None = None,
        made_at: int | None = None,
    ) -> None:
        """An action of an office or the call centre that reaches us at `told`; raises Over."""
        self.reach(told)
        self._commands += 1
        key = f"act-{self.number:07d}-{self._commands}"
        at = told if made_at is None else made_at
        line = Line(told, self.way, key, case=self.case, body={"type": action, **body, "occurred_at": at})
        self._emit(line)
        self._truth.door["taken"] += 1
        self._truth.commands["taken" if rejected is None else f"rejected {rejected}"] += 1
        if rejected is not None:
            self.fact(REJECTED)
        if fact is not None:
            self.fact(fact)
        # a retry that could overtake the registration is left out: which of the two comes first is chance
        if told >= self.told_at + DAY_MS and self.draws.chance(self.draws.world.shares.sent_twice):
            self._sent_twice(line)

    def _sent_twice(self, line: Line) -> None:
        again = Line(line.at + self.draws.between(*RETRY_MS), line.way, line.key, case=line.case, body=line.body)
        if again.at > self._truth.end_at:
            return
        self._emit(again)
        if line.way == "http":
            self._truth.door["again"] += 1
            return
        self._truth.door["taken"] += 1
        self._truth.commands["rejected repeated"] += 1
        self.fact(REJECTED)

    def ended(self, how: str) -> None:
        """Closed otherwise than by a disposal that was confirmed; the fact is counted with its command."""
        self._truth.closed[how] += 1
        self.sms(f"closed-{how}", "citizen")

    def owner(self, level: int) -> str:
        """The office that has the case at a level, by the profile's chains."""
        profile, place = self.profile, self.place
        department = profile.categories[self.category].department
        scopes = {
            "state": "state",
            "division": profile.districts[place["district"]].division,
            "district": str(place["district"]),
            **{kind: f"{place['district']}/{code}" for kind, code in place.items() if kind != "district"},
        }
        posts = profile.chains[profile.departments[department].chain].levels[level - 1]
        post = next(post for post in posts if post.unit in scopes)
        return f"{department}:{post.post}@{scopes[post.unit]}"

    def recording(self, at: int) -> dict[str, Any]:
        """A call recording, by reference; the digest is of nothing."""
        ref = f"rec-{self.number:07d}-{self._commands + 1}"
        digest = hashlib.sha256(ref.encode()).hexdigest()
        duration = self.draws.between(40_000, 300_000)
        return {"store": "call-centre", "ref": ref, "sha256": digest, "started_at": at, "duration_ms": duration}
