"""Records as the runtime receives them, made by hand."""

from dataclasses import dataclass, field
from typing import Any

from schemas.codec import encode


@dataclass(frozen=True)
class Raw:
    """Satisfies `agents.runtime.ports.Received`."""

    value: bytes | None
    key: bytes | None = b"k"
    offset: int = 0
    timestamp: int = 1000
    topic: str = "t.in.v1"
    partition: int = 3
    headers: tuple[tuple[str, bytes], ...] = field(default=())


def raw(value: Any, **about: Any) -> Raw:
    return Raw(encode(value), **about)
