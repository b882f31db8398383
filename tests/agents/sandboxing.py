"""A sandbox gateway on a free port of this machine, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from agents.sms.sandbox import Sandbox

FOREVER_S = 0.1


class Running(NamedTuple):
    """A sandbox and where it takes messages."""

    sandbox: Sandbox
    url: str


@asynccontextmanager
async def served(sandbox: Sandbox, port: int = 0) -> AsyncIterator[Running]:
    runner = web.AppRunner(sandbox.app(), access_log=None, shutdown_timeout=FOREVER_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield Running(sandbox, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
