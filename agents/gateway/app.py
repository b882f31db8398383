"""The HTTP application: the routes in one table, and what every request passes through."""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web

from agents.gateway.activities import LISTS
from agents.gateway.districts import get_board
from agents.gateway.officers import get_list, post_activity
from agents.gateway.problems import Kind, Problem
from agents.gateway.reading import get_case, get_escalations, get_health, get_metrics, get_openapi, get_ready
from agents.gateway.services import SERVICES, Services
from agents.gateway.writing import BEGUN, CALLER, post_action, post_complaint, post_receipt

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
logger = logging.getLogger(__name__)


class Route(NamedTuple):
    """A path as clients see it, and who may come in."""

    method: str
    path: str
    handler: Handler
    open: bool = False
    """Without a token: what a probe or a scraper asks."""


ROUTES: Final = (
    Route("POST", "/v1/complaints", post_complaint),
    Route("POST", "/v1/cases/{case}/actions", post_action),
    Route("GET", "/v1/cases/{case}", get_case),
    Route("GET", "/v1/districts/{lgd}/board", get_board),
    Route("GET", "/v1/escalations", get_escalations),
    Route("POST", "/v1/sms/receipts", post_receipt),
    Route("POST", "/v1/officers/{officer}/activity", post_activity),
    *(Route("GET", f"/v1/officers/{name}", get_list) for name in LISTS),
    Route("GET", "/healthz", get_health, open=True),
    Route("GET", "/readyz", get_ready, open=True),
    Route("GET", "/metrics", get_metrics, open=True),
    Route("GET", "/openapi.json", get_openapi, open=True),
)
OPEN_PATHS: Final = frozenset(route.path for route in ROUTES if route.open)
STATUS_KINDS: Final = {404: Kind.NOT_FOUND, 405: Kind.METHOD_NOT_ALLOWED, 413: Kind.TOO_LARGE}


def build(services: Services) -> web.Application:
    """The application over these services."""
    app = web.Application(middlewares=[measured, explained, admitted], client_max_size=services.settings.max_body)
    app[SERVICES] = services
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
    return app


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time every answer; the log gets no line per request, so no personal data either."""
    metrics = request.app[SERVICES].metrics
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    began = time.perf_counter()
    with metrics.in_hand.track_inprogress():
        response = await handler(request)
    method = request.method if route != "none" else "any"
    metrics.requests.labels(route, method, str(response.status)).inc()
    took = time.perf_counter() - began
    metrics.seconds.labels(route).observe(took)
    spans, context = request.app[SERVICES].spans, request.get(BEGUN)
    if spans is not None and context is not None:
        spans.root(context, f"{method} {route}", took)
    return response


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Everything that goes wrong is a problem document."""
    metrics = request.app[SERVICES].metrics
    try:
        return await handler(request)
    except Problem as problem:
        metrics.problems.labels(problem.kind.name.lower()).inc()
        return problem.response()
    except web.HTTPException as error:
        kind = STATUS_KINDS.get(error.status)
        if kind is None:
            raise
        metrics.problems.labels(kind.name.lower()).inc()
        response = Problem(kind).response()
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:
        logger.exception("a request failed: %s", type(error).__name__)
        metrics.problems.labels(Kind.INTERNAL.name.lower()).inc()
        return Problem(Kind.INTERNAL).response()


@web.middleware
async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A known token and room in its source's bucket, before the body is read."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical in OPEN_PATHS:
        return await handler(request)
    services = request.app[SERVICES]
    caller = services.tokens.caller(request.headers.get("Authorization"))
    wait = await services.buckets.wait(_source(request, caller.digest, services.settings.trusted_proxies))
    if wait:
        raise Problem(Kind.TOO_MANY, retry_after=wait)
    request[CALLER] = caller
    return await handler(request)


def _source(request: web.Request, token: str, proxies: int) -> str:
    """Digest of token and address: an address is personal data and stays out of Redis."""
    address = request.remote or ""
    if proxies:
        passed = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
        address = passed[-proxies] if len(passed) >= proxies and passed[-proxies] else address
    return hashlib.sha256(f"{token}\x00{address}".encode()).hexdigest()[:24]
