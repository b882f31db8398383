"""What the made-up helpline is like: shares, curves, weights and texts, read from world.toml and texts.toml."""

import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

Share = float


class Volume(Struct, frozen=True, forbid_unknown_fields=True):
    complaints: int
    days: int
    start: datetime
    system: str
    """The system that is made up unless another one is asked for."""


class Shares(Struct, frozen=True, forbid_unknown_fields=True):
    """Each between 0 and 1; world.toml says of what, and where it is from."""

    demand: Share
    information: Share
    suggestion: Share
    english: Share
    against_officer: Share
    told_late: Share
    said_again: Share
    other_matter: Share
    sent_twice: Share
    key_reused: Share
    malformed: Share
    by_http: Share
    time_out: Share
    time_out_above: Share
    transferred: Share
    told_after_due: Share
    disposed_after_all: Share
    pendency_reason: Share
    by_delegate: Share
    system_of_record: Share
    talked: Share
    visited: Share
    acknowledged: Share
    reopened: Share
    reached: Share
    outcome_missing: Share
    dissatisfied: Share
    partial: Share
    relief: Share
    special: Share
    forced: Share
    approved: Share
    sent_up: Share
    sent_back: Share
    graded: Share
    names_source: Share
    wrong_office: Share
    clicked_twice: Share
    too_early: Share
    wrong_number: Share


class Curves(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the 24 local hours (citizens, offices) and of the days from Monday."""

    hour: tuple[int, ...]
    weekday: tuple[int, ...]
    office_hour: tuple[int, ...]


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    villages: tuple[str, ...]
    wards: tuple[str, ...]
    villages_en: tuple[str, ...]


class World(Struct, frozen=True, forbid_unknown_fields=True):
    volume: Volume
    shares: Shares
    channels: dict[str, int]
    curves: Curves
    districts: dict[int, int]
    """LGD code -> weight."""
    units: dict[str, int]
    """Kind of unit -> how many of it a district has."""
    names: Names


@cache
def world() -> World:
    raw = {name: _values(table) for name, table in _toml("world.toml").items()}
    return msgspec.convert(raw, World, strict=False)


@cache
def texts() -> dict[str, tuple[str, ...]]:
    """What people say, by category; and `information`, `suggestion`, `english`, `remarks`, `notes`, `dissatisfied`."""
    return msgspec.convert(_toml("texts.toml"), dict[str, tuple[str, ...]])


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files("agents.simulate").joinpath(name).read_text("utf-8"))


def _values(table: dict[str, Any]) -> dict[str, Any]:
    """A table without its marks."""
    return {
        key: value["value"] if isinstance(value, dict) else value
        for key, value in table.items()
        if key not in ("mark", "source")
    }
