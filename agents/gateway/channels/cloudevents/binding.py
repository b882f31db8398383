"""The HTTP binding's three content modes, from who bears a token or signs, and what is answered for each event."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.gateway.auth import Caller
from agents.gateway.channels.cloudevents.event import PREFIX, of_headers, of_json
from agents.gateway.channels.cloudevents.signed import Senders, senders
from agents.gateway.channels.cloudevents.taking import take
from agents.gateway.problems import CONTENT_TYPE, FieldError, Kind, Problem
from agents.gateway.routes import Route
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from agents.gateway.writing import CALLER, accepted, json_of, traceparent
from agents.settings import load

FAMILY: Final = "application/cloudevents"
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
MODES: Final = f"{STRUCTURED}, {BATCH}, or application/json with the attributes in ce- headers"
MOST_EVENTS: Final = 200
AGAIN: Final = frozenset({Kind.UNAVAILABLE.status, Kind.IN_FLIGHT.status})
"""Answers after which the same event may be taken when it is sent again."""
NOT_TRIED: Final = Problem(Kind.UNAVAILABLE, "not tried: an event before it in the batch has to be sent again")


class CloudEventsSettings(Struct, frozen=True):
    """Senders have tokens of the API, or sign."""

    cloudevents: Literal["off", "on"] = "off"
    """`on`: events are taken at /v1/events."""
    cloudevents_secrets: str = ""
    """`name/role:whsec_...`, comma separated: senders that sign are served at /channels/events/{name}."""


class EventAnswer(Struct, frozen=True, omit_defaults=True):
    """What became of one event of a batch, in the order in which they were sent."""

    status: int
    id: str | None = None
    source: str | None = None
    case: str | None = None
    status_url: str | None = None
    replayed: bool = False
    problem: dict[str, Any] | None = None
    """As RFC 9457 has it: what is wrong with this event."""


def cloudevents(environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """The channel's routes, where they are set up; raises SettingsError."""
    settings = load(CloudEventsSettings, environ)
    found = [Route("POST", "/v1/events", post_event)] if settings.cloudevents == "on" else []
    if settings.cloudevents_secrets:
        post = partial(post_signed, senders(settings.cloudevents_secrets))
        found.append(Route("POST", "/channels/events/{sender}", post, "channel"))
    return tuple(found)


async def post_event(request: web.Request) -> web.Response:
    """Take an event, or a batch of them, of who bears a token."""
    return await _post(request, request[CALLER])


async def post_signed(known: Senders, request: web.Request) -> web.Response:
    """Take an event, or a batch of them, of who signed the body."""
    body = await request.read()
    return await _post(request, known.caller(request.match_info["sender"], request.headers, body, int(time.time())))


async def _post(request: web.Request, caller: Caller) -> web.Response:
    services = request.app[SERVICES]
    content = request.content_type.lower()
    if content == BATCH:
        return await _batch(request, services, caller)
    if content == STRUCTURED:
        event = of_json(json_of(await request.read()))
    elif content.startswith(FAMILY) or not (content == "application/json" or _has_attributes(request)):
        raise Problem(Kind.NOT_JSON, errors=[FieldError("Content-Type", f"must be {MODES}")])
    else:
        event = of_headers(request.headers, await request.read())
    return accepted(await take(services, caller, event, traceparent(request)))


def _has_attributes(request: web.Request) -> bool:
    return any(name.lower().startswith(PREFIX) for name in request.headers)


async def _batch(request: web.Request, services: Services, caller: Caller) -> web.Response:
    """One after the other, up to one that has to be sent again: what follows may be about the same case."""
    events = json_of(await request.read())
    if not isinstance(events, list):
        raise Problem(Kind.MALFORMED, "a batch is a JSON array of events")
    if len(events) > MOST_EVENTS:
        raise Problem(Kind.TOO_LARGE, f"a batch has at most {MOST_EVENTS} events")
    answers: list[EventAnswer] = []
    trace, stopped = traceparent(request), False
    for raw in events:
        answer = _refused(raw, NOT_TRIED) if stopped else await _one(services, caller, raw, trace)
        stopped = answer.status in AGAIN
        answers.append(answer)
    return _answered(answers)


async def _one(services: Services, caller: Caller, raw: object, trace: str) -> EventAnswer:
    try:
        done = await take(services, caller, of_json(raw), trace)
    except Problem as problem:
        services.metrics.problems.labels(problem.kind.name.lower()).inc()
        return _refused(raw, problem)
    case, status_url, _ = msgspec.structs.astuple(done.answer)
    return EventAnswer(HTTPStatus.ACCEPTED, *_named(raw), case, status_url, done.replayed)


def _refused(raw: object, problem: Problem) -> EventAnswer:
    return EventAnswer(problem.kind.status, *_named(raw), problem=problem.document())


def _named(raw: object) -> tuple[str | None, str | None]:
    """Id and source, as far as they can be told of what may be no event."""
    if not isinstance(raw, dict):
        return None, None
    told = [value if isinstance(value := raw.get(name), str) else None for name in ("id", "source")]
    return told[0], told[1]


def _answered(answers: Sequence[EventAnswer]) -> web.Response:
    """202 where all were taken. Else the whole is a problem, so that no sender takes it for delivered.

    503, where sending the same batch again may help: what was taken of it is answered as before. 400, where it cannot.
    """
    missing = [answer.status for answer in answers if answer.status != HTTPStatus.ACCEPTED]
    if not missing:
        return _told({"events": answers}, HTTPStatus.ACCEPTED, "application/json")
    again = not AGAIN.isdisjoint(missing)
    detail = f"{len(missing)} of {len(answers)} events were not taken: `events` says which, and why"
    problem = Problem(
        Kind.UNAVAILABLE if again else Kind.INVALID_FIELDS, detail, retry_after=RETRY_UNAVAILABLE if again else None
    )
    return _told({**problem.document(), "events": answers}, problem.kind.status, CONTENT_TYPE, problem.headers)


def _told(body: object, status: int, content: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), headers=headers, content_type=content)
