"""The routes of the Open311 channel, each in both forms."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from aiohttp import web

from agents.gateway.channels.open311.entering import Served, jurisdiction
from agents.gateway.channels.open311.formats import MEDIA, telling, told
from agents.gateway.channels.open311.offered import definition, discovery, services
from agents.gateway.channels.open311.posting import post_request
from agents.gateway.channels.open311.reading import get_request, get_requests, get_token
from agents.gateway.channels.open311.settings import open311_settings
from agents.gateway.problems import Kind, Problem
from agents.gateway.routes import Route
from agents.gateway.services import SERVICES
from agents.gateway.writing import received_at

ROOT: Final = "/open311/v2"


async def get_discovery(served: Served, request: web.Request) -> web.Response:
    """Where the endpoint is, and how to get in."""
    now = received_at(request.app[SERVICES], {})
    return told(served.form, "discovery", discovery(served.settings, now))


async def get_services(served: Served, request: web.Request) -> web.Response:
    """The categories of a system."""
    now = received_at(request.app[SERVICES], {})
    return told(served.form, "services", services(jurisdiction(request.query).at(now)))


async def get_definition(served: Served, request: web.Request) -> web.Response:
    """What a request of one category is to say."""
    now, code = received_at(request.app[SERVICES], {}), request.match_info["code"]
    profile = jurisdiction(request.query).at(now)
    if code not in profile.categories:
        raise Problem(Kind.NOT_FOUND, "service_code: no such service in this jurisdiction")
    return told(served.form, "service_definition", definition(profile, code, now))


METHODS: Final[tuple[tuple[str, str, Callable[[Served, web.Request], Awaitable[web.Response]]], ...]] = (
    ("GET", "discovery", get_discovery),
    ("GET", "services", get_services),
    ("GET", "services/{code}", get_definition),
    ("POST", "requests", post_request),
    ("GET", "requests", get_requests),
    ("GET", "requests/{case}", get_request),
    ("GET", "tokens/{token}", get_token),
)


def open311(environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """The channel's routes; none where NIVARAN_OPEN311_URL is not set. Raises SettingsError."""
    settings = open311_settings(environ)
    if settings is None:
        return ()
    return tuple(
        Route(
            method, f"{ROOT}/{path}.{form}", partial(handler, Served(settings, form)), "channel", partial(telling, form)
        )
        for form in MEDIA
        for method, path, handler in METHODS
    )
