"""Handlers that only read: one case, the escalation feed, health, metrics, the API's own description."""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.clock import ClockNotSetError
from agents.gateway.accesses import UNNAMED, Read, Shown, told
from agents.gateway.auth import ALL_READERS, FEED_READERS, STATUS_ONLY, ApiRole, Caller, allow
from agents.gateway.feed import ENTRY_ID, Filter
from agents.gateway.openapi import document
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.scope import OUTSIDE, covers
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import AWAY, RETRY_UNAVAILABLE, away
from agents.gateway.writing import CALLER
from agents.readmodel.reader import FeedEntry
from schemas.base import Slug
from schemas.codec import decoder
from schemas.events import EscalationRaised, EscalationSentUp
from streams.ids import valid_case_id

HEARTBEAT_SECONDS: Final = 15.0
RECONNECT_MS: Final = 2000
MOST_LISTENERS: Final = 500
FILTERS: Final = ("department", "district")
FEED_HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
SHOWN_TO_CITIZENS: Final = ("case", "system", "status", "registered_at")
"""What a citizen who knows the number is told of a case that only some roles may see."""
TOLD_STATUS: Final = STATUS_ONLY | frozenset[ApiRole]({"citizen-channel"})

_escalation: Final[Callable[[bytes], EscalationRaised | EscalationSentUp]] = decoder(
    EscalationRaised | EscalationSentUp
)

logger = logging.getLogger(__name__)


async def get_case(request: web.Request) -> web.Response:
    """`GET /v1/cases/{case}`: as the board shows it; `accepted` while it is on its way there."""
    allow(request[CALLER], ALL_READERS)
    return answer(await shown(request.app[SERVICES], request[CALLER], request.match_info["case"]))


async def shown(services: Services, caller: Caller, case: str) -> dict[str, Any]:
    """What this caller may see of a case, ready for JSON; raises Problem."""
    if not valid_case_id(case):
        raise Problem(Kind.NOT_FOUND, "no case can have this number: a digit is wrong")
    try:
        found = await services.board.case(case)
    except AWAY as error:
        raise away(error) from None
    if found is None:
        found = await _accepted(services, case)
    if not covers(caller, found):
        await _tell(services, caller, found, "refused")
        raise Problem(Kind.FORBIDDEN, OUTSIDE)
    if not caller.may_see(found.get("visible_to", ())):
        if caller.role not in TOLD_STATUS:
            await _tell(services, caller, found, "refused")
            raise Problem(Kind.FORBIDDEN, "only some roles may see this case, and the token has none of them")
        return await _status(services, caller, found)
    if caller.role in STATUS_ONLY:
        return await _status(services, caller, found)
    await _tell(services, caller, found, "shown")
    return found


async def _status(services: Services, caller: Caller, found: dict[str, Any]) -> dict[str, Any]:
    """How it stands; of what is no case of its own, that."""
    await _tell(services, caller, found, "status-only")
    return {name: found[name] for name in SHOWN_TO_CITIZENS if name in found} if "registered_at" in found else found


async def _tell(services: Services, caller: Caller, found: dict[str, Any], what: Shown) -> None:
    if found.get("visible_to"):
        read = Read(found["case"], found["system"], found.get("restricted", UNNAMED), what)
        await told(services, caller, "case", [read])


async def _accepted(services: Services, case: str) -> dict[str, Any]:
    accepted = await services.keys.accepted(case)
    if accepted is None:
        raise Problem(Kind.NOT_FOUND, "no case with this number is known")
    return {"case": case, "status": "accepted", "system": accepted.system, "accepted_at": accepted.at}


async def get_escalations(request: web.Request) -> web.StreamResponse:
    """`GET /v1/escalations`: server-sent events; `Last-Event-ID` replays what came after it."""
    services = request.app[SERVICES]
    allow(request[CALLER], FEED_READERS)
    wanted, after = _filter(request), _after(request)
    if services.feed.listeners >= MOST_LISTENERS or services.stopping:
        raise Problem(Kind.UNAVAILABLE, "too many feeds are open", retry_after=RETRY_UNAVAILABLE)
    try:
        position = await services.feed.position(after)
    except AWAY as error:
        raise away(error) from None
    return await _stream(request, services, services.feed.listen(position, wanted, HEARTBEAT_SECONDS))


async def _stream(
    request: web.Request, services: Services, entries: AsyncGenerator[FeedEntry | None]
) -> web.StreamResponse:
    response, caller = web.StreamResponse(headers=FEED_HEADERS), request[CALLER]
    await response.prepare(request)
    services.metrics.feed_clients.inc()
    try:
        await response.write(b"retry: %d\n\n" % RECONNECT_MS)
        async for entry in entries:
            if caller.expires_at is not None and time.time() >= caller.expires_at:
                break  # the listener comes back with a new token and its last id
            if entry is not None and entry.visible_to:
                await told(services, caller, "escalations", [_read(entry)])
            await response.write(b": nothing new\n\n" if entry is None else _event(entry))
    except Problem as problem:  # that it was shown could not be made durable: it is not shown
        logger.warning("an escalation feed ends: %s", problem.detail)
    except AWAY as error:  # the listener has gone, or Redis; the listener comes back with its last id
        logger.info("an escalation feed ends (%s)", type(error).__name__)
    finally:
        await entries.aclose()
        services.metrics.feed_clients.dec()
    return response


def _read(entry: FeedEntry) -> Read:
    raised = _escalation(entry.data)
    return Read(raised.case, raised.system, raised.restricted or UNNAMED)


def _event(entry: FeedEntry) -> bytes:
    return b"id: %s\nevent: escalation\ndata: %s\n\n" % (entry.id.encode(), entry.data)


def unknown_filters(request: web.Request, known: Sequence[str]) -> list[FieldError]:
    """A mistyped filter is refused: an answer to another question than was asked would pass for the right one."""
    return [
        FieldError(name[:128], f"no such filter; there are {', '.join(known)}")
        for name in request.query
        if name not in known
    ]


def _filter(request: web.Request) -> Filter:
    errors = unknown_filters(request, FILTERS)
    department, district = request.query.get("department"), request.query.get("district")
    try:
        msgspec.convert(department, Slug | None)
    except msgspec.ValidationError:
        errors.append(FieldError("department", "must be lower-case words joined by dashes"))
    if district is not None and not (district.isascii() and district.isdecimal() and len(district) < 7):  # noqa: PLR2004 - codes are far shorter
        errors.append(FieldError("district", "must be a district's code"))
    if errors:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    return Filter(request[CALLER], department, None if district is None else int(district))


def _after(request: web.Request) -> str | None:
    given = request.headers.get("Last-Event-ID")
    if given is not None and not ENTRY_ID.fullmatch(given):
        raise Problem(
            Kind.INVALID_FIELDS, errors=[FieldError("Last-Event-ID", "must be the id of an event of this feed")]
        )
    return given


async def get_health(_request: web.Request) -> web.Response:
    """`GET /healthz`: the process answers."""
    return answer({"status": "ok"})


async def get_ready(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 while submissions can be made durable. Redis is told, and not needed."""
    services = request.app[SERVICES]
    told = _told(services)
    state = {
        "ready": services.log.available and told and not services.stopping,
        "kafka": services.log.available,
        "redis": not services.redis.failed,
        "clock": told,
        "stopping": services.stopping,
    }
    return answer(state, status=200 if state["ready"] else 503)


def _told(services: Services) -> bool:
    try:
        services.clock.now()
    except ClockNotSetError:
        return False
    return True


async def get_metrics(request: web.Request) -> web.Response:
    """`GET /metrics`."""
    services = request.app[SERVICES]
    services.metrics.kafka.set(services.log.available)
    body, content_type = services.metrics.exposition(request.headers.get("Accept"))
    return web.Response(body=body, headers={"Content-Type": content_type})


async def get_openapi(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return answer(document(request.app[SERVICES].settings.max_body))


def answer(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
