"""Presence (R10): logins and minutes per local day; every officer with a login is told of once a day, active or not."""

from typing import Final

from msgspec.structs import replace

from schemas import officers as o
from streams.calendar import day_key
from streams.case.state import fingerprint
from streams.officers.lateness import first_open
from streams.officers.state import MOST_IN_A_DAY, DayTally, Officer, day_of, put_day
from streams.officers.turn import Turn
from streams.profiles.profile import PresenceRule

FLAGS: Final[tuple[o.Flag, ...]] = ("under-checks", "under-minutes", "never-logged-in", "silent")


def active(turn: Turn, command: o.Login | o.PortalTime) -> str | None:
    """Why it cannot be counted, or None."""
    officer = turn.officer
    if officer.status != "generated" or officer.generated_at is None or command.at < officer.generated_at:
        return "no-login-yet"
    day = day_of(officer, command.at, turn.profile.zone)
    if day.start_at < first_open(turn.officer.cut_to, turn.profile):
        return "too-late"
    known = fingerprint(command.id)
    # in whichever day: a retry may reach us after midnight, with another instant
    if any(known in each.seen for each in officer.days):
        return "repeated"
    return "too-many-in-a-day" if len(day.seen) >= MOST_IN_A_DAY else None


def login(turn: Turn, command: o.Login) -> None:
    day = day_of(turn.officer, command.at, turn.profile.zone)
    last = command.at if day.last_login_at is None else max(command.at, day.last_login_at)
    if not turn.officer.logged_in:
        turn.change(logged_in=True)
        turn.tell(o.FirstLogin, "first-login", command.at)
    _count(turn, command, replace(day, logins=day.logins + 1, last_login_at=last))


def portal_time(turn: Turn, command: o.PortalTime) -> None:
    day = day_of(turn.officer, command.at, turn.profile.zone)
    _count(turn, command, replace(day, minutes=day.minutes + command.minutes))


def _count(turn: Turn, command: o.Login | o.PortalTime, day: DayTally) -> None:
    # sorted, so that the same day is the same state in whatever order it was told
    day = replace(day, seen=tuple(sorted((*day.seen, fingerprint(command.id)))))
    turn.officer = put_day(turn.officer, day)
    if day.end_at <= turn.officer.cut_to:
        _revise(turn, day, command.at)


def cut(turn: Turn, at: int) -> None:
    """A day is over, and its allowed lateness: its result."""
    day = day_of(turn.officer, turn.officer.cut_to, turn.profile.zone)
    turn.officer = put_day(turn.officer, day)
    turn.change(cut_to=day.end_at)
    _tell(turn, day, "final", "day-is-over", at)
    _trim(turn)


def _revise(turn: Turn, changed: DayTally, at: int) -> None:
    """Days told already that are not as they were told: the one that changed, and those after it that knew no login."""
    for day in turn.officer.days:
        told = day.flags == _flags(turn, day) and day.told_login_at == last_login(turn.officer, day)
        late = changed.start_at <= day.start_at < turn.officer.cut_to
        if late and (day.start_at == changed.start_at or not told):
            _tell(turn, day, "revised", "told-late", at)


def _tell(turn: Turn, day: DayTally, result: o.Result, why: str, at: int) -> None:
    flags, last = _flags(turn, day), last_login(turn.officer, day)
    turn.officer = put_day(turn.officer, replace(day, flags=flags, told_login_at=last))
    turn.tell(
        o.PresenceDay,
        why,
        at,
        day=day_key(day.start_at, turn.profile.zone),
        result=result,
        logins=day.logins,
        minutes=day.minutes,
        flags=flags,
        last_login_at=last,
    )


def last_login(officer: Officer, until: DayTally) -> int | None:
    """The last login up to the end of a day."""
    logins = [day.last_login_at for day in officer.days if day.start_at <= until.start_at]
    known = [each for each in (officer.earlier_login_at, *logins) if each is not None]
    return max(known, default=None)


def _flags(turn: Turn, day: DayTally) -> tuple[o.Flag, ...]:
    rule, last = turn.rule.presence, last_login(turn.officer, day)
    since = turn.officer.generated_at or 0
    met = (
        day.logins < rule.checks_per_day,
        day.minutes < rule.minutes_per_day,
        last is None,
        _silent(rule, day.end_at - (since if last is None else last)),
    )
    return tuple(flag for flag, holds in zip(FLAGS, met, strict=True) if holds)


def _silent(rule: PresenceRule, for_ms: int) -> bool:
    return bool(rule.silent_days) and for_ms >= rule.silent_ms


def _trim(turn: Turn) -> None:
    """Let go the days that can be revised no more; the last login among them is remembered."""
    first = first_open(turn.officer.cut_to, turn.profile)
    gone = [day.last_login_at for day in turn.officer.days if day.start_at < first]
    if gone:
        known = [each for each in (turn.officer.earlier_login_at, *gone) if each is not None]
        turn.change(
            days=tuple(day for day in turn.officer.days if day.start_at >= first),
            earlier_login_at=max(known, default=None),
        )
