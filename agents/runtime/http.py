"""The endpoints of a process without an API: /metrics, /healthz, /readyz, /quiesced."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Report = Callable[[], dict[str, Any]]
Exposition = Callable[[str | None], tuple[bytes, str]]
"""Metrics for an `Accept` header, and their content type."""
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Endpoints:
    """Serves a worker's state over HTTP."""

    def __init__(self, metrics: Exposition, ready: Callable[[], str], quiesced: Report) -> None:
        self._expose, self._ready, self._quiesced = metrics, ready, quiesced
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; answer the port. Raises OSError when it is taken."""
        app = web.Application()
        app.add_routes([
            web.get("/metrics", self._metrics),
            web.get("/healthz", self._health),
            web.get("/readyz", self._readiness),
            web.get("/quiesced", self._quiescence),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        listening: int = self._runner.addresses[0][1]
        return listening

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._expose(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readiness(self, _: web.Request) -> web.Response:
        waiting_for = self._ready()
        if waiting_for:
            return web.json_response({"status": "not ready", "waiting_for": waiting_for}, status=503)
        return web.json_response({"status": "ready"})

    async def _quiescence(self, _: web.Request) -> web.Response:
        return web.json_response(self._quiesced(), dumps=json.dumps)
