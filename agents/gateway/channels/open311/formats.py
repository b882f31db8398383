"""Open311's two forms: JSON, and the XML it is mapped from, for answers and for what went wrong."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.gateway.problems import FieldError, Kind, Problem

Format = Literal["xml", "json"]
MEDIA: Final[Mapping[Format, str]] = {"xml": "text/xml", "json": "application/json"}
ENTRIES: Final[Mapping[str, str]] = {
    "services": "service", "service_requests": "request", "errors": "error", "attributes": "attribute",
    "values": "value", "endpoints": "endpoint", "formats": "format",
}  # fmt: skip
"""What XML calls an entry of each list."""
NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STATUSES: Final[Mapping[Kind, int]] = {Kind.UNAUTHENTICATED: 403, Kind.NOT_JSON: 400, Kind.KEY_REUSED: 400}
"""The page: 403 for a missing or wrong api_key, 404 for what does not exist, 400 for the rest a client can mend."""
SAID: Final[Mapping[Kind, str]] = {
    Kind.UNAUTHENTICATED: "api_key: is missing or not known",
    Kind.FORBIDDEN: "api_key: its role may not do this",
    Kind.IN_FLIGHT: "the same request is still in hand: send it again after Retry-After",
    Kind.KEY_REUSED: "the idempotency key was used with another body: a new request needs a new one",
}
"""What the API says in words that clients of this channel do not know."""


class Error(Struct, frozen=True):
    """One thing that went wrong."""

    code: int
    description: str


def told(
    form: Format, root: str, document: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer; `root` is the name of the document's element in XML."""
    body = msgspec.json.encode(document) if form == "json" else _xml(root, msgspec.to_builtins(document))
    return web.Response(status=status, body=body, headers=headers, content_type=MEDIA[form], charset="utf-8")


def telling(form: Format, problem: Problem) -> web.Response:
    """A problem as the page's list of errors."""
    status = STATUSES.get(problem.kind, problem.kind.status)
    said = [f"{error.field}: {error.detail}" for error in problem.errors] or [
        SAID.get(problem.kind, problem.detail) if problem.detail == problem.kind.title else problem.detail
    ]
    return told(form, "errors", [Error(status, each) for each in said], status=status, headers=problem.headers)


def refusal(errors: Iterable[FieldError]) -> Problem:
    return Problem(Kind.INVALID_FIELDS, errors=list(errors))


def _xml(root: str, document: Any) -> bytes:
    element = Element(root)
    _fill(element, document)
    return bytes(tostring(element, encoding="utf-8", xml_declaration=True))


def _fill(element: Element, value: Any) -> None:
    match value:
        case None:
            pass
        case dict():
            for name, each in value.items():
                _fill(SubElement(element, name), each)
        case list() | tuple():
            for each in value:
                _fill(SubElement(element, ENTRIES[element.tag]), each)
        case bool():
            element.text = "true" if value else "false"
        case _:
            element.text = NOT_XML.sub("\ufffd", str(value))
