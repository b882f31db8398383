"""What is written of decided facts: the case's own log, escalations, clusters, department feeds, SMS, counts."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.assignments import AssignmentStep, DepartmentAssigned
from schemas.base import Place, Record
from schemas.clusters import ClusterSighting
from schemas.registry import department_feed
from streams.case import notify, tally
from streams.case.state import Case
from streams.cluster.stage import cluster_key
from streams.profiles.profile import Profile
from streams.sla.windows import unit_key
from streams.stage import Output

Dated = (
    e.CaseRouted | e.CaseTransferred | e.CaseMarked | e.CaseSentBack | e.CaseEscalated | e.CaseSentUp | e.CaseRevived
    | e.EscalationWithdrawn
)  # fmt: skip
"""Facts after which an office has the case until an instant."""
Tells = Callable[[Any, Case, Profile, c.Register | None], list[Output]]


def project(decided: list[tuple[e.Event, Case, Profile]], command: c.Register | None = None) -> list[Output]:
    """Facts as records: the case's own log, escalations, the department's feed, SMS to request, counts."""
    outputs = []
    for fact, case, profile in decided:
        outputs.append(Output(t.CASE_EVENTS, fact.case, fact, fact.at))
        tells = TOLD.get(type(fact))
        if tells is not None:
            outputs += tells(fact, case, profile, command)
        for sms in notify.messages(fact, case, profile):
            outputs.append(Output(t.SMS_REQUESTED, sms.id, sms, sms.at))
    for count in tally.facts([fact for fact, _, _ in decided]):
        outputs.append(Output(t.SLA_FACTS, unit_key(count), count, count.at))
    return outputs


def _registered(fact: e.CaseRegistered, _: Case, profile: Profile, __: c.Register | None) -> list[Output]:
    if not profile.intake.cluster_days:
        return []
    key = cluster_key(fact.system, fact.category, fact.place)
    return [Output(t.CLUSTER_SIGHTED, key, _sighting(fact), fact.at)]


def _routed(fact: e.CaseRouted, case: Case, profile: Profile, command: c.Register | None) -> list[Output]:
    return [_assigned(fact, case, profile, "registered", None if command is None else command.text)]


def _up(raised: Callable[[Any, Case, Profile], Record]) -> Tells:
    """A record for services downstream, and the department's feed."""

    def tells(fact: Any, case: Case, profile: Profile, _: c.Register | None) -> list[Output]:
        up = Output(t.ESCALATION_RAISED, fact.case, raised(fact, case, profile), fact.at)
        return [up, _assigned(fact, case, profile, "escalated")]

    return tells


def _as(step: AssignmentStep) -> Tells:
    """The department's feed alone is told."""
    return lambda fact, case, profile, _: [_assigned(fact, case, profile, step)]


def _sighting(fact: e.CaseRegistered) -> ClusterSighting:
    return ClusterSighting(
        case=fact.case,
        system=fact.system,
        category=fact.category,
        place=fact.place,
        citizen=fact.citizen,
        at=fact.at,
    )


def _raised(fact: e.CaseEscalated, case: Case, profile: Profile) -> e.EscalationRaised:
    told = _gone_up(fact, case, profile)
    return e.EscalationRaised(**told, cause=fact.cause, reason=fact.reason, recording=fact.recording)


def _sent_up(fact: e.CaseSentUp, case: Case, profile: Profile) -> e.EscalationSentUp:
    return e.EscalationSentUp(**_gone_up(fact, case, profile), condition=fact.condition)


def _gone_up(fact: e.CaseEscalated | e.CaseSentUp, case: Case, profile: Profile) -> dict[str, Any]:
    """What both records of a case that has gone up say of it."""
    restricted = profile.restriction(fact.department, case.category)
    return {
        "case": fact.case,
        "seq": fact.seq,
        "at": fact.at,
        "system": fact.system,
        "case_type": fact.case_type,
        "district": fact.district,
        "department": fact.department,
        "category": case.category,
        "from_level": fact.from_level,
        "to_level": fact.to_level,
        "from_office": fact.from_office,
        "to_office": fact.to_office,
        "age_ms": fact.age_ms,
        "due_at": fact.due_at,
        "because": fact.because,
        "channel": fact.channel,
        "restricted": None if restricted is None else restricted[0],
        "visible_to": () if restricted is None else restricted[1].roles,
    }


def _assigned(fact: Dated, case: Case, profile: Profile, because_of: AssignmentStep, text: str | None = None) -> Output:
    restricted = profile.restriction(fact.department, case.category)
    assigned = DepartmentAssigned(
        case=fact.case,
        seq=fact.seq,
        at=fact.at,
        system=fact.system,
        case_type=fact.case_type,
        department=fact.department,
        category=case.category,
        place=Place(fact.district, case.units),
        level=fact.level,
        office=fact.office,
        due_at=fact.due_at,
        step=because_of,
        because=fact.because,
        text=text,
        restricted=None if restricted is None else restricted[0],
        visible_to=() if restricted is None else restricted[1].roles,
    )
    return Output(_feed(fact.department), fact.case, assigned, fact.at)


@lru_cache(maxsize=1024)
def _feed(department: str) -> str:
    return department_feed(department)


TOLD: Final[dict[type[Any], Tells]] = {
    e.CaseRegistered: _registered,
    e.CaseRouted: _routed,
    e.CaseTransferred: _as("transferred"),
    e.CaseMarked: _as("transferred"),
    e.CaseSentBack: _as("transferred"),
    e.CaseEscalated: _up(_raised),
    e.CaseSentUp: _up(_sent_up),
    e.CaseRevived: _as("escalated"),
    e.EscalationWithdrawn: _as("withdrawn"),
}
"""What a fact says to those who do not follow the case itself."""
