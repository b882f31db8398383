"""The whole flow, in the order in which a complaint passes it. Read this first.

A record on a stage's topic is folded into the state of its key; what the stage writes is read by the stages after it,
by the senders and sinks beside them (`agents/app.py`), and by services downstream. Pictures, the driver, the audit
and the workers are all made from these lists.
"""

from typing import Any, Final, NamedTuple

from schemas import topics as t
from streams.case.stage import CASE
from streams.cluster.stage import CLUSTER
from streams.intake.stage import INTAKE
from streams.officers.conduct import CONDUCT
from streams.officers.offices import OFFICES
from streams.officers.stage import OFFICERS
from streams.sla.stage import SLA
from streams.sms.stage import SMS
from streams.sms.turns import TURNS
from streams.stage import Stage

STAGES: Final[tuple[Stage[Any], ...]] = (INTAKE, CASE, CLUSTER, SLA, SMS, TURNS, CONDUCT, OFFICES, OFFICERS)
"""Pure, keyed, exactly once: outputs, states and offsets of a batch in one transaction."""


class Effect(NamedTuple):
    """A reader whose effect lies outside Kafka: at least once, harmless to repeat."""

    name: str
    role: str
    """The worker that carries it out."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    about: str


EFFECTS: Final[tuple[Effect, ...]] = (
    Effect(
        "sms-sender",
        "sms",
        (t.SMS_OUTBOX,),
        (t.SMS_REQUESTED,),
        "hands an SMS to the gateway, its id as idempotency key",
    ),
    Effect(
        "board",
        "board",
        (
            t.CASE_EVENTS,
            t.ESCALATION_RAISED,
            t.INTAKE_REJECTED,
            t.SLA_WINDOW,
            t.SMS_DELIVERY,
            t.DIRECTORY,
            t.OFFICER_EVENTS,
            t.REVIEW_OUTCOMES,
        ),
        (),
        "keeps the read model in Redis, each write guarded by the position it comes from",
    ),
)
