"""A posted form as a complaint's body: which field says what, and all that is wrong with it in the form's words."""

from collections.abc import Iterator, Mapping
from mimetypes import guess_type
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import regex
from aiohttp import web

from agents.gateway.channels.open311.offered import DISTRICT, LANGUAGE, TYPE
from agents.gateway.channels.open311.places import districts_named
from agents.gateway.problems import FieldError, Kind, Problem
from schemas.base import Attachment, Channel
from streams.profiles.profile import Name, Profile

FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 200
LONGEST_DESCRIPTION: Final = 4000
"""Characters; the page's limit (stated)."""
LONGEST_ADDRESS: Final = 1000
KEPT: Final = frozenset(
    {"api_key", "jurisdiction_id", "idempotency_key", "service_code", "description", "phone", "lat", "long"}
    | {"address_string", "address_id"}
)
NOT_KEPT: Final = ("email", "device_id", "account_id", "first_name", "last_name", "media_url")
"""What the page knows and a complaint has no place for, pictures elsewhere among it: the answer names them."""
STORE: Final = "open311"
"""The keeper of the files below NIVARAN_OPEN311_MEDIA, in references."""
ATTRIBUTE: Final = regex.compile(r"attribute\[([^\[\]]{1,64})\](?:\[\])?")
FIELDS: Final[Mapping[str, str]] = {"category": "service_code", "text": "description", "mobile": "phone"}
"""Fields of a complaint that are fields of the form."""
TOLD_AS: Final[Mapping[str, str]] = {
    **FIELDS,
    "system": "jurisdiction_id",
    "type": f"attribute[{TYPE}]",
    "language": f"attribute[{LANGUAGE}]",
    "place": f"attribute[{DISTRICT}]",
}
"""What the fields of a complaint are to a client of this channel; those of its place are attributes of their names."""
LABELS: Final[Mapping[str, Name]] = {
    "address_string": Name("पता", "Address"),
    "address_id": Name("पता संख्या", "Address id"),
    "position": Name("अक्षांश, देशांतर", "Latitude, longitude"),
}
EDGES: Final[Mapping[str, float]] = {"lat": 90.0, "long": 180.0}


class Form(NamedTuple):
    """What was sent, empty fields left out: the page has them mean the same as none."""

    fields: Mapping[str, str]
    attributes: Mapping[str, str]
    errors: list[FieldError]
    attachment: Attachment | None
    """The file that media_url names, where it is one that is kept."""

    @property
    def not_kept(self) -> list[str]:
        kept = {"media_url"} if self.attachment is not None else set()
        return [name for name in NOT_KEPT if name in self.fields and name not in kept]


async def read_form(request: web.Request, media: str) -> Form:
    """The form of a request; files below the address `media` are kept. Raises Problem where the body is none."""
    if request.content_type != FORM:
        raise Problem(Kind.NOT_JSON, f"Content-Type: must be {FORM}")
    try:
        text = (await request.read()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Problem(Kind.MALFORMED, f"the body must be at most {MOST_FIELDS} form fields in UTF-8") from None
    fields: dict[str, str] = {}
    attributes: dict[str, str] = {}
    errors = []
    for name, value in pairs:
        code = ATTRIBUTE.fullmatch(name)
        held, key = (attributes, code[1]) if code else (fields, name)
        if not value.strip():
            continue
        if held.setdefault(key, value) != value:
            errors.append(FieldError(name[:128], "is given twice, with different values"))
    return Form(fields, attributes, errors, _attachment(fields.get("media_url", "").strip(), media))


def _attachment(url: str, media: str) -> Attachment | None:
    """A file below `media`, by reference; None of any other: nobody is sent to an address of strangers."""
    ref = url.removeprefix(media)
    if not media or ref == url or ".." in ref:
        return None
    kind, _ = guess_type(ref)
    try:
        return msgspec.convert({"store": STORE, "ref": ref, "media_type": kind}, Attachment)
    except msgspec.ValidationError:
        return None


def complaint_of(form: Form, profile: Profile, channel: Channel, now: int) -> tuple[dict[str, Any], list[FieldError]]:
    """The body of a complaint at `now` (UTC ms), and what is wrong with the form before the body is looked at."""
    place: dict[str, Any] = {kind: form.attributes[kind] for kind in profile.unit_kinds if kind in form.attributes}
    errors = [*form.errors, *_unknown(form, profile), *_lengths(form), *_position_errors(form)]
    district = _district(form, profile, now)
    if isinstance(district, FieldError):
        errors.append(district)
    else:
        place[DISTRICT] = district
    body: dict[str, Any] = {
        "system": profile.system,
        "type": form.attributes.get(TYPE, "complaint"),
        "channel": channel,
        "place": place,
    }
    body |= {name: form.fields[field] for name, field in FIELDS.items() if field in form.fields}
    if LANGUAGE in form.attributes:
        body["language"] = form.attributes[LANGUAGE]
    if form.attachment is not None:
        body["attachments"] = [msgspec.to_builtins(form.attachment)]
    if "text" in body:
        body["text"] = "\n".join([body["text"], *_where(form, form.attributes.get(LANGUAGE, profile.languages[0]))])
    return body, errors


def in_own_words(errors: list[FieldError]) -> Iterator[FieldError]:
    """Errors of a complaint's body with the names this channel's clients know."""
    for error in errors:
        head, _, unit = error.field.partition(".")
        name = f"attribute[{unit}]" if head == "place" and unit else TOLD_AS.get(head, error.field)
        yield FieldError(name, error.detail)


def _unknown(form: Form, profile: Profile) -> Iterator[FieldError]:
    for name in form.fields:
        if name not in KEPT and name not in NOT_KEPT:
            yield FieldError(name[:128], "no such field in GeoReport v2")
    known = (DISTRICT, *profile.unit_kinds, TYPE, LANGUAGE)
    for code in form.attributes:
        if code not in known:
            yield FieldError(f"attribute[{code}]", f"no such attribute; there are {', '.join(known)}")


def _lengths(form: Form) -> Iterator[FieldError]:
    limits = {"description": LONGEST_DESCRIPTION, "address_string": LONGEST_ADDRESS, "address_id": LONGEST_ADDRESS}
    for name, limit in limits.items():
        if len(form.fields.get(name, "")) > limit:
            yield FieldError(name, f"has more than {limit} characters")


def _position_errors(form: Form) -> Iterator[FieldError]:
    given = [name for name in EDGES if name in form.fields]
    for name in given:
        if _degrees(form.fields[name], EDGES[name]) is None:
            yield FieldError(name, f"must be a number from -{EDGES[name]:.0f} to {EDGES[name]:.0f}")
    if len(given) == 1:
        yield FieldError("long" if given == ["lat"] else "lat", "is missing: lat and long are sent together")
    if not given and "address_string" not in form.fields and "address_id" not in form.fields:
        yield FieldError("address_string", "is missing: a place is told by lat and long, address_string or address_id")


def _degrees(text: str, edge: float) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if -edge <= found <= edge else None


def _district(form: Form, profile: Profile, now: int) -> int | FieldError:
    field = f"attribute[{DISTRICT}]"
    given = form.attributes.get(DISTRICT, "").strip()
    if given:
        if given.isascii() and given.isdecimal() and len(given) <= 6:  # noqa: PLR2004 - codes are far shorter
            return int(given)
        return FieldError(field, "must be the code of a district, as the service definition lists them")
    named = districts_named(profile, form.fields.get("address_string", ""), now)
    match sorted(named):
        case [code]:
            return code
        case []:
            return FieldError(
                field, "is missing: no district is named in address_string, and none is told by lat and long"
            )
        case several:
            names = ", ".join(f"{code} ({profile.districts[code].name.en})" for code in several)
            return FieldError(field, f"is missing, and address_string names several: {names}")


def _where(form: Form, language: str) -> Iterator[str]:
    """The place in words, for the officer: the case itself is placed by its district and smaller units."""
    if "lat" in form.fields and "long" in form.fields:
        position = [_degrees(form.fields[name], edge) for name, edge in EDGES.items()]
        yield f"{_label('position', language)}: " + ", ".join(f"{each or 0.0:.6f}" for each in position)
    for name in ("address_string", "address_id"):
        if name in form.fields:
            yield f"{_label(name, language)}: {form.fields[name]}"


def _label(name: str, language: str) -> str:
    return LABELS[name].hi if language == "hi" else LABELS[name].en
