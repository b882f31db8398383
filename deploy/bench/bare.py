"""The floor of an HTTP door: a bare aiohttp handler that writes the body it got, once, to all replicas.

`python -m deploy.bench.bare KAFKA PORT TOPIC`: no token, no check, no idempotency, no case number; the same producer
settings as the gateway's.
"""

import asyncio
import signal
import sys
import threading
from collections import deque
from typing import Any

import uvloop
from aiohttp import web
from confluent_kafka import Producer

from agents.gateway.log import LINGER_MS, durable_producer_config
from agents.settings import Settings

ANSWER_S = 8.0
POLL_S = 0.1


class Door:
    """One producer; its delivery reports reach the event loop in batches, as the gateway's do."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(durable_producer_config(Settings(kafka=kafka), ANSWER_S, linger_ms=LINGER_MS))
        self._reports: deque[tuple[asyncio.Future[None], Any]] = deque()
        self._woken = False
        threading.Thread(target=self._serve, name="delivery-reports", daemon=True).start()

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        durable: asyncio.Future[None] = self._loop.create_future()
        self._producer.produce(self._topic, body, on_delivery=lambda error, _: self._report(durable, error))
        await durable
        return web.Response(status=202)

    def _report(self, durable: asyncio.Future[None], error: Any) -> None:
        self._reports.append((durable, error))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self._reports:
            durable, error = self._reports.popleft()
            if not durable.done():
                durable.set_result(None) if error is None else durable.set_exception(RuntimeError(error.name()))

    def _serve(self) -> None:
        while True:
            self._producer.poll(POLL_S)


async def _ready(_: web.Request) -> web.Response:
    return web.json_response({"status": "ready"})


async def serve(kafka: str, port: int, topic: str) -> None:
    """Until SIGTERM."""
    app, ended = web.Application(), asyncio.Event()
    app.router.add_post("/v1/complaints", Door(kafka, topic).post)
    app.router.add_get("/readyz", _ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
