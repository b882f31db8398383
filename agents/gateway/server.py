"""The gateway's process: serves until it is told to stop, and finishes what it has in hand."""

import asyncio
import logging
import signal
from typing import Final

from aiohttp import web

from agents.clock import SimulatedClock, clock_of
from agents.gateway.app import build
from agents.gateway.channels.table import routes_of_channels
from agents.gateway.log import KafkaLog
from agents.gateway.services import Services, assemble, connect
from agents.gateway.settings import GatewaySettings
from agents.gateway.signed.settings import OidcSettings
from agents.gateway.signed.tokens import signed_tokens
from agents.readmodel.reader import Reader
from agents.runtime.exits import Exit
from agents.settings import load
from schemas.topics import ACCESS_READ, CASE_COMMANDS, INTAKE_SUBMITTED, OFFICER_ACTIVITY, SMS_REQUESTED

WRITES: Final = (INTAKE_SUBMITTED, CASE_COMMANDS, SMS_REQUESTED, OFFICER_ACTIVITY, ACCESS_READ)
LOOK_SECONDS: Final = 0.5
BACKLOG: Final = 1024
BOARD_TIMEOUT_SECONDS: Final = 3.0
"""Longer than the feed waits for the next escalation."""

logger = logging.getLogger(__name__)


class AddressError(RuntimeError):
    """The address to listen on cannot be had; the message names it and says why."""


async def serve(settings: GatewaySettings) -> Exit:
    """Serve until SIGTERM or Ctrl-C, or until the producer or the simulated clock cannot go on; raises AddressError."""
    clock, signed = clock_of(settings), signed_tokens(load(OidcSettings))
    redis, board = (
        connect(settings.redis_url, settings.redis_timeout),
        connect(settings.redis_url, BOARD_TIMEOUT_SECONDS),
    )
    log = KafkaLog(settings, settings.delivery_timeout, "gateway", WRITES)
    services = assemble(settings, log=log, redis=redis, board=Reader(board), clock=clock, signed=signed)
    ending = Ending(services)
    if isinstance(clock, SimulatedClock):
        clock.on_fault = ending.clock_failed
    clock.start()
    runner = web.AppRunner(
        build(services, routes_of_channels()), access_log=None, shutdown_timeout=settings.shutdown_timeout
    )
    await runner.setup()
    site = web.TCPSite(runner, settings.http_host, settings.http_port, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as error:
        raise AddressError(f"{settings.http_host}:{settings.http_port}: {error.strerror}") from error
    host, port = runner.addresses[0][:2]
    print(f"gateway listens on http://{host}:{port}", flush=True)
    code = await ending.wait()
    await _finish(services, site, runner)
    await redis.aclose()
    await board.aclose()
    await asyncio.to_thread(clock.stop)
    return code


class Ending:
    """Waits for what ends the process: a signal, or a fault that a restart mends."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told = asyncio.Event()
        self._clock_fault: BaseException | None = None
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._told.set)

    def clock_failed(self, fault: BaseException) -> None:
        """In the clock's thread; noticed at the next look."""
        self._clock_fault = fault

    async def wait(self) -> Exit:
        while not self._told.is_set():
            if self._services.log.fatal is not None:
                return Exit.NOT_DURABLE
            if self._clock_fault is not None:
                logger.critical("simulated time cannot be read: %s", self._clock_fault)
                return Exit.UNAVAILABLE
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                continue
        return Exit.CLEAN


async def _finish(services: Services, site: web.TCPSite, runner: web.AppRunner) -> None:
    """Accept nothing more, answer what is in hand, flush, go."""
    logger.info("stopping: no new connections, requests in hand are finished")
    services.stopping = True
    await site.stop()
    await services.feed.close()
    await runner.cleanup()
    await services.log.close()
    if services.signed is not None:
        await services.signed.keys.close()
    if services.spans is not None:
        await asyncio.to_thread(services.spans.close)
