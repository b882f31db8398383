"""The issuer's public keys: read anew with bounds, the last good set kept while the issuer is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from agents.gateway.problems import Kind, Problem
from agents.settings import SettingsError

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Signatures with a public key only. Not `none`; no HS*: a secret that both sides hold lets either of them sign."""
LEAST_RSA_BITS: Final = 2048
"""RFC 7518 3.3."""
FETCH_SECONDS: Final = 5.0
LARGEST_SET: Final = 262_144
"""Bytes; a set of a hundred RSA keys has about 50,000."""
AGAIN_SECONDS: Final = 60.0
"""Between two readings that an unknown key id, or a failed reading, asks for."""
SOON_SECONDS: Final = 5.0
"""The same while no set has been had yet."""

Keys = Mapping[str, PyJWK]
Read = Callable[[], Awaitable[bytes]]

logger = logging.getLogger(__name__)


class KeySetError(ValueError):
    """What was read is no JWK set, or has no key that can be used."""


class KeySet:
    """The keys by their id. Readings run one at a time and at most as often as the bounds let them."""

    def __init__(self, read: Read, refresh: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._refresh, self._clock = read, refresh, clock
        self._keys: Keys = {}
        self._tried_at = self._read_at = -float("inf")
        self._reading: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> PyJWK | None:
        """The key of this id; None where the issuer has none; raises Problem UNAVAILABLE while no set was ever had."""
        now = self._clock()
        if kid not in self._keys:
            if now - self._tried_at >= (AGAIN_SECONDS if self._keys else SOON_SECONDS) or self._reading:
                await asyncio.shield(self._started())
        elif now - self._read_at >= self._refresh and now - self._tried_at >= AGAIN_SECONDS:
            self._started()  # nobody waits for it: the key that is asked for is there
        if not self._keys:
            raise Problem(Kind.UNAVAILABLE, "the issuer's keys cannot be read", retry_after=int(SOON_SECONDS))
        return self._keys.get(kid)

    async def close(self) -> None:
        """End a reading that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _started(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._tried_at = self._clock()
            self._reading = asyncio.create_task(self._renew(), name="issuer-keys")
            self._reading.add_done_callback(lambda _: setattr(self, "_reading", None))
        return self._reading

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = usable(await self._read())
        except (OSError, TimeoutError, aiohttp.ClientError, KeySetError) as error:
            kept = "the last good ones stay" if self._keys else "there are none yet"
            said = error if isinstance(error, KeySetError) else type(error).__name__
            logger.warning("the issuer's keys cannot be read (%s): %s", said, kept)
        else:
            self._read_at = self._clock()


def usable(raw: bytes) -> Keys:
    """The keys of a JWK set that sign by the algorithms taken here; raises KeySetError. What is other is left out."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise KeySetError("no JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise KeySetError("no JWK set: it has no list `keys`")
    keys = {each["kid"]: key for each in listed if (key := _key(each)) is not None}
    if not keys:
        raise KeySetError(f"no key with a `kid` for {', '.join(ALGORITHMS)}")
    return keys


def _key(raw: Any) -> PyJWK | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("kid"), str) or raw.get("use", "sig") != "sig":
        return None
    if raw.get("kty") == "oct" or "d" in raw:  # a secret: whoever reads the set could sign
        return None
    try:
        key = PyJWK(raw)
    except (PyJWTError, ValueError, TypeError):
        return None
    weak = isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS
    return None if weak or key.algorithm_name not in ALGORITHMS else key


def reading_of(source: str, name: str) -> Read:
    """How the set is read; raises SettingsError where it can never be: no https address and no file with such a set."""
    if "://" in source:
        if not source.startswith("https://"):
            raise SettingsError(f"{name}: an address must be https")
        return lambda: fetched(source)
    path = Path(source)
    try:
        usable(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{name}: {error.strerror}") from None
    except KeySetError as error:
        raise SettingsError(f"{name}: {error}") from None
    return lambda: asyncio.to_thread(path.read_bytes)


async def fetched(url: str) -> bytes:
    """The set at an address, as it stands there: no redirect is followed; raises aiohttp's errors and KeySetError."""
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise KeySetError(f"answered {answer.status}")
        raw = await answer.content.read(LARGEST_SET + 1)
        while len(raw) <= LARGEST_SET and (more := await answer.content.read(LARGEST_SET + 1 - len(raw))):
            raw += more
    if len(raw) > LARGEST_SET:
        raise KeySetError(f"more than {LARGEST_SET} bytes")
    return raw
