"""How a made-up case ends where a senior office has its say: reports approved, special and forced closing, grades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.simulate.draws import MINUTE_MS
from streams.profiles.profile import HOUR_MS

if TYPE_CHECKING:
    from agents.simulate.life import Life, Phase

SECOND_MS: Final = 1000
GRADES: Final = ("A", "A", "B", "B", "C")
SIGNED_BY: Final = "made-up-1"


def end(life: Life, at: int) -> Phase | None:
    """An office is through with a case at `at` (UTC ms), a minute or more before its due instant."""
    closing, draws, shares = life.profile.closing, life.draws, life.shares
    if closing.special is not None and draws.chance(shares.special):
        return _special(life, at)
    if closing.forced != "forbidden" and draws.chance(shares.forced):
        _forced(life, at)
        return None
    return report(life, at)


def report(life: Life, at: int) -> Phase | None:
    """A disposal; where a senior office has to approve, it may come back once or more."""
    life.wait(at)
    approved_at = life.profile.closing.approved_at
    life.dispose_command(at, at, life.level)
    if approved_at is None or life.level >= approved_at:
        life.desk.fact("case.disposed.v1")
        return life.disposed(at)
    if decided := _decided(life, at, approved_at, "case.disposed.v1"):
        return life.disposed(decided)
    return report(life, life.desk.now + life.draws.between(2 * HOUR_MS, 20 * HOUR_MS))


def _decided(life: Life, at: int, level: int, fact: str) -> int | None:
    """When the senior office approved; None where it returned the matter."""
    draws = life.draws
    life.desk.fact("case.close-proposed.v1")
    life.desk.sms("proposed", "officer")
    latest = at + 30 * HOUR_MS
    if life.profile.goes_up(life.level):
        # once the case has gone up, what was proposed below is void
        latest = min(latest, at + (life.due - at) // 2)
    decided = draws.between(at + SECOND_MS, latest)
    life.wait(decided)
    approve = draws.chance(life.shares.approved)
    body = {"by": life.officer(level), "approve": approve}
    life.desk.command(decided, "decide-close", body, fact if approve else "case.close-returned.v1")
    if not approve:
        life.desk.sms("returned", "officer")
        return None
    return decided


def _special(life: Life, at: int) -> Phase | None:
    rule = life.profile.closing.special
    assert rule is not None
    life.wait(at)
    body = {"by": life.officer(), "reason": life.draws.one(rule.reasons), "text": _text(life)}
    life.desk.command(at, "propose-close", body)
    if _decided(life, at, max(rule.decided_at, life.level), "case.special-closed.v1"):
        life.desk.ended("special")
        life.status = "closed"
        return None
    now = life.desk.now
    return report(life, now + (life.due - now) // 2 if life.due > now + MINUTE_MS else now + HOUR_MS)


def _forced(life: Life, at: int) -> None:
    rule = life.profile.closing.forced
    assert rule != "forbidden"
    life.wait(at)
    life.desk.command(at, "tell-citizen", {"by": life.officer(), "text": _text(life)}, "case.citizen-told.v1")
    body = {
        "by": {**life.officer(), "officer": SIGNED_BY},
        "reason": life.draws.one(rule.reasons),
        "text": _text(life),
    }
    life.wait(at + 30 * SECOND_MS)
    life.desk.command(at + 30 * SECOND_MS, "force-close", body, "case.force-closed.v1")
    life.desk.ended("forced")
    life.status = "closed"


def grade(life: Life) -> None:
    """A senior looks at the disposal some hours after the case was closed."""
    if not life.profile.closing.graded or life.level == life.profile.last_level:
        return
    if life.draws.chance(life.shares.graded):
        at = life.desk.now + life.draws.between(HOUR_MS, 20 * HOUR_MS)
        body = {"by": life.officer(life.level + 1), "grade": life.draws.one(GRADES)}
        life.desk.command(at, "grade", body, "case.graded.v1")


def _text(life: Life) -> str:
    return life.draws.one(life.draws.texts["notes"])
