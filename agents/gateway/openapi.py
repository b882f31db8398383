"""The API's description, OpenAPI 3.1: schemas come from the request types, allowed values from the profiles."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from agents.gateway import call_rows
from agents.gateway.activities import (
    ACTIVITIES,
    LISTS,
    PERIODS,
    departments,
    districts,
    watched,
)
from agents.gateway.auth import BOARD_READERS, MAY_ACT
from agents.gateway.openapi_schemas import REF, schema_of, schemas
from agents.gateway.problems import CONTENT_TYPE, Kind
from schemas.base import Slug
from schemas.officers import OfficerId
from streams.profiles import load
from streams.profiles.load import profiles

JSON: Final = "application/json"
ALWAYS: Final = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY)
WRITES: Final = (*ALWAYS, Kind.INVALID_FIELDS, Kind.TOO_LARGE, Kind.NOT_JSON, Kind.UNAVAILABLE)
KEYED: Final = (*WRITES, Kind.IN_FLIGHT, Kind.KEY_REUSED)
SCHEME: Final = "A token of the operator's list, or a signed one (JWT) of the issuer: both give a role"
RETRYING: Final = frozenset({Kind.TOO_MANY, Kind.IN_FLIGHT, Kind.UNAVAILABLE})


@cache
def document(max_body: int) -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nivaran gateway",
            "version": "1.0.0",
            "description": f"Grievances in, cases and escalations out. Bodies are JSON of at most {max_body} bytes. "
            "An answer 202 means that every in-sync replica holds the record.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": SCHEME}},
            "schemas": schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/complaints": {"post": _post_complaint()},
        "/v1/cases/{case}": {"parameters": [_case_parameter()], "get": _get_case()},
        "/v1/cases/{case}/actions": {"parameters": [_case_parameter()], "post": _post_action()},
        "/v1/districts/{lgd}/board": {"parameters": [_district_parameter()], "get": _get_board()},
        "/v1/escalations": {"get": _get_escalations()},
        "/v1/feedback/calls": {"get": _get_calls()},
        "/v1/sms/receipts": {"post": _post_receipt()},
        "/v1/officers/{officer}/activity": {"parameters": [_officer_parameter()], "post": _post_activity()},
        **{f"/v1/officers/{name}": {"get": _get_list(name)} for name in LISTS},
        "/healthz": {"get": _open("health", "The process answers", _answer("It does", {"type": "object"}))},
        "/readyz": {"get": _ready()},
        "/metrics": {
            "get": _open("metrics", "Prometheus metrics", {"description": "Text format", "content": {"text/plain": {}}})
        },
        "/openapi.json": {"get": _open("openapi", "This description", _answer("OpenAPI 3.1", {"type": "object"}))},
    }


def _post_complaint() -> dict[str, Any]:
    return {
        "operationId": "submitComplaint",
        "summary": "Submit a complaint, a piece of information, a demand or a suggestion",
        "parameters": [_key_parameter(), _trace_parameter()],
        "requestBody": _body("ComplaintRequest"),
        "responses": {"202": _taken("Durable; the case has this number")} | _problems(*KEYED),
    }


def _post_action() -> dict[str, Any]:
    return {
        "operationId": "actOnCase",
        "summary": "An officer's or the call centre's action on a case",
        "description": "The case decides: an action it cannot take is a fact in its timeline, with the reason. "
        + "; ".join(f"`{name}`: {', '.join(sorted(roles))}" for name, roles in MAY_ACT.items()),
        "parameters": [_key_parameter(), _trace_parameter()],
        "requestBody": _body("ActionRequest"),
        "responses": {"202": _taken("Durable; the case decides on it next")} | _problems(*KEYED, Kind.NOT_FOUND),
    }


def _get_case() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["case", "status"],
        "properties": {"case": _case_schema(), "status": {"type": "string"}},
    }
    return {
        "operationId": "getCase",
        "summary": "One case: where it stands, and its timeline with the reason of every step",
        "responses": {"200": _answer("The case; status `accepted` while it is on its way to the board", schema)}
        | _problems(*ALWAYS, Kind.NOT_FOUND, Kind.UNAVAILABLE),
    }


def _get_board() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["district", "at", "systems"],
        "properties": {
            "district": {"type": "integer"},
            "at": {"type": "integer", "description": "UTC milliseconds"},
            "systems": {"type": "array", "items": {"$ref": REF.format(name="DistrictBoard")}},
        },
    }
    system = {"name": "system", "in": "query", "schema": {"enum": sorted(profiles())}}
    return {
        "operationId": "getDistrictBoard",
        "summary": "A district now: each department and level by age, today's counts, defaulters, who has not looked",
        "description": f"For tokens of {', '.join(sorted(BOARD_READERS))}; of districts or a department: theirs only.",
        "parameters": [system],
        "responses": {"200": _answer("The board of every system that serves the district", schema)}
        | _problems(*ALWAYS, Kind.INVALID_FIELDS, Kind.NOT_FOUND, Kind.UNAVAILABLE),
    }


def _district_parameter() -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[0-9]{1,6}$", "description": "Local Government Directory code"}
    return {"name": "lgd", "in": "path", "required": True, "schema": schema}


def _get_escalations() -> dict[str, Any]:
    return {
        "operationId": "streamEscalations",
        "summary": "Escalations as they happen (server-sent events), from the event named by Last-Event-ID on",
        "parameters": [
            {"name": "department", "in": "query", "schema": schema_of(Slug)},
            {"name": "district", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 999_999}},
            {
                "name": "Last-Event-ID",
                "in": "header",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"},
            },
        ],
        "responses": {
            "200": {"description": "Events `escalation`; a comment every 15 s", "content": {"text/event-stream": {}}}
        }
        | _problems(*ALWAYS, Kind.INVALID_FIELDS, Kind.UNAVAILABLE),
    }


def _get_calls() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["system", "rows", "left", "hidden"],
        "properties": {
            "system": schema_of(Slug),
            "rows": {"type": "array", "items": {"$ref": REF.format(name="CallRow")}},
            "left": {"type": "integer", "description": "due beside those in `rows`"},
            "hidden": {"type": "integer", "description": "due in cases that the token may not see"},
        },
    }
    answered = _answer("The calls, the longest due first", schema)
    answered["content"]["text/csv"] = {}
    return {
        "operationId": "listFeedbackCalls",
        "summary": "Feedback calls that are due: whom the call centre has to call, for which case",
        "description": "For tokens of `call-centre`. What came of a call is an action on the case.",
        "parameters": [
            {"name": "system", "in": "query", "required": True, "schema": {"enum": sorted(profiles())}},
            {"name": "district", "in": "query", "schema": {"enum": call_rows.districts()}},
            {"name": "department", "in": "query", "schema": {"enum": sorted(load.departments())}},
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": call_rows.MOST}},
            {"name": "format", "in": "query", "schema": {"enum": list(call_rows.FORMATS)}},
        ],
        "responses": {"200": answered} | _problems(*ALWAYS, Kind.INVALID_FIELDS, Kind.UNAVAILABLE),
    }


def _post_receipt() -> dict[str, Any]:
    return {
        "operationId": "reportDelivery",
        "summary": "The SMS gateway's delivery report of one SMS",
        "requestBody": _body("ReceiptRequest"),
        "responses": {"204": {"description": "Durable"}} | _problems(*WRITES),
    }


def _post_activity() -> dict[str, Any]:
    return {
        "operationId": "tellOfOfficer",
        "summary": "What an officer's portal or an administrator tells of an officer",
        "description": "The officers stage decides: what it cannot take is a fact of the officer, with the reason. "
        + "; ".join(f"`{name}`: {', '.join(sorted(roles))}" for name, (_, roles) in ACTIVITIES.items()),
        "parameters": [_key_parameter(), _trace_parameter()],
        "requestBody": _body("ActivityRequest"),
        "responses": {"202": _answer("Durable", {"$ref": REF.format(name="ActivityAnswer")})}
        | _problems(*WRITES, Kind.NOT_FOUND),
    }


def _get_list(name: str) -> dict[str, Any]:
    listed = LISTS[name]
    named = [
        {
            "name": listed.parameter,
            "in": "query",
            "description": f"local {listed.parameter}; without it the last one whose result is in"
            if listed.parameter == "day"
            else "local month; without it the present one",
            "schema": {"type": "string", "pattern": f"^{PERIODS[listed.parameter]}$"},
        }
        for _ in range(bool(listed.parameter))
    ]
    rows = {"type": "array", "items": {"$ref": REF.format(name=listed.row.__name__)}}
    schema = {
        "type": "object",
        "required": ["system", "districts", "rows"],
        "properties": {
            "system": schema_of(Slug),
            "districts": {"type": "array", "items": {"type": "integer"}, "description": "empty: all"},
            "rows": rows,
        },
    }
    return {
        "operationId": f"list{name.capitalize()}",
        "summary": listed.about,
        "description": "A district administrator's token is answered for its districts, and refused for another.",
        "parameters": [
            {
                "name": "system",
                "in": "query",
                "required": True,
                "schema": {"enum": [profile.system for profile in watched()]},
            },
            {"name": "district", "in": "query", "schema": {"enum": districts()}},
            {"name": "department", "in": "query", "schema": {"enum": departments()}},
            *named,
        ],
        "responses": {"200": _answer("The list", schema)} | _problems(*ALWAYS, Kind.INVALID_FIELDS, Kind.UNAVAILABLE),
    }


def _ready() -> dict[str, Any]:
    schema = {"type": "object", "required": ["ready"], "properties": {"ready": {"type": "boolean"}}}
    operation = _open("ready", "Whether submissions can be made durable now", _answer("Yes", schema))
    return operation | {"responses": operation["responses"] | {"503": _answer("No", schema)}}


def _open(name: str, summary: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}


def _taken(description: str) -> dict[str, Any]:
    headers = {
        "Location": {"schema": {"type": "string"}},
        "Idempotency-Replayed": {"description": "`true` on a repeat of the key", "schema": {"type": "string"}},
    }
    return _answer(description, {"$ref": REF.format(name="Answer")}) | {"headers": headers}


def _answer(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _body(name: str) -> dict[str, Any]:
    return {"required": True, "content": {JSON: {"schema": {"$ref": REF.format(name=name)}}}}


def _problems(*kinds: Kind) -> dict[str, Any]:
    """One answer per status; kinds that share a status share it."""
    found: dict[str, Any] = {}
    for kind in kinds:
        answer = {
            "description": kind.title,
            "content": {CONTENT_TYPE: {"schema": {"$ref": REF.format(name="ProblemDetails")}}},
        }
        if kind in RETRYING:
            answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
        found[str(kind.status)] = answer
    return found


def _key_parameter() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "New for every new submission, the same for its retries: a retry gets the first answer.",
        "schema": {"type": "string", "pattern": '^(?:"[!#-~]{8,128}"|[!#-~]{8,128})$'},
    }


def _trace_parameter() -> dict[str, Any]:
    return {"name": "traceparent", "in": "header", "description": "W3C trace context", "schema": {"type": "string"}}


def _officer_parameter() -> dict[str, Any]:
    return {"name": "officer", "in": "path", "required": True, "schema": schema_of(OfficerId)}


def _case_parameter() -> dict[str, Any]:
    return {"name": "case", "in": "path", "required": True, "schema": _case_schema()}


def _case_schema() -> dict[str, Any]:
    return {"type": "string", "pattern": "^[0-9]{18}$", "description": "18 digits, the last a Damm check digit"}
