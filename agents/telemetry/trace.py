"""W3C trace context: the header `traceparent`, from a request or a due instant through every topic to its SMS."""

import hashlib
import re
import secrets
from contextvars import ContextVar
from typing import Final

TRACEPARENT: Final = "traceparent"
VALID: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
SAMPLED: Final = "01"
LENGTH: Final = 55
ID: Final = slice(3, 35)


current: ContextVar[bytes | None] = ContextVar("traceparent", default=None)
"""Trace context of the record a sender is carrying out: its call passes it on."""


def begun(given: str | None) -> str:
    """The context of what a request causes: the caller's where it names one, else the beginning of a new trace."""
    if given and VALID.fullmatch(given):
        return given
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{SAMPLED}"


def begun_by(cause: bytes) -> bytes:
    """The context of what an instant causes that nobody asked for: the same for the same cause, whoever writes it."""
    drawn = hashlib.blake2b(cause, digest_size=24).hexdigest()
    return f"00-{drawn[:32]}-{drawn[32:]}-{SAMPLED}".encode()


def trace_id(context: bytes | None) -> str | None:
    """The trace a record belongs to; None when it has none, or something that is none."""
    if context is None or len(context) != LENGTH:
        return None
    try:
        text = context.decode("ascii")
    except UnicodeDecodeError:
        return None
    return text[ID] if VALID.fullmatch(text) else None


def exemplar(context: bytes | None) -> dict[str, str] | None:
    """What an observation is marked with, so that a slow one leads to its trace."""
    found = trace_id(context)
    return None if found is None else {"trace_id": found}
