"""Contact details under seal: AES-256-GCM, bound to the topic they were sealed for and to the case they belong to."""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.topics import INTAKE_SUBMITTED

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4


class KeyFormatError(ValueError):
    """A key from the settings is no base64url text of 32 bytes; the message says how to make one, never what it was."""


class SealError(ValueError):
    """A seal does not open: made with another key, for another case, or altered."""


def key_bytes(text: str, name: str) -> bytes:
    """The 32 bytes of a base64url key (padding optional); raises KeyFormatError naming the variable."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeyFormatError(
            f"{name}: needs base64url of 32 random bytes, for example from `openssl rand -base64 32 | tr '+/' '-_'`"
        )
    return raw


class Contacts:
    """Seals with the current key and opens with the current or the previous one, so that keys can be rotated."""

    def __init__(
        self, current: bytes, previous: bytes | None = None, *, nonce: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._nonce = nonce
        self._id, self._seal = _key_id(current), AESGCM(current)
        self._open = {_key_id(key): AESGCM(key) for key in (previous, current) if key is not None}

    @classmethod
    def from_text(cls, current: str, previous: str = "") -> "Contacts":
        """From the settings NIVARAN_CONTACT_KEY and NIVARAN_CONTACT_KEY_PREVIOUS."""
        return cls(
            key_bytes(current, "NIVARAN_CONTACT_KEY"),
            key_bytes(previous, "NIVARAN_CONTACT_KEY_PREVIOUS") if previous else None,
        )

    def seal(self, mobile: str, case: str, topic: str = INTAKE_SUBMITTED) -> str:
        """A mobile number as it travels: base64url of key id, nonce, ciphertext and tag."""
        nonce = self._nonce(NONCE_BYTES)
        sealed = self._id + nonce + self._seal.encrypt(nonce, mobile.encode(), _bound_to(topic, case))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open_sealed(self, sealed: str, case: str, topic: str = INTAKE_SUBMITTED) -> str:
        """The mobile number again; raises SealError, which never holds what was sealed."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise SealError(f"contact of case {case}: no base64url text") from None
        key = self._open.get(raw[:KEY_ID_BYTES])
        if key is None:
            raise SealError(
                f"contact of case {case}: sealed with a key that is neither the current nor the previous one"
            )
        nonce, box = raw[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], raw[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return key.decrypt(nonce, box, _bound_to(topic, case)).decode()
        except (InvalidTag, ValueError):
            raise SealError(f"contact of case {case}: altered, or sealed for another case") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"nivaran contact key id" + key).digest()[:KEY_ID_BYTES]


def _bound_to(topic: str, case: str) -> bytes:
    return f"{topic}\x00{case}".encode()
