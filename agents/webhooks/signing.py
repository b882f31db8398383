"""Signatures by Standard Webhooks: HMAC-SHA256 over id, instant and body, one for each active secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the beginning of every secret, no secret
SHORTEST: Final = 24
"""Bytes; with the longest, the range the convention states."""
LONGEST: Final = 64


class SecretError(ValueError):
    """A secret has not the form it must have; the message does not show it."""


class Signer:
    """Signs with all of a subscriber's active secrets, the newest first."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises SecretError."""
        self._keys = tuple(map(_key, secrets))

    def headers(self, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
        """The three headers of a call made at `at_s`, seconds since the epoch."""
        signed = f"{message_id}.{at_s}.".encode() + body
        digests = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in self._keys)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": " ".join(f"v1,{digest}" for digest in digests),
        }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise SecretError(f"a secret must be {SECRET_PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return key
