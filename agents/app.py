"""Which role runs what: the one place where stages, sinks and senders meet the runtime."""

from agents.clock import Clock
from agents.runtime.ports import Sender, Sink
from agents.runtime.worker import Role, Worker
from agents.settings import Settings, load
from streams.case.stage import CASE
from streams.cluster.stage import CLUSTER
from streams.intake.stage import INTAKE
from streams.officers.conduct import CONDUCT
from streams.officers.offices import OFFICES
from streams.officers.stage import OFFICERS
from streams.sla.rankings import rankings
from streams.sla.stage import SLA
from streams.sms.stage import SMS
from streams.sms.turns import TURNS
from streams.topology import EFFECTS


# whoever calls or shows has a client of its own, a quarter of what a worker's start costs: only its role loads it
def _sender(settings: Settings, clock: Clock) -> Sender:  # noqa: ARG001 - its own settings hold those and more
    """What calls the SMS gateway; raises SettingsError or KeyFormatError."""
    from agents.sms.sender import SmsSender  # noqa: PLC0415
    from agents.sms.settings import SmsSettings  # noqa: PLC0415

    return SmsSender(load(SmsSettings), clock)


def _board(settings: Settings, clock: Clock) -> Sink:  # noqa: ARG001 - facts bring their own time
    """What writes the read model."""
    from agents.board import Board  # noqa: PLC0415

    return Board(settings)


ROLES: dict[str, Role] = {
    "intake": Role(stages=(INTAKE, CLUSTER)),
    "case": Role(stages=(CASE,)),
    "sla": Role(stages=(SLA,)),
    "sms": Role(stages=(SMS, TURNS), senders=(_sender,)),
    "officers": Role(stages=(CONDUCT, OFFICES, OFFICERS)),
    "board": Role(sinks=(_board,)),
}


class UnknownRoleError(ValueError):
    """No such role; the message names those there are."""


def consumed(role: str) -> tuple[str, ...]:
    """The topics a role's workers read."""
    effects = (each for each in EFFECTS if each.role == role)
    return (*(stage.reads for stage in ROLES[role].stages), *(topic for effect in effects for topic in effect.reads))


def build(role: str, settings: Settings) -> Worker:
    """Make the worker of `role`; raises UnknownRoleError, SettingsError for what a part of it needs, ProfileError."""
    parts = ROLES.get(role)
    if parts is None:
        raise UnknownRoleError(f"no role {role!r}; there are {', '.join(ROLES)}")
    rankings()  # a formula that cannot be read stops a worker at its start, not a review at the month's end
    return Worker(role, parts, settings)
