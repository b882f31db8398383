"""Delivery receipts posted to a callback address until it takes them: those of the sandboxes, and SMPP's."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Final

import aiohttp
from msgspec import Struct, json

POSTERS: Final = 8
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
TAKEN: Final = frozenset({200, 202, 204})
TIMEOUT_S: Final = 10.0

log = logging.getLogger(__name__)


class Receipt(Struct, frozen=True, omit_defaults=True):
    """The body of a delivery report, as `POST /v1/sms/receipts` takes it."""

    id: str
    delivered: bool
    code: str = ""


class Report(Struct, frozen=True):
    """A delivery report in a gateway's own form: a request with parameters, and a body where it has one."""

    parameters: dict[str, str]
    body: str | None = None
    """Text: it is then a POST, otherwise a GET."""


class Receipts:
    """Posts receipts in the order in which they were given, several at a time; what waits is lost when it stops.

    The token is a bearer token of receipts, and the parameter `key` of reports.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._url, self._token = url, token
        self._waiting: asyncio.Queue[Receipt | Report] = asyncio.Queue()
        self._posters: list[asyncio.Task[None]] = []
        self.sent = self.refused = 0

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def give(self, receipt: Receipt | Report) -> None:
        if self._url:
            self._waiting.put_nowait(receipt)

    async def start(self) -> None:
        if self._url:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
            self._posters = [asyncio.create_task(self._post(), name=f"receipts-{each}") for each in range(POSTERS)]

    async def stop(self) -> None:
        for poster in self._posters:
            poster.cancel()
        await asyncio.gather(*self._posters, return_exceptions=True)
        if self._posters:
            await self._session.close()

    async def _post(self) -> None:
        while True:
            receipt, pause = await self._waiting.get(), FIRST_PAUSE_S
            while not await self._taken(receipt):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _asked(self, receipt: Receipt | Report) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        match receipt:
            case Receipt():
                headers = {"Content-Type": "application/json"}
                if self._token:
                    headers["Authorization"] = f"Bearer {self._token}"
                return self._session.post(self._url, data=json.encode(receipt), headers=headers)
            case Report(parameters, body):
                query = {**parameters, "key": self._token}
                return self._session.request("GET" if body is None else "POST", self._url, params=query, data=body)

    async def _taken(self, receipt: Receipt | Report) -> bool:
        """Whether there is nothing more to do: it was taken, or refused for good."""
        try:
            async with self._asked(receipt) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        if status in TAKEN:
            self.sent += 1
            return True
        if status == 429 or status >= 500:  # noqa: PLR2004 - too many, or away
            return False
        self.refused += 1
        log.warning("a receipt was refused with %d", status)
        return True
