"""What `nivaran local` remembers between its calls: how many brokers, on which ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from deploy.local.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path


class StackState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Written before anything is started, kept after it is stopped: the data and the addresses outlive a run."""

    brokers: int
    kafka_ports: tuple[int, ...]
    """Client and controller port of each broker in turn."""
    redis_port: int


def read_state(path: Path) -> StackState | None:
    """Return the state kept in `path`, or nothing when there is none; raises LocalError when it is unreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StackState)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LocalError(f"{path} is damaged ({error}). Start anew with `nivaran local up --fresh`.") from error


def write_state(path: Path, state: StackState) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(state))
    part.replace(path)
