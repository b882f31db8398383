"""From bodies to records: a submission, an action's command, a receipt; or everything that is wrong with the body."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from agents.contact import Contacts
from agents.gateway.problems import FieldError
from agents.gateway.requests import (
    ACTION_REQUESTS,
    ACTIONS,
    ComplaintRequest,
    OccurredAt,
    PlaceRequest,
    ReceiptRequest,
    RegisterLine,
    read_body,
)
from schemas.commands import Command
from schemas.intake import Submitted
from schemas.sms import SmsReceipt
from streams.ids import case_id, citizen_token, digest, normal_mobile
from streams.intake.validate import category_faults, faults, place_faults, text_fault, unknown_system
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.text import mask_numbers, nfc

ID_LENGTH: Final = 32
CODE_LENGTH: Final = 2
Complaint = ComplaintRequest | RegisterLine


@dataclass(frozen=True, slots=True)
class Identity:
    """The secrets that turn a person into a token and a sealed contact."""

    citizen_key: bytes
    contacts: Contacts


def submission_id(system: str, channel: str, key: str) -> str:
    """Derived, because a channel's own key may hold a person's number."""
    return f"sub-{digest(system, channel, key, length=ID_LENGTH)}"


def command_id(case: str, key: str) -> str:
    return f"act-{digest(case, key, length=ID_LENGTH)}"


def clamped(occurred_at: OccurredAt | None, received_at: int, lateness_ms: int) -> int:
    """Event time, UTC ms: when it happened, not after it reached us nor longer before than the allowed lateness."""
    if occurred_at is None:
        return received_at
    at = round(occurred_at.timestamp() * 1000) if isinstance(occurred_at, datetime) else occurred_at
    return max(received_at - lateness_ms, min(at, received_at))


def told_at(raw: object) -> int | None:
    """When a body says that it happened, UTC ms; None where it says nothing that can be read."""
    told = raw.get("occurred_at") if isinstance(raw, dict) else None
    try:
        found = msgspec.convert(told, OccurredAt | None)
    except msgspec.ValidationError:
        return None
    return round(found.timestamp() * 1000) if isinstance(found, datetime) else found


def profile_of_case(case: str) -> Profile | None:
    """The system whose code the case id begins with."""
    return next((each for each in profiles().values() if each.code == case[:CODE_LENGTH]), None)


def complaint(
    raw: object,
    key: str,
    received_at: int,
    identity: Identity,
    *,
    kind: type[Complaint] = ComplaintRequest,
    traceparent: str | None = None,
) -> tuple[Submitted | None, list[FieldError]]:
    """The submission of a complaint body, or everything that is wrong with it, the profile's rules included."""
    request, errors = read_body(kind, raw)
    if request is None:
        return None, [*errors, *_other_errors(kind, raw, errors, received_at)]
    errors = profile_errors(request, received_at)
    if errors:
        return None, errors
    return submitted(request, key, received_at, identity, traceparent), []


def submitted(
    request: Complaint, key: str, received_at: int, identity: Identity, traceparent: str | None = None
) -> Submitted:
    """The record of a valid request; raises KeyError when its system is not served.

    What another register transferred is known by that register's number, under whatever key it comes.
    """
    profile, key = profiles()[request.system], request.external or key
    case = case_id(profile.code, request.channel, key)
    reference = request.citizen if isinstance(request, RegisterLine) else None
    person = request.mobile or f"{request.system}\x00{reference or key}"
    return Submitted(
        id=submission_id(request.system, request.channel, key),
        case=case,
        system=request.system,
        at=clamped(request.occurred_at, received_at, profile.intake.lateness_ms),
        received_at=received_at,
        case_type=request.type,
        channel=request.channel,
        category=request.category,
        place=request.place.place(),
        citizen=citizen_token(identity.citizen_key, person),
        text=mask_numbers(nfc(request.text)),
        language=request.language or profile.languages[0],
        contact=identity.contacts.seal(normal_mobile(request.mobile), case) if request.mobile else None,
        against_level=request.against_level,
        traceparent=traceparent,
        source=request.source,
        spoken_language=request.spoken_language,
        external=request.external,
        attachments=tuple(each.attachment() for each in request.attachments),
    )


def profile_errors(request: Complaint, received_at: int) -> list[FieldError]:
    """What the system's profile, as of when it happened, does not take."""
    system = profiles().get(request.system)
    if system is None:
        fault = unknown_system(request.system, profiles())
        return [FieldError(fault.field, fault.detail)]
    at = clamped(request.occurred_at, received_at, system.intake.lateness_ms)
    profile = system.at(at)
    place, language = request.place.place(), request.language or profile.languages[0]
    found = list(
        faults(
            profile,
            request.type,
            request.category,
            place,
            language,
            request.against_level,
            channel=request.channel,
            source=request.source,
            spoken_language=request.spoken_language,
            at=at,
        )
    )
    text = text_fault(nfc(request.text))
    return [FieldError(fault.field, fault.detail) for fault in ([*found, text] if text else found)]


def _other_errors(kind: type[Complaint], raw: object, errors: list[FieldError], received_at: int) -> list[FieldError]:
    """Where some fields are malformed, the others are still held against the profile: a caller mends all in one go."""
    if not isinstance(raw, dict):
        return []
    bad = {error.field for error in errors}
    filler: dict[str, Any] = {
        "type": "complaint",
        "channel": "call",
        "category": "none",
        "place": {},
        "text": "-",
        "mobile": "0" * 10,
    }
    good = {name: value for name, value in raw.items() if name in kind.__struct_fields__ and name not in bad}
    place = good.get("place", {})
    good["place"] = {"district": 0} | {name: value for name, value in place.items() if f"place.{name}" not in bad}
    request, still_bad = read_body(kind, filler | good)
    if still_bad:
        return []
    return [
        error for error in profile_errors(request, received_at) if error.field not in bad and _written(error.field, raw)
    ]


def _written(path: str, raw: Any) -> bool:
    """Whether the caller wrote this field at all."""
    for name in path.split("."):
        if not isinstance(raw, dict) or name not in raw:
            return False
        raw = raw[name]
    return True


def action(
    raw: object, case: str, profile: Profile, key: str, received_at: int
) -> tuple[Command | None, list[FieldError]]:
    """The command of an action body, or everything that is wrong with it."""
    name = raw.get("type") if isinstance(raw, dict) else None
    kind = ACTION_REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        return None, [FieldError("type", f"must be one of {', '.join(sorted(ACTIONS))}")]
    request, errors = read_body(kind, raw)
    if request is None:
        return None, errors
    values = {
        each: _value(getattr(request, each)) for each in kind.__struct_fields__ if each not in {"type", "occurred_at"}
    }
    at = clamped(request.occurred_at, received_at, profile.intake.lateness_ms)
    errors = _action_errors(values, profile.at(at))
    return (None, errors) if errors else (ACTIONS[name](id=command_id(case, key), case=case, at=at, **values), [])


def _value(value: object) -> object:
    match value:
        case PlaceRequest():
            return value.place()
        case str():
            return mask_numbers(nfc(value))
        case _:
            return value


def _action_errors(values: dict[str, Any], profile: Profile) -> list[FieldError]:
    """What the profile has not (of a transfer), and texts that say nothing."""
    found = []
    for name in ("text", "remarks"):
        fault = text_fault(values[name]) if isinstance(values.get(name), str) else None
        found += [FieldError(name, fault.detail)] if fault else []
    category, place = values.get("category"), values.get("place")
    faults_found = [
        *(category_faults(profile, category) if category is not None else ()),
        *(place_faults(profile, place) if place is not None else ()),
    ]
    return found + [FieldError(fault.field, fault.detail) for fault in faults_found]


def receipt(raw: object, received_at: int, lateness_ms: int) -> tuple[SmsReceipt | None, list[FieldError]]:
    """The record of a delivery report."""
    request, errors = read_body(ReceiptRequest, raw)
    if request is None:
        return None, errors
    at = clamped(request.occurred_at, received_at, lateness_ms)
    return SmsReceipt(id=request.id, at=at, delivered=request.delivered, code=request.code), []
