"""One case as it will have been: drawn step by step in order of time, written as input lines and counted as facts.

The rules of time, escalation and feedback are worked out here once more, from the profile's figures alone: what the
system decides is compared with it, so nothing that decides is used.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NamedTuple

from agents.simulate import seniors
from agents.simulate.desk import Desk, Over
from agents.simulate.draws import MINUTE_MS
from streams.profiles.due import due_at
from streams.profiles.profile import DAY_MS, HOUR_MS
from streams.profiles.rules import LevelRule

Phase = Callable[[], "Phase | None"]
"""A part of the case's life; answers the next one."""
TOLD_LATE_MS: Final = (30 * HOUR_MS, 50 * HOUR_MS)
"""How long after the due instant a timely disposal is told: longer than a step of simulated time can be."""


class Deed(NamedTuple):
    """Something that happens while a case is pending."""

    at: int
    do: Callable[[int], None]


class Life:
    """Draws the life of one registered case and leaves what stands at the end in the ground truth."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.draws, self.profile = desk, desk.draws, desk.profile
        self.shares = desk.draws.world.shares
        self.reexamined = self.disposed_at = 0
        self.sent_back = self.partial = False
        self.status = "open"
        self.begin(desk.first_level, desk.registered_at)

    def live(self) -> str:
        """Run to the end of the simulation; answer what stands then."""
        phase: Phase | None = self.first if self.desk.timed else self.recorded
        try:
            while phase is not None:
                phase = phase()
        except Over:
            pass  # the rest lies after the end
        return f"open L{self.level}" if self.status == "open" else self.status

    def begin(self, level: int, at: int) -> None:
        """A level begins, with its full time."""
        self.level, self.level_at = level, at
        self.due = due_at(self.profile, level, self.desk.kind, at)
        self.warned = self.lapsed = False

    def first(self) -> Phase:
        """Where offices mark cases down, one above the first level does so; the clock runs on."""
        if not self.profile.marking or self.level == 1 or self.desk.against:
            return self.pending
        at = self.draws.office_time(self.desk.now + 5 * MINUTE_MS, self.desk.now + 2 * DAY_MS)
        self.desk.command(at, "mark", {"by": self.officer(), "to_level": 1}, "case.marked.v1")
        self.desk.sms("marked", "officer")
        self.level = 1
        return self.pending

    def recorded(self) -> Phase | None:
        """No clock runs: an office may look and close it."""
        self.status = "recorded"
        seen = self.draws.office_time(self.desk.now + 5 * MINUTE_MS, self.desk.now + 2 * DAY_MS)
        self._view(seen)
        if not self.draws.chance(self.shares.acknowledged):
            return None
        at = self.draws.office_time(seen + MINUTE_MS, seen + 4 * DAY_MS)
        self.dispose_command(at, at, self.level)
        self.desk.fact("case.disposed.v1")
        self.desk.sms("disposed", "citizen")
        self.desk.closed("recorded")
        self.status = "closed"
        return None

    def pending(self) -> Phase | None:
        """An office has it, and the clock runs."""
        draws, shares, due = self.draws, self.shares, self.due
        earliest = max(self.level_at, self.desk.now) + 5 * MINUTE_MS
        if self.profile.goes_up(self.level) and draws.chance(shares.told_after_due):
            return self._told_after_due(due)
        if self._rule.sends_back and not self.sent_back and draws.chance(shares.sent_back):
            return self._send_back(draws.office_time(earliest, due - self.profile.warn_before_ms - MINUTE_MS))
        late = draws.chance(shares.time_out if self.level == 1 else shares.time_out_above)
        until = due if late else draws.office_time(earliest, due - MINUTE_MS)
        deeds = [Deed(due - self.profile.warn_before_ms, self._warned), *self._deeds(earliest, until)]
        for deed in sorted((each for each in deeds if each.at < until), key=attrgetter("at")):
            deed.do(deed.at)
        return self._time_out(due) if late else seniors.end(self, until)

    @property
    def _rule(self) -> LevelRule:
        return self.profile.levels[self.level - 1]

    def _deeds(self, earliest: int, until: int) -> list[Deed]:
        draws, shares = self.draws, self.shares
        if until - earliest < HOUR_MS:
            return []
        likely: tuple[tuple[float, Callable[[int], None]], ...] = (
            (1.0, self._view),
            (0.5, self._view),
            (0.5, self._note),
            (shares.pendency_reason, self._reason),
            (shares.transferred if self.level == 1 else 0.0, self._transfer),
            (shares.wrong_office, self._wrong_office),
            (shares.too_early, self._too_early),
        )
        return [Deed(draws.office_time(earliest, until), deed) for share, deed in likely if draws.chance(share)]

    def _told_after_due(self, due: int) -> Phase:
        """Disposed in time, told late: the time-out happens, and the profile says what becomes of it."""
        desk, level, level_at = self.desk, self.level, self.level_at
        self._warned(due - self.profile.warn_before_ms)
        made_at = self.draws.between(due - 20 * HOUR_MS, due - MINUTE_MS)
        self._time_out(due)
        told = due + self.draws.between(*TOLD_LATE_MS)
        self.dispose_command(told, made_at, level)
        if self.profile.late_disposal == "withdraw":
            desk.fact("case.escalation-withdrawn.v1")
            self.level, self.level_at = level, level_at
        return self._dispose(made_at)

    def _warned(self, at: int) -> None:
        self.desk.reach(at)
        self.desk.fact("case.defaulter-warned.v1")
        self.warned = True

    def wait(self, until: int) -> None:
        """Let the warning and the due instant pass that lie before an office's next step."""
        warn_at = self.due - self.profile.warn_before_ms
        if not self.warned and warn_at <= until:
            self._warned(warn_at)
        if not self.lapsed and self.due <= until:
            self._lapse(self.due)

    def _lapse(self, due: int) -> None:
        self.desk.reach(due)
        self.desk.fact("case.became-defaulter.v1")
        self.lapsed = True

    def _time_out(self, due: int) -> Phase | None:
        self._lapse(due)
        if self.profile.goes_up(self.level):
            return self._escalate("time-out", self.level + 1, due)
        if self._rule.sent_up_for and self.draws.chance(self.shares.sent_up):
            return self._send_up(self.draws.office_time(due + 6 * HOUR_MS, due + 5 * DAY_MS))
        if not self.draws.chance(self.shares.disposed_after_all):
            return None
        return seniors.report(self, self.draws.office_time(due + 6 * HOUR_MS, due + 5 * DAY_MS))

    def _send_up(self, at: int) -> Phase:
        condition = self.draws.one(self._rule.sent_up_for)
        self._sent(at, "send-up", {"condition": condition}, "sent-up", self.level + 1)
        return self.pending

    def _send_back(self, at: int) -> Phase:
        self.sent_back = True
        self._sent(at, "send-back", {}, "sent-back", self.level - 1)
        return self.pending

    def _sent(self, at: int, action: str, more: dict[str, Any], step: str, level: int) -> None:
        text = self.draws.one(self.draws.texts["notes"])
        self.desk.command(at, action, {"by": self.officer(), "text": text, **more}, f"case.{step}.v1")
        self.desk.sms(step, "officer")
        self.desk.sms(step, "citizen")
        self.begin(level, at)

    def _escalate(self, cause: str, level: int, at: int) -> Phase:
        self.desk.escalated(cause, self.level, level)
        self.status = "open"
        self.begin(level, at)
        return self.pending

    def _revive(self, at: int) -> Phase:
        self.desk.fact("case.revived.v1")
        self.desk.sms("revived", "officer")
        self.desk.sms("revived", "citizen")
        self.status = "open"
        self.begin(self.level, at)
        return self.pending

    def _dispose(self, at: int) -> Phase:
        self.desk.fact("case.disposed.v1")
        return self.disposed(at)

    def disposed(self, at: int) -> Phase:
        """The office's word stands, and the citizen is asked; the fact is counted already."""
        self.desk.sms("disposed-partial" if self.partial else "disposed", "citizen")
        self.status, self.disposed_at = "disposed", at
        if self.draws.chance(self.shares.clicked_twice):
            again = self.desk.now + 2 * MINUTE_MS
            self.dispose_command(again, again, self.level, "not-pending")
        return self.feedback if self.profile.feedback.attempts else self._unknown

    def feedback(self) -> Phase | None:
        """Calls until somebody answers or the attempts are used up."""
        draws, shares, rule = self.draws, self.shares, self.profile.feedback
        due = self.disposed_at + rule.first_after_ms
        for attempt in range(1, rule.attempts + 1):
            self.desk.reach(due)
            self.desk.fact("case.feedback-call-due.v1")
            called = max(due, self.desk.now) + draws.between(HOUR_MS // 2, 9 * HOUR_MS)
            if called >= due + rule.spacing_ms or draws.chance(shares.outcome_missing):
                due += rule.spacing_ms
                self.desk.reach(due)
                self.desk.fact("case.feedback-attempted.v1")
            elif draws.chance(shares.reached):
                return self._answered(called)
            else:
                self._call(called, "call-unreachable", "case.feedback-attempted.v1")
                due = called + rule.spacing_ms
                if attempt == rule.attempts:
                    return self._unknown
        return self._unknown

    def _unknown(self) -> Phase | None:
        return self._close("satisfaction-unknown")

    def _answered(self, at: int) -> Phase | None:
        if self.draws.chance(self.shares.dissatisfied):
            self._call(at, "report-dissatisfied", "case.dissatisfied.v1", **self._complaint_of_disposal(at))
            return self._dissatisfied(at)
        self._call(at, "confirm-satisfied", "case.satisfied.v1")
        return self._close("satisfied")

    def _dissatisfied(self, at: int) -> Phase | None:
        revives = self._rule.dissatisfied == "revive"
        if self.level < self.profile.last_level and not revives:
            return self._escalate("dissatisfaction", self.level + 1, at)
        if self.reexamined < self.profile.reexaminations:
            self.reexamined += 1
            return self._revive(at) if revives else self._escalate("dissatisfaction", self.level, at)
        return self._close("dissatisfied")

    def _close(self, outcome: str) -> Phase | None:
        self.desk.closed(outcome)
        self.status = "closed"
        seniors.grade(self)
        return self._reopened if self.draws.chance(self.shares.reopened) else None

    def _reopened(self) -> Phase | None:
        at = self.desk.now + self.draws.between(DAY_MS, 6 * DAY_MS)
        self._call(at, "reopen", "case.reopened.v1", **self._complaint_of_disposal(at))
        return self._dissatisfied(at)

    def _view(self, at: int) -> None:
        self.desk.command(at, "view", {"by": self.officer()}, "case.viewed.v1")

    def _note(self, at: int) -> None:
        text = self.draws.one(self.draws.texts["notes"])
        self.desk.command(at, "add-note", {"by": self.officer(), "text": text}, "case.note-added.v1")

    def _reason(self, at: int) -> None:
        reason = self.draws.one(("under-inquiry", "awaiting-site-visit", "awaiting-funds", "complainant-not-available"))
        body = {"by": self.officer(), "reason": reason}
        self.desk.command(at, "give-pendency-reason", body, "case.pendency-reason-given.v1")

    def _transfer(self, at: int) -> None:
        category = self.draws.category(other_than=self.desk.category)
        body = {"by": self.officer(), "category": category}
        self.desk.command(at, "transfer", body, "case.transferred.v1")
        self.desk.category = category

    def _wrong_office(self, at: int) -> None:
        office = "revenue:tehsildar@none/of-this-case"
        body = {"by": {"role": "officer", "office": office}, "remarks": self.draws.one(self.draws.texts["remarks"])}
        self.desk.command(at, "dispose", body, rejected="not-owner")

    def _too_early(self, at: int) -> None:
        self.desk.command(at, "confirm-satisfied", {"by": {"role": "call-centre"}}, rejected="not-disposed")

    def dispose_command(self, told: int, made_at: int, level: int, rejected: str | None = None) -> None:
        shares, draws = self.shares, self.draws
        body = {
            "by": {"role": "officer"} if draws.chance(shares.system_of_record) else self.officer(level),
            "remarks": draws.one(draws.texts["remarks"]),
            "talked_to_complainant": draws.chance(shares.talked),
            "site_visit": draws.chance(shares.visited),
        }
        if self.profile.closing.partial and rejected is None and self.desk.timed:
            self.partial = draws.chance(shares.partial)
            body["kind"] = "partial" if self.partial else "full"
        if self.profile.closing.relief and self.desk.timed:
            body["relief"] = draws.chance(shares.relief)
        self.desk.command(told, "dispose", body, rejected=rejected, made_at=made_at)

    def _call(self, at: int, action: str, fact: str, **more: Any) -> None:
        self.desk.command(at, action, {"by": {"role": "call-centre"}, **more}, fact)

    def _complaint_of_disposal(self, at: int) -> dict[str, Any]:
        reason = self.draws.one(("not-done", "partly-done", "wrong-report", "not-contacted", "poor-quality"))
        text = self.draws.one(self.draws.texts["dissatisfied"])
        return {"reason": reason, "recording": self.desk.recording(at), "text": text}

    def officer(self, level: int | None = None) -> dict[str, str]:
        role = "delegate" if self.draws.chance(self.shares.by_delegate) else "officer"
        return {"role": role, "office": self.desk.owner(self.level if level is None else level)}
