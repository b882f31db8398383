"""What a path is served by: its handler, how a caller proves who it is, and how it is told what went wrong."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal, NamedTuple

from aiohttp import web

from agents.gateway.problems import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Telling = Callable[[Problem], web.Response]
Serving = Callable[[web.Application], AsyncIterator[None]]
Entrance = Literal["token", "open", "channel"]
"""`token`: a bearer token of the API. `open`: nothing, what a probe or a scraper asks. `channel`: the channel's own way
(a signature over the body, a key in the query), checked by its handler; its source still has a bucket of requests."""


class Route(NamedTuple):
    """A path as clients see it."""

    method: str
    path: str
    handler: Handler
    entrance: Entrance = "token"
    telling: Telling = Problem.response
    """How a problem is answered, where a channel's clients expect another form than RFC 9457's."""
    serving: Serving | None = None
    """What is held open while the gateway serves, up to the one `yield`; routes of a channel may share it."""


def address(request: web.Request, proxies: int) -> str:
    """Who sent it, as the last `proxies` proxies tell it; personal data."""
    found = request.remote or ""
    if proxies:
        passed = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
        found = passed[-proxies] if len(passed) >= proxies and passed[-proxies] else found
    return found
