"""Feedback calls that are due: a line per case, from the fact that says so until the call brought something."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from agents.readmodel.keys import Keys
from agents.readmodel.source import Source
from agents.readmodel.views import CaseView
from agents.readmodel.writes import Writes
from schemas import events as e
from schemas.codec import decoder, encode


class DueCall(Struct, frozen=True, omit_defaults=True):
    """A call to make. Instants are UTC ms; `contact` is sealed for the case."""

    case: str
    due_at: int
    attempt: int
    district: int
    department: str
    level: int
    category: str
    contact: str | None = None
    visible_to: tuple[str, ...] = ()
    """Roles that may see the case, where it is restricted."""
    restricted: str | None = None


_due_call: Final[Callable[[bytes], DueCall]] = decoder(DueCall)


def write(fact: e.Event, before: CaseView | None, view: CaseView, keys: Keys, writes: Writes) -> None:
    """A call falls due, brings nothing, or the case is no longer one that waits for a call."""
    match fact:
        case e.FeedbackCallDue():
            writes.fields[keys.calls(view.system)][view.case] = encode(_line(fact, view))
        case e.FeedbackAttempted():
            writes.fields[keys.calls(view.system)][view.case] = None
        case _ if before is not None and before.status == "disposed" != view.status:
            writes.fields[keys.calls(view.system)][view.case] = None
        case _:
            pass


def _line(fact: e.FeedbackCallDue, view: CaseView) -> DueCall:
    return DueCall(
        case=view.case,
        due_at=fact.at,
        attempt=fact.attempt,
        district=view.district,
        department=view.department,
        level=view.level,
        category=view.category,
        contact=fact.contact,
        visible_to=view.visible_to,
        restricted=view.restricted,
    )


async def due_calls(source: Source, system: str) -> list[DueCall]:
    """Every call that is due in a system, the longest due first."""
    [held] = await source.hashes([source.keys.calls(system)])
    return sorted(map(_due_call, held.values()), key=lambda each: (each.due_at, each.case))
