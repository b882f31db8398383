"""Telephony as the provider publishes it, and a gateway that is told of calls."""

from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from agents.gateway.channels.ivr.calls import PATH, routes
from tests.gateway.conftest import TOKENS, Gateway, running

KEY, NEXT_KEY = "a-key-of-the-provider", "the-key-that-comes-next"
AUDIO = b"RIFF what was said"
LOGIN = "user:password"
ENVIRON = {
    "NIVARAN_IVR_SYSTEM": "up-1076",
    "NIVARAN_IVR_KEYS": f"{KEY},{NEXT_KEY}",
    "NIVARAN_IVR_STORE": "exotel",
    "NIVARAN_IVR_RECORDINGS_LOGIN": LOGIN,
}


def passthru(call: str, caller: str, **other: str) -> dict[str, str]:
    """Parameters as the page of the Passthru applet names them."""
    return {
        "CallSid": call, "CallFrom": caller, "CallTo": "0522-1076", "Direction": "incoming",
        "Created": "Mon, 23 Feb 2026 13:30:20", "DialCallDuration": "0", "StartTime": "2026-02-23 13:30:20",
        "EndTime": "1970-01-01 05:30:00", "CallType": "call-attempt", "digits": '"1"',
        "CurrentTime": "2026-02-23 13:30:25", "key": KEY,
    } | other  # fmt: skip


class Place:
    """Where the provider keeps recordings."""

    def __init__(self) -> None:
        self.url, self.asked, self.there = "", 0, True

    async def get(self, request: web.Request) -> web.Response:
        self.asked += 1
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        if request.match_info["name"] == "moved.mp3":
            raise web.HTTPFound("/recordings/a.mp3")
        return web.Response(body=AUDIO) if self.there else web.Response(status=404)


@asynccontextmanager
async def serving(*redis: str, **more: str):
    place, app = Place(), web.Application()
    app.router.add_get("/recordings/{name}", place.get)
    server = TestServer(app)
    await server.start_server()
    place.url = str(server.make_url("/recordings/"))
    environ = ENVIRON | {"NIVARAN_IVR_RECORDINGS": place.url} | more
    try:
        async with running(*redis, channels=routes(environ)) as gateway:
            yield gateway, place
    finally:
        await server.close()


async def told(gateway: Gateway, sent: dict[str, str], *, form: bool = False) -> tuple[int, str]:
    if form:
        asked = gateway.client.post(PATH, params={"key": sent.pop("key")}, data=sent)
    else:
        asked = gateway.client.get(PATH, params=sent)
    async with asked as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return response.status, await response.text()


async def done(gateway: Gateway, name: str, role: str = "call-centre") -> int:
    headers = {"Authorization": f"Bearer {TOKENS[role]}"}
    async with gateway.client.post(f"/v1/call-backs/{name}/done", headers=headers) as response:
        return response.status
