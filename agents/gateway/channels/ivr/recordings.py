"""The port to the provider's recordings: what is behind an address is hashed as it comes, and kept nowhere."""

import hashlib
from typing import Final, Protocol

import aiohttp

CHUNK: Final = 65_536


class RecordingAwayError(RuntimeError):
    """It cannot be fetched now; the message names the fault, never the address."""


class Recordings(Protocol):
    """Raises RecordingAwayError."""

    async def sha256(self, url: str) -> str: ...

    async def close(self) -> None: ...


class HttpRecordings:
    """Fetches over HTTP; follows no redirect, which could lead anywhere."""

    def __init__(self, login: str, *, timeout: float, largest: int) -> None:
        user, _, password = login.partition(":")
        self._largest = largest
        self._session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(user, password)} if login else {},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout),
        )

    async def sha256(self, url: str) -> str:
        """The hash of what the address gives."""
        digest, size = hashlib.sha256(), 0
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:  # noqa: PLR2004 - a recording is there, or not yet
                    raise RecordingAwayError(f"http-{response.status}")
                async for part in response.content.iter_chunked(CHUNK):
                    size += len(part)
                    if size > self._largest:
                        raise RecordingAwayError("too large")
                    digest.update(part)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RecordingAwayError(type(error).__name__) from None
        if not size:
            raise RecordingAwayError("empty")
        return digest.hexdigest()

    async def close(self) -> None:
        await self._session.close()
