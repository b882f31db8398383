"""Which SMS a fact calls for: a pure projection of decided facts, one and only one per (case, audience, fact)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas import events as e
from schemas.sms import Audience, SmsRequested
from streams.case.state import Case
from streams.profiles.profile import Profile
from streams.profiles.texts import filled
from streams.text import segments


class Telling(NamedTuple):
    """What a fact tells, and whom; `office` where it is not the one that has the case."""

    step: str
    to: tuple[Audience, ...]
    due_at: int | None = None
    office: str | None = None


BOTH: Final[tuple[Audience, ...]] = ("officer", "citizen")
OFFICER: Final[tuple[Audience, ...]] = ("officer",)
CITIZEN: Final[tuple[Audience, ...]] = ("citizen",)
TELLS: Final[dict[type[Any], Callable[[Any, Case], Telling]]] = {
    e.CaseRouted: lambda fact, _: Telling("recorded" if fact.due_at is None else "registered", BOTH, fact.due_at),
    e.DuplicateLinked: lambda _, __: Telling("duplicate", CITIZEN),
    e.CaseEscalated: lambda fact, _: Telling(f"escalated-{fact.cause}", BOTH, fact.due_at),
    e.CaseDisposed: lambda fact, _: Telling("disposed" if fact.kind == "full" else "disposed-partial", CITIZEN),
    e.CaseClosed: lambda fact, _: Telling(f"closed-{fact.outcome}", CITIZEN),
    e.CaseRevived: lambda fact, _: Telling("revived", BOTH, fact.due_at),
    e.CaseMarked: lambda fact, _: Telling("marked", OFFICER, fact.due_at),
    e.CloseProposed: lambda fact, case: Telling("proposed", OFFICER, case.due_at, fact.decider_office),
    e.CloseReturned: lambda _, case: Telling("returned", OFFICER, case.due_at),
    e.CaseSentUp: lambda fact, _: Telling("sent-up", BOTH, fact.due_at),
    e.CaseSentBack: lambda fact, _: Telling("sent-back", BOTH, fact.due_at),
    e.SpecialClosed: lambda _, __: Telling("closed-special", CITIZEN),
    e.ForceClosed: lambda _, __: Telling("closed-forced", CITIZEN),
}


def messages(fact: e.Event, case: Case, profile: Profile) -> list[SmsRequested]:
    """The SMS of one fact; `case` is the case after it. A step without template in the profile sends nothing."""
    tells = TELLS.get(type(fact))
    if tells is None:
        return []
    telling = tells(fact, case)
    found = [_sms(fact, case, profile, telling, audience) for audience in telling.to]
    return [sms for sms in found if sms is not None]


def _sms(fact: e.Event, case: Case, profile: Profile, telling: Telling, audience: Audience) -> SmsRequested | None:
    step, _, due_at, office = telling
    citizen = audience == "citizen"
    language = case.language if citizen else profile.languages[0]
    template = profile.templates.get(f"{step}.{audience}.{language}")
    if template is None or profile.dlt is None or (citizen and case.contact is None):
        return None
    due = "" if due_at is None else _day(due_at, profile.zone)
    text = filled(template, case=fact.case, due=due, level=str(fact.level))
    return SmsRequested(
        id=f"{fact.case}-{fact.seq}-{audience}",
        case=fact.case,
        system=fact.system,
        at=fact.at,
        audience=audience,
        step=step,
        language=language,
        template=template.id,
        text=text,
        segments=segments(text),
        office=None if citizen else office or fact.office,
        citizen=case.citizen if citizen else None,
        contact=case.contact if citizen else None,
        entity=profile.dlt.entity,
        header=profile.dlt.header,
    )


@lru_cache(maxsize=4096)
def _day_of(hour: int, zone: str) -> str:
    return datetime.fromtimestamp(hour * 1800, UTC).astimezone(ZoneInfo(zone)).strftime("%d/%m/%Y")


def _day(at: int, zone: str) -> str:
    """The local calendar day, dd/mm/yyyy. Half hours are the finest offset of any zone in use here."""
    return _day_of(at // 1_800_000, zone)
