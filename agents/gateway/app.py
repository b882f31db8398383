"""The HTTP application: the routes in one table, and what every request passes through."""

import hashlib
import logging
import time
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from agents.gateway.activities import LISTS
from agents.gateway.calling import get_calls
from agents.gateway.districts import get_board
from agents.gateway.officers import get_list, post_activity
from agents.gateway.problems import Kind, Problem
from agents.gateway.reading import get_case, get_escalations, get_health, get_metrics, get_openapi, get_ready
from agents.gateway.routes import Handler, Route, address
from agents.gateway.services import SERVICES, Services
from agents.gateway.signed.tokens import known_caller
from agents.gateway.writing import BEGUN, CALLER, post_action, post_complaint, post_receipt

logger = logging.getLogger(__name__)

ROUTES: Final = (
    Route("POST", "/v1/complaints", post_complaint),
    Route("POST", "/v1/cases/{case}/actions", post_action),
    Route("GET", "/v1/cases/{case}", get_case),
    Route("GET", "/v1/districts/{lgd}/board", get_board),
    Route("GET", "/v1/escalations", get_escalations),
    Route("GET", "/v1/feedback/calls", get_calls),
    Route("POST", "/v1/sms/receipts", post_receipt),
    Route("POST", "/v1/officers/{officer}/activity", post_activity),
    *(Route("GET", f"/v1/officers/{name}", get_list) for name in LISTS),
    Route("GET", "/healthz", get_health, "open"),
    Route("GET", "/readyz", get_ready, "open"),
    Route("GET", "/metrics", get_metrics, "open"),
    Route("GET", "/openapi.json", get_openapi, "open"),
)
STATUS_KINDS: Final = {404: Kind.NOT_FOUND, 405: Kind.METHOD_NOT_ALLOWED, 413: Kind.TOO_LARGE}
ROUTE: Final[web.AppKey[dict[tuple[str, str], Route]]] = web.AppKey("routes", dict)


def build(services: Services, channels: Iterable[Route] = ()) -> web.Application:
    """The application over these services; `channels`: routes of the channels that are set up."""
    app = web.Application(middlewares=[measured, explained, admitted], client_max_size=services.settings.max_body)
    app[SERVICES] = services
    app[ROUTE] = {}
    for route in (*ROUTES, *channels):
        if route.serving is not None and route.serving not in app.cleanup_ctx:
            app.cleanup_ctx.append(route.serving)
        found = app.router.add_route(route.method, route.path, route.handler)
        assert found.resource is not None
        app[ROUTE][route.method, found.resource.canonical] = route
    return app


def _route(request: web.Request) -> Route | None:
    """What serves this request; None where nothing does."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[ROUTE].get((method, resource.canonical))


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
    route = _route(request)
    tell = Problem.response if route is None else route.telling
    try:
        return await handler(request)
    except Problem as problem:
        metrics.problems.labels(problem.kind.name.lower()).inc()
        return tell(problem)
    except web.HTTPException as error:
        kind = STATUS_KINDS.get(error.status)
        if kind is None:
            raise
        metrics.problems.labels(kind.name.lower()).inc()
        response = tell(Problem(kind))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:
        logger.exception("a request failed: %s", type(error).__name__)
        metrics.problems.labels(Kind.INTERNAL.name.lower()).inc()
        return tell(Problem(Kind.INTERNAL))


@web.middleware
async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A known token where one is needed, and room in the source's bucket, before the body is read."""
    route, services = _route(request), request.app[SERVICES]
    if route is None or route.entrance == "open":
        return await handler(request)
    name = route.path
    if route.entrance == "token":
        given = request.headers.get("Authorization")
        request[CALLER] = await known_caller(services.tokens, services.signed, given)
        name = request[CALLER].digest
    wait = await services.buckets.wait(_source(request, name, services.settings.trusted_proxies))
    if wait:
        raise Problem(Kind.TOO_MANY, retry_after=wait)
    return await handler(request)


def _source(request: web.Request, name: str, proxies: int) -> str:
    """Digest of token (or channel) and address: an address is personal data and stays out of Redis."""
    return hashlib.sha256(f"{name}\x00{address(request, proxies)}".encode()).hexdigest()[:24]
