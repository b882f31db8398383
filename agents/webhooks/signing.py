"""Signatures by Standard Webhooks, made and checked: HMAC-SHA256 over id, instant and body, one for each secret."""

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
MOST_GIVEN: Final = 8
"""Signatures of one header that are looked at; a sender that changes its secret gives two."""


class SecretError(ValueError):
    """A secret has not the form it must have; the message does not show it."""


class Signer:
    """Signs with all active secrets of a subscriber, the newest first, and knows what a sender signed with one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises SecretError."""
        self._keys = tuple(map(_key, secrets))

    def headers(self, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
        """The three headers of a call made at `at_s`, seconds since the epoch."""
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": " ".join(self._signatures(message_id, str(at_s), body)),
        }

    def signed(self, message_id: str, at_s: str, body: bytes, given: str) -> bool:
        """Whether one of the signatures `given` is of one of the secrets; all are compared, in constant time."""
        own = self._signatures(message_id, at_s, body)
        told = [each.encode("utf-8", "surrogateescape") for each in given.split(" ")[:MOST_GIVEN]]
        return sum(hmac.compare_digest(each.encode(), other) for each in own for other in told) > 0

    def _signatures(self, message_id: str, at_s: str, body: bytes) -> list[str]:
        content = f"{message_id}.{at_s}.".encode("utf-8", "surrogateescape") + body
        digests = (hmac.new(key, content, hashlib.sha256).digest() for key in self._keys)
        return [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise SecretError(f"a secret must be {SECRET_PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return key
