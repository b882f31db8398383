"""A subscriber's endpoint on this machine: every call is verified by the convention's own library."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0tLS0tLS0t"
NEXT_SECRET = "whsec_" + "bmV4dC1zZWNyZXQtb2YtdGhlLXRlc3RzLS0t"


ENVIRON = {
    "NIVARAN_WEBHOOK_SECRET_A": SECRET,
    "NIVARAN_WEBHOOK_PLAIN_HTTP": "true",
    "NIVARAN_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "NIVARAN_WEBHOOK_FIRST_PAUSE": "0.2",
    "NIVARAN_WEBHOOK_LONGEST_PAUSE": "0.5",
}
"""For a process that shall call endpoints of this machine, soon again after a vain call."""


class Call(NamedTuple):
    """A call whose signature was verified."""

    id: str
    event: dict[str, Any]
    headers: dict[str, str]


class Endpoint:
    """`answer` says what to answer to a call: a status, with headers where needed."""

    def __init__(self, secret: str = SECRET) -> None:
        self.calls: list[Call] = []
        self.answer: Callable[[Call], int | tuple[int, dict[str, str]]] = lambda _: 204
        self.url = ""
        self._webhook = Webhook(secret)

    async def take(self, request: web.Request) -> web.Response:
        headers = dict(request.headers)
        call = Call(request.headers["webhook-id"], self._webhook.verify(await request.read(), headers), headers)
        self.calls.append(call)
        answer = self.answer(call)
        status, more = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=more)

    def cases(self) -> list[str]:
        return [call.event["data"]["case"] for call in self.calls]


@asynccontextmanager
async def listening(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    app = web.Application()
    app.router.add_post("/hook", endpoint.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The same in a thread of its own, for who has no event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="endpoint", daemon=True)
    thread.start()
    held = listening(endpoint)
    try:
        asyncio.run_coroutine_threadsafe(held.__aenter__(), loop).result(10)
        yield endpoint
        asyncio.run_coroutine_threadsafe(held.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
