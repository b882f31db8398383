"""Calls of a gateway over HTTP, and what a call that got no answer tells of the message."""

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp

from agents.sms.gateway import Answer


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class Calls:
    """One session with a gateway: at most `bound` calls at a time, each given `timeout` seconds of silence."""

    def __init__(self, *, timeout: float, bound: int, headers: Mapping[str, str] | None = None) -> None:
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=bound),
            cookie_jar=aiohttp.DummyCookieJar(),
            # connecting has its own limit: a call that timed out there has surely not been taken
            timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
        )

    async def post(
        self, url: str, data: bytes | Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply | Answer:
        """The reply, or what its absence means: no connection is no gateway, one that broke leaves it unknown."""
        try:
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                return Reply(response.status, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("unavailable", _named(error))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Answer("unknown", _named(error))

    async def close(self) -> None:
        await self._session.close()


def _named(error: Exception) -> str:
    return type(error).__name__.removesuffix("Error").lower()[:64]
