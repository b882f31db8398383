"""Handlers that accept something: validated, made durable once per Idempotency-Key, and only then answered 202."""

import re
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from agents.clock import ClockNotSetError
from agents.gateway import records
from agents.gateway.auth import ACTORS, MAY_ACT, RECEIPT_WRITERS, SPEAKS_AS, SUBMITTERS, Caller, allow, allow_system
from agents.gateway.log import Entry, LogUnavailableError
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.remembering import Accepted, Answer
from agents.gateway.scope import allow_act
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from agents.telemetry.trace import TRACEPARENT, begun, exemplar
from schemas.base import Actor
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED, SMS_REQUESTED
from streams.ids import valid_case_id
from streams.profiles.profile import DAY_MS, Profile

KEY: Final = re.compile("[!#-~]{8,128}")
RETRY_IN_FLIGHT: Final = 1
RECEIPT_LATENESS_MS: Final = 7 * DAY_MS

BEGUN: web.RequestKey[str] = web.RequestKey("begun", str)
"""Trace context that began with this request; absent where the caller brought one."""
CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)


class Taken(NamedTuple):
    """A request that can be taken: the record to write, and what the caller is answered once it is durable."""

    kind: str
    entry: Entry
    answer: Answer
    accepted: Accepted | None = None


class Once(NamedTuple):
    """What a caller is answered, and whether it is the answer of before."""

    answer: Answer
    replayed: bool


async def post_complaint(request: web.Request) -> web.Response:
    """`POST /v1/complaints`."""
    services = request.app[SERVICES]
    caller = request[CALLER]
    allow(caller, SUBMITTERS)
    key, body = idempotency_key(request), await json_body(request)
    allow_to_submit(caller, body)
    return accepted(await submit(services, body, key, traceparent(request)))


def allow_to_submit(caller: Caller, body: object) -> None:
    """Raises Problem FORBIDDEN where a body names another system than the token is for."""
    if isinstance(body, dict) and isinstance(body.get("system"), str):
        allow_system(caller, body["system"])


async def submit(services: Services, body: object, key: str, trace: str) -> Once:
    """Take a complaint's body under the key of its channel: durable once, however often it comes.

    `key` is the channel's own id of it, at most 128 visible ASCII characters: the case id follows from system, channel
    and key. `trace` is a W3C trace context. Raises Problem.
    """

    def take() -> Taken:
        now = received_at(services, body)
        submitted, errors = records.complaint(body, key, now, services.identity, traceparent=trace)
        if submitted is None:
            raise Problem(Kind.INVALID_FIELDS, errors=errors)
        case = submitted.case
        entry = Entry(
            INTAKE_SUBMITTED,
            submitted.citizen,
            f"submitted-{case}",
            submitted,
            submitted.at,
            now,
            submitted.traceparent,
        )
        given = Accepted(case, submitted.system, now)
        return Taken("submission", entry, Answer(case, f"/v1/cases/{case}", submitted.id), given)

    return await once(services, f"complaints/{_scope(body)}", key, body, take)


def _scope(body: Any) -> str:
    """Keys are a channel's own: two channels may use the same one."""
    return f"{body.get('system')}/{body.get('channel')}" if isinstance(body, dict) else ""


async def post_action(request: web.Request) -> web.Response:
    """`POST /v1/cases/{case}/actions`."""
    services, caller = request.app[SERVICES], request[CALLER]
    allow(caller, ACTORS)
    key, body = idempotency_key(request), await json_body(request)
    return accepted(await act(services, caller, request.match_info["case"], body, key, traceparent(request)))


async def act(services: Services, caller: Caller, case: str, body: Any, key: str, trace: str) -> Once:
    """Take an action's body under the caller's key for it: durable once, however often it comes. Raises Problem."""
    profile = _profile(case)
    now = received_at(services, body)
    command, errors = records.action(body, case, profile, key, now)
    if command is None:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    by = getattr(command, "by", None)
    _may_act(caller, body["type"], by)
    await allow_act(services, caller, case, profile, by)

    def take() -> Taken:
        entry = Entry(CASE_COMMANDS, case, command.id, command, command.at, now, trace)
        return Taken("action", entry, Answer(case, f"/v1/cases/{case}", command.id))

    return await once(services, f"actions/{case}", key, body, take)


def _profile(case: str) -> Profile:
    profile = records.profile_of_case(case) if valid_case_id(case) else None
    if profile is None:
        raise Problem(Kind.NOT_FOUND, "no case can have this number: a digit is wrong")
    return profile


def _may_act(caller: Caller, action: str, by: Actor | None) -> None:
    allow(caller, MAY_ACT[action])
    roles = SPEAKS_AS[caller.role]
    if by is not None and by.role not in roles:
        error = FieldError("by.role", f"this token speaks as {', '.join(sorted(roles))}")
        raise Problem(Kind.FORBIDDEN, errors=[error])


async def post_receipt(request: web.Request) -> web.Response:
    """`POST /v1/sms/receipts`: no Idempotency-Key, because the same receipt twice says the same."""
    services = request.app[SERVICES]
    allow(request[CALLER], RECEIPT_WRITERS)
    body = await json_body(request)
    now = received_at(services, body)
    receipt, errors = records.receipt(body, now, RECEIPT_LATENESS_MS)
    if receipt is None:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    await append(
        services,
        "receipt",
        Entry(SMS_REQUESTED, receipt.id, f"receipt-{receipt.id}", receipt, receipt.at, now, traceparent(request)),
    )
    return web.Response(status=204)


async def once(services: Services, scope: str, key: str, body: object, take: Callable[[], Taken]) -> Once:
    """Do what the request asks once per key: a repeat gets the first answer. Raises Problem."""
    taken = take()  # what cannot be taken leaves no trace of its key
    print_of_body = services.keys.fingerprint(body)
    match await services.keys.begin(scope, key, print_of_body):
        case "in-flight":
            raise Problem(Kind.IN_FLIGHT, retry_after=RETRY_IN_FLIGHT)
        case "reused":
            raise Problem(Kind.KEY_REUSED)
        case Answer() as before:
            return Once(before, replayed=True)
        case "first":
            pass
    try:
        await append(services, taken.kind, taken.entry)
    except BaseException:
        await services.keys.release(scope, key)
        raise
    await services.keys.done(scope, key, print_of_body, taken.answer, taken.accepted)
    return Once(taken.answer, replayed=False)


async def append(services: Services, kind: str, entry: Entry) -> None:
    began = time.perf_counter()
    try:
        await services.log.append(entry)
    except LogUnavailableError as error:
        services.metrics.not_durable.labels(str(error)).inc()
        raise Problem(Kind.UNAVAILABLE, retry_after=RETRY_UNAVAILABLE) from None
    took = time.perf_counter() - began
    trace = entry.traceparent.encode() if entry.traceparent is not None else None
    services.metrics.durable.observe(took, exemplar(trace))
    if services.spans is not None:
        about = {"messaging.system.name": "kafka", "messaging.destination.name": entry.topic}
        services.spans.below(entry.traceparent, f"send {entry.topic}", "producer", took, about)
    services.metrics.accepted.labels(kind).inc()
    if isinstance(entry.value, Submitted):
        services.metrics.submissions.labels(entry.value.system, entry.value.channel).inc()


def accepted(done: Once) -> web.Response:
    """The answer 202 of something taken."""
    answer, replayed = done
    headers = {"Location": answer.status_url} | ({"Idempotency-Replayed": "true"} if replayed else {})
    return web.Response(status=202, body=msgspec.json.encode(answer), headers=headers, content_type="application/json")


def idempotency_key(request: web.Request) -> str:
    """The header's value, with or without the quotes of a structured header; raises Problem KEY_MISSING."""
    given = request.headers.getall("Idempotency-Key", [])
    key = given[0].strip() if len(given) == 1 else ""
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not KEY.fullmatch(key):
        error = FieldError(
            "Idempotency-Key", "one header with 8 to 128 visible ASCII characters, quotes only around them"
        )
        raise Problem(Kind.KEY_MISSING, errors=[error])
    return key


async def json_body(request: web.Request) -> Any:
    """The body; raises Problem NOT_JSON, TOO_LARGE or MALFORMED."""
    if request.content_type != "application/json":
        raise Problem(Kind.NOT_JSON)
    return json_of(await request.read())


def json_of(raw: bytes, said: str = "") -> Any:
    """What is written in JSON; raises Problem MALFORMED, which says `said` where it is told by another name."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(Kind.MALFORMED, said) from None


def traceparent(request: web.Request) -> str:
    given = request.headers.get(TRACEPARENT)
    context = begun(given)
    if context != given:
        request[BEGUN] = context
    return context


def received_at(services: Services, body: object) -> int:
    """Now. Simulated time moves in steps, and what happens within one is received when it happens."""
    now = _now(services)
    return now if services.settings.clock == "wall" else max(now, records.told_at(body) or 0)


def _now(services: Services) -> int:
    try:
        return services.clock.now()
    except ClockNotSetError as error:
        raise Problem(Kind.UNAVAILABLE, str(error), retry_after=RETRY_UNAVAILABLE) from None
