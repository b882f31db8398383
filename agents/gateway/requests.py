"""The bodies callers send, typed; shared by the gateway, its description and the loader."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, cast, get_args

import msgspec
from msgspec import Meta, Struct

from agents.gateway.fields import read
from agents.gateway.problems import FieldError
from schemas.base import (
    MOST_ATTACHMENTS,
    Attachment,
    CaseType,
    Channel,
    Code,
    External,
    Instant,
    Language,
    Level,
    LongText,
    Place,
    ShortText,
    Slug,
)
from schemas.codec import tag
from schemas.commands import Action, Command
from schemas.intake import SpokenLanguage
from schemas.sms import SmsId

Mobile = Annotated[
    str,
    Meta(
        pattern=r"\A\+?[0-9०-९]([ .\-]?[0-9०-९]){9,14}\Z",
        description="telephone number: 10 to 15 digits, country code allowed",
    ),
]
OccurredAt = (
    Annotated[datetime, Meta(tz=True, description="RFC 3339 instant with its offset, or UTC milliseconds")] | Instant
)


TellingText = Annotated[
    LongText,
    Meta(
        pattern=r"[^\s\x00-\x1f\x7f-\xa0]",
        description="text with at least one character that is neither space nor control",
    ),
]


class PlaceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Where it happened: LGD district code, and codes of the smaller units the system knows."""

    district: Annotated[int, Meta(ge=0, le=999_999, description="Local Government Directory code of the district")]
    units: dict[Slug, Code] = {}

    def place(self) -> Place:
        return Place(self.district, self.units)


class AttachmentRequest(Attachment, frozen=True, forbid_unknown_fields=True):
    """A picture, voice message or paper by reference: the keeper's name, and its own name of the file there."""

    def attachment(self) -> Attachment:
        return Attachment(self.store, self.ref, self.media_type, self.sha256)


AttachmentRequests = Annotated[tuple[AttachmentRequest, ...], Meta(max_length=MOST_ATTACHMENTS)]


class ComplaintRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A complaint, piece of information, demand or suggestion, as a channel hands it in."""

    system: Slug
    type: CaseType
    channel: Channel
    category: Slug
    place: PlaceRequest
    text: TellingText
    mobile: Mobile
    language: Language | None = None
    occurred_at: OccurredAt | None = None
    against_level: Level | None = None
    source: Slug | None = None
    spoken_language: SpokenLanguage | None = None
    external: External | None = None
    attachments: AttachmentRequests = ()


class RegisterLine(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A complaint as another register kept it: the person may be known by that register's own reference only."""

    system: Slug
    type: CaseType
    channel: Channel
    category: Slug
    place: PlaceRequest
    text: TellingText
    mobile: Mobile | None = None
    citizen: ShortText | None = None
    language: Language | None = None
    occurred_at: OccurredAt | None = None
    against_level: Level | None = None
    source: Slug | None = None
    spoken_language: SpokenLanguage | None = None
    external: External | None = None
    attachments: AttachmentRequests = ()


class ReceiptRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SMS gateway's delivery report of one SMS."""

    id: SmsId
    delivered: bool
    code: Annotated[str, Meta(max_length=64, description="the gateway's own status code")] = ""
    occurred_at: OccurredAt | None = None


def _request_of(command: type[Command]) -> type[Struct]:
    """A command as a body: without what the server gives (id, case), its instant optional, its place flat."""
    fields: list[Any] = [("type", Annotated[str, Meta(description="the action")])]
    for info in msgspec.structs.fields(command):
        if info.name in {"id", "case", "at"}:
            continue
        kind = PlaceRequest | None if info.name == "place" else info.type
        fields.append((info.name, kind) if info.required else (info.name, kind, info.default))
    fields.append(("occurred_at", OccurredAt | None, None))
    name = f"{command.__name__}Request"
    made = msgspec.defstruct(name, fields, frozen=True, forbid_unknown_fields=True, kw_only=True, module=__name__)
    made.__doc__ = command.__doc__
    return made


def _name(command: type[Command]) -> str:
    """`case.add-note.v1` is `add-note` to callers: the version stands in the path."""
    return tag(command).removeprefix("case.").rpartition(".")[0]


ACTIONS: Final[Mapping[str, type[Command]]] = MappingProxyType({_name(each): each for each in get_args(Action)})
ACTION_REQUESTS: Final[Mapping[str, type[Struct]]] = MappingProxyType(
    {name: _request_of(each) for name, each in ACTIONS.items()}
)


def read_body(kind: type[Any], raw: object) -> tuple[Any, list[FieldError]]:
    """Read a body whose place, if any, is written flat; the errors name the fields as the caller wrote them."""
    found, errors = read(kind, _nested_place(raw))
    return found, [FieldError(error.field.replace("place.units.", "place."), error.detail) for error in errors]


def _nested_place(raw: object) -> object:
    """`{"district": 159, "block": "x"}`, as callers write it, to `{"district": 159, "units": {"block": "x"}}`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("place"), dict):
        return raw
    place = dict(cast("dict[Any, Any]", raw["place"]))
    district = {"district": place.pop("district")} if "district" in place else {}
    return {**raw, "place": {**district, "units": place}}
