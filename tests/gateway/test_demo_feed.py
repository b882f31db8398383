"""What the demonstration's client says of a gateway that does not take what it must take."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agents.gateway.auth import ROLES
from agents.simulate.lines import Line
from deploy.demo.http_feed import GatewayError, HttpFeed

LINE = Line(0, "http", "portal-1-0000001", body={"mobile": "9876543210"})


@pytest.fixture
async def refusing() -> AsyncIterator[str]:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=401)

    app = web.Application()
    app.router.add_post("/v1/complaints", refuse)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_an_answer_that_must_not_be_is_one_plain_error(refusing: str) -> None:
    feed = await asyncio.to_thread(HttpFeed, refusing, dict.fromkeys(ROLES, "token"))
    try:
        answers = feed.send([LINE])
        with pytest.raises(GatewayError, match="the gateway answered 401"):
            await asyncio.wrap_future(answers)
    finally:
        await asyncio.to_thread(feed.close)
