"""A CloudEvent as it came: its attributes read from headers or JSON, and everything that is wrong with them."""

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args
from urllib.parse import unquote

from msgspec import Meta, Struct

from agents.gateway.fields import read
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.writing import json_of

EventType = Literal["org.nivaran.complaint.v1", "org.nivaran.case.action.v1"]
COMPLAINT, ACTION = get_args(EventType)
PREFIX: Final = "ce-"
NAME: Final = re.compile("[a-z0-9]+")
JSON: Final = re.compile(r"(application|text)/([\w.-]+\+)?json")
UNQUOTED: Final = re.compile(r"\\(.)")
Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class Attributes(Struct, frozen=True, kw_only=True):
    """The attributes of the specification; extensions are let through unread."""

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: EventType
    subject: Text | None = None
    time: Annotated[datetime, Meta(tz=True, description="RFC 3339 instant with its offset")] | None = None
    datacontenttype: Text | None = None
    dataschema: Text | None = None


class Event(NamedTuple):
    """An event that can be looked at; `named` is what its sender calls an attribute."""

    attributes: Attributes
    data: Any
    mode: Literal["binary", "structured"]

    def named(self, attribute: str) -> str:
        return name_in(self.mode, attribute)


def name_in(mode: str, attribute: str) -> str:
    """A header of the binary mode, where the content type stands for the data's, or a member of the JSON object."""
    if mode == "structured":
        return attribute
    return "Content-Type" if attribute == "datacontenttype" else PREFIX + attribute


def of_headers(headers: Mapping[str, str], body: bytes) -> Event:
    """Binary mode: attributes in `ce-` headers, data in the body; raises Problem."""
    raw: dict[str, Any] = {}
    errors = []
    for header, value in headers.items():
        name = header.lower()
        if not name.startswith(PREFIX):
            continue
        text = _header_text(value)
        if text is None:
            errors.append(FieldError(header[:128], "must be UTF-8, percent-encoded beyond visible ASCII"))
        elif name in raw:
            errors.append(FieldError(header[:128], "stands there twice"))
        else:
            raw[name] = text
    attributes = {name.removeprefix(PREFIX): text for name, text in raw.items()}
    if "Content-Type" in headers:
        attributes["datacontenttype"] = headers["Content-Type"]
    found = _attributes(attributes, "binary", errors)
    return Event(found, json_of(body) if body else None, "binary")


def of_json(raw: object) -> Event:
    """Structured mode, and each event of a batch: one JSON object; raises Problem."""
    if not isinstance(raw, dict):
        raise Problem(Kind.MALFORMED, "an event is a JSON object")
    attributes = {name: value for name, value in raw.items() if name not in {"data", "data_base64"}}
    found = _attributes(attributes, "structured", [])
    if "data" in raw and "data_base64" in raw:
        raise Problem(Kind.INVALID_FIELDS, errors=[FieldError("data_base64", "stands beside data: one of them")])
    return Event(found, _decoded(raw["data_base64"]) if "data_base64" in raw else raw.get("data"), "structured")


def _header_text(value: str) -> str | None:
    """The value of a header by the binding's own decoding; None where it cannot be decoded."""
    if not value.isascii():
        return None
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = UNQUOTED.sub(r"\1", text[1:-1])
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None


def _attributes(raw: Mapping[str, Any], mode: str, errors: list[FieldError]) -> Attributes:
    errors += [
        FieldError(name_in(mode, name)[:128], "attributes are named by lower-case letters and digits")
        for name in raw
        if not NAME.fullmatch(name)
    ]
    # an attribute that is null is one that is not there
    known = {name: raw[name] for name in Attributes.__struct_fields__ if raw.get(name) is not None}
    found, wrong = read(Attributes, known)
    errors += [FieldError(name_in(mode, error.field), error.detail) for error in wrong]
    if found is None or errors:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    content = (found.datacontenttype or "application/json").partition(";")[0].strip().lower()
    if not JSON.fullmatch(content):
        raise Problem(Kind.NOT_JSON, errors=[FieldError(name_in(mode, "datacontenttype"), "must be application/json")])
    return found


def _decoded(text: object) -> Any:
    try:
        data = base64.b64decode(text if isinstance(text, str) else "-", validate=True)
    except ValueError:
        raise Problem(Kind.INVALID_FIELDS, errors=[FieldError("data_base64", "must be base64")]) from None
    return json_of(data, "data_base64: must be JSON in UTF-8, in base64")
