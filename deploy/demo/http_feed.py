"""Sends simulated lines to the gateway: many citizens at a time, each case's lines in order."""

import asyncio
import threading
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

import aiohttp

from agents.gateway.auth import MAY_ACT
from agents.simulate.lines import Line

T = TypeVar("T")
LANES: Final = 24
ANSWER_S: Final = 30.0
PATIENCE_S: Final = 120.0
"""Longer than a gateway holds a key for a request whose answer got lost."""
PAUSE_S: Final = 0.25
AGAIN: Final = frozenset({409, 429, 503})
"""The gateway asks to come back."""


class GatewayError(RuntimeError):
    """The gateway does not take what it must take, or is away for too long."""


class HttpFeed:
    """A client of the API with a token per role; in a thread of its own, so that the loader can go on beside it."""

    def __init__(self, url: str, tokens: Mapping[str, str]) -> None:
        self._url, self._tokens = url, tokens
        self.outcomes = Counter[str]()
        """`taken`, `again`, `reused`, `refused`, as a ground truth names them."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http-feed", daemon=True)
        self._thread.start()
        self._session = self._run(self._open())

    def send(self, lines: Iterable[Line]) -> "asyncio.Future[None] | Any":
        """Begin to send; the answer's `result()` returns when every line has its answer, or raises GatewayError."""
        lanes: defaultdict[int, list[Line]] = defaultdict(list)
        for line in lines:
            lanes[_lane(line)].append(line)
        return asyncio.run_coroutine_threadsafe(self._all(list(lanes.values())), self._loop)

    def get(self, path: str, role: str = "officer") -> Any:
        """A JSON answer of the API."""
        return self._run(self._get(path, role))

    def close(self) -> None:
        self._run(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_S), connector=aiohttp.TCPConnector(limit=LANES)
        )

    async def _all(self, lanes: list[list[Line]]) -> None:
        try:
            async with asyncio.TaskGroup() as sending:
                for lane in lanes:
                    sending.create_task(self._in_order(lane))
        except BaseExceptionGroup as group:
            faults, _ = group.split(GatewayError)
            if faults is None:
                raise
            raise GatewayError(str(faults.exceptions[0])) from group

    async def _in_order(self, lines: list[Line]) -> None:
        for line in lines:
            self.outcomes[await self._post(line)] += 1

    async def _post(self, line: Line) -> str:
        path = "/v1/complaints" if line.case is None else f"/v1/cases/{line.case}/actions"
        headers = {
            "Authorization": f"Bearer {self._tokens[_role(line)]}",
            "Content-Type": "application/json",
            "Idempotency-Key": line.key,
        }
        last, deadline = "no answer", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                async with self._session.post(self._url + path, data=line.payload, headers=headers) as answer:
                    if answer.status not in AGAIN:
                        return _outcome(answer.status, replayed="Idempotency-Replayed" in answer.headers)
                    last = str(answer.status)
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                last = type(error).__name__
            await asyncio.sleep(PAUSE_S)
        raise GatewayError(f"POST {path}: {last}, again and again for {PATIENCE_S:.0f} s")

    async def _get(self, path: str, role: str) -> Any:
        async with self._session.get(
            self._url + path, headers={"Authorization": f"Bearer {self._tokens[role]}"}
        ) as answer:
            return await answer.json() if answer.ok else None


def _lane(line: Line) -> int:
    """What belongs to one citizen or one case stays in order."""
    owner = line.case or str((line.body or {}).get("mobile", line.key))
    return zlib.crc32(owner.encode()) % LANES


def _role(line: Line) -> str:
    if line.case is None:
        return "citizen-channel"
    roles = MAY_ACT.get(str((line.body or {}).get("type")), frozenset({"officer"}))
    return "officer" if "officer" in roles else "call-centre"


def _outcome(status: int, *, replayed: bool) -> str:
    match status:
        case 202:
            return "again" if replayed else "taken"
        case 422:
            return "reused"
        case 400:
            return "refused"
        case _:
            raise GatewayError(f"the gateway answered {status}")
