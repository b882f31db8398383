"""What may be told of officers and asked about them: bodies, lists, and who may; shared with the description."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from agents.gateway.auth import ADMINISTRATORS, ApiRole
from agents.gateway.board import Board
from agents.gateway.fields import read
from agents.gateway.problems import FieldError
from agents.gateway.records import clamped
from agents.gateway.requests import OccurredAt
from agents.readmodel.officer_reader import AbsentRow, Area, ConductRow, LadderRow, MissingRow, TicketRow
from schemas import officers as o
from schemas.base import Slug
from streams.ids import digest
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.text import mask_numbers, nfc

PORTAL: Final = frozenset[ApiRole]({"officer"})
ACTIVITIES: Final[Mapping[str, tuple[type[o.OfficerTold], frozenset[ApiRole]]]] = MappingProxyType(
    {
        "login": (o.Login, PORTAL),
        "portal-time": (o.PortalTime, PORTAL),
        "request-id": (o.RequestId, ADMINISTRATORS),
        "generate-id": (o.GenerateId, ADMINISTRATORS),
        "take-step": (o.TakeStep, ADMINISTRATORS),
        "open-ticket": (o.OpenTicket, PORTAL),
        "answer-ticket": (o.AnswerTicket, ADMINISTRATORS),
        "close-ticket": (o.CloseTicket, PORTAL),
        "reopen-ticket": (o.ReopenTicket, PORTAL),
    }
)
"""What may be told of an officer, as what record, and by whom."""


def _request_of(name: str, record: type[o.OfficerTold]) -> type[Struct]:
    """A record as a body: without what the path, the header and the server give."""
    fields: list[Any] = [("type", Annotated[str, Meta(description=name)]), ("system", Slug)]
    fields += [
        (info.name, info.type) if info.required else (info.name, info.type, info.default)
        for info in msgspec.structs.fields(record)
        if info.name not in {"id", "system", "officer", "at"}
    ]
    fields.append(("occurred_at", OccurredAt | None, None))
    made = msgspec.defstruct(
        f"{record.__name__}Activity", fields, frozen=True, forbid_unknown_fields=True, kw_only=True, module=__name__
    )
    made.__doc__ = record.__doc__
    return made


REQUESTS: Final[Mapping[str, type[Struct]]] = MappingProxyType(
    {name: _request_of(name, record) for name, (record, _) in ACTIVITIES.items()}
)


class ActivityAnswer(Struct, frozen=True):
    """What was told is durable under this id; the same Idempotency-Key gives the same id, and has one effect."""

    officer: str
    id: str


def activity(raw: object, officer: str, key: str, now: int) -> tuple[o.OfficerTold | None, list[FieldError]]:
    """The record of an activity's body, or everything that is wrong with it."""
    name = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(name, str) or name not in REQUESTS:
        return None, [FieldError("type", f"must be one of {', '.join(sorted(REQUESTS))}")]
    body, errors = read(REQUESTS[name], raw)
    if body is None:
        return None, errors
    found: Any = body
    profile = system_of(found.system)
    if profile is None:
        return None, [unknown_system()]
    kind, _ = ACTIVITIES[name]
    values = {each: getattr(found, each) for each in kind.__struct_fields__ if hasattr(found, each)}
    errors = _profile_errors(values, profile)
    if errors:
        return None, errors
    texts = {
        each: mask_numbers(nfc(value)) for each, value in values.items() if each in {"text", "reference"} and value
    }
    at = clamped(found.occurred_at, now, profile.intake.lateness_ms)
    command_id = f"off-{digest(found.system, officer, key, length=32)}"
    return kind(**{**values, **texts, "id": command_id, "officer": officer, "at": at}), []


def _profile_errors(values: Mapping[str, Any], profile: Profile) -> list[FieldError]:
    """Steps and categories are the profile's own."""
    assert profile.officers is not None
    steps = [each.step for each in profile.officers.ladder]
    categories = sorted(profile.officers.desk.categories)
    errors = []
    if "step" in values and values["step"] not in steps:
        errors.append(FieldError("step", f"must be one of {', '.join(steps)}"))
    if "category" in values and values["category"] not in categories:
        errors.append(FieldError("category", f"must be one of {', '.join(categories)}"))
    return errors


def system_of(system: str) -> Profile | None:
    profile = profiles().get(system)
    return None if profile is None or profile.officers is None else profile


def unknown_system() -> FieldError:
    return FieldError("system", f"must be one of {', '.join(profile.system for profile in watched())}")


PERIODS: Final[Mapping[str, str]] = MappingProxyType(
    {"day": "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "month": "[0-9]{4}-(0[1-9]|1[0-2])"}
)
"""How the local day or month of a list is written."""


class Question(NamedTuple):
    """What a list is asked for: where, and at which instant, local day and local month."""

    area: Area
    now: int
    day: str
    month: str


class List(NamedTuple):
    """A list: what its rows are, how it is read, and what it is of."""

    row: type[Struct]
    read: Callable[[Board, Question], Awaitable[Any]]
    about: str
    parameter: str = ""


LISTS: Final[Mapping[str, List]] = MappingProxyType(
    {
        "absent": List(
            AbsentRow, lambda board, q: board.absent(q.area, q.day), "Officers under the day's checks or minutes", "day"
        ),
        "missing": List(
            MissingRow, lambda board, q: board.missing(q.area, q.now), "Offices that have nobody with a login"
        ),
        "ladder": List(LadderRow, lambda board, q: board.ladder(q.area), "Steps proposed and taken, with their cases"),
        "conduct": List(
            ConductRow, lambda board, q: board.conduct(q.area, q.month), "Who acted himself, who by delegate", "month"
        ),
        "tickets": List(TicketRow, lambda board, q: board.tickets(q.area), "Support-desk tickets that are not closed"),
    }
)


def watched() -> list[Profile]:
    """The systems that watch officers."""
    return [profile for _, profile in sorted(profiles().items()) if profile.officers is not None]


def departments() -> list[str]:
    """Those of any system that watches officers: a list of another system's department is empty."""
    return sorted({department for profile in watched() for department in profile.departments})


def districts() -> list[int]:
    """LGD codes of any such system, and 0 for what stands above districts."""
    return sorted({0, *(district for profile in watched() for district in profile.districts)})
