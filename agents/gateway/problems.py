"""What goes wrong for a caller, as RFC 9457 problem details: one table of kinds, each with its status and title."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from msgspec import Struct

CONTENT_TYPE = "application/problem+json"


class FieldError(NamedTuple):
    """One bad field: its path in the body (or the header's name), and what would be right."""

    field: str
    detail: str


class Kind(Enum):
    """Every problem the API answers: HTTP status and title; the name is the tail of the problem's `type`."""

    MALFORMED = 400, "The body is no JSON object in UTF-8"
    INVALID_FIELDS = 400, "Fields cannot be taken"
    KEY_MISSING = 400, "Idempotency-Key is missing or not usable"
    UNAUTHENTICATED = 401, "A known bearer token is needed"
    FORBIDDEN = 403, "The token's role may not do this"
    NOT_FOUND = 404, "No such thing here"
    METHOD_NOT_ALLOWED = 405, "The method is not served here"
    IN_FLIGHT = 409, "A request with this Idempotency-Key is still in hand"
    TOO_LARGE = 413, "The body is too large"
    NOT_JSON = 415, "The body must be application/json"
    KEY_REUSED = 422, "The Idempotency-Key was used with another body"
    TOO_MANY = 429, "Too many requests from this source"
    INTERNAL = 500, "A fault of ours; it is logged"
    UNAVAILABLE = 503, "Not possible at the moment, and nothing was accepted"

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def title(self) -> str:
        return self.value[1]

    @property
    def urn(self) -> str:
        return f"urn:nivaran:problem:{self.name.lower().replace('_', '-')}"


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """Ends a request with a problem document."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        invalid_token: bool = False,
    ) -> None:
        """`invalid_token`: a token was given and cannot be taken (RFC 6750 3.1); `detail` says why, in plain ASCII."""
        super().__init__(kind.name)
        self.invalid_token = invalid_token
        self.kind, self.detail, self.errors = kind, detail or kind.title, errors
        self.headers: Mapping[str, str] = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def response(self) -> web.Response:
        headers = dict(self.headers)
        if self.kind is Kind.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = self._challenge()
        body = msgspec.json.encode(self.document())
        return web.Response(status=self.kind.status, body=body, headers=headers, content_type=CONTENT_TYPE)

    def _challenge(self) -> str:
        said = "".join(each for each in self.detail if each.isascii() and each.isprintable() and each not in '"\\')
        error = f', error="invalid_token", error_description="{said}"' if self.invalid_token else ""
        return f'Bearer realm="nivaran"{error}'

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": self.kind.urn,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.errors:
            found["errors"] = [error._asdict() for error in self.errors]
        return found


class FieldProblem(Struct, frozen=True):
    """One bad field."""

    field: str
    detail: str


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details, as they appear in the API's description."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
