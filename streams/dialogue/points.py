"""Which districts a pin on the map may lie in: those whose headquarters are nearest, for the person to choose from.

A point says nothing of borders, so a pin alone never decides. Source and licence: docs/sources.md.
"""

import csv
import math
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final

from streams.dialogue.said import Pin

NEAREST: Final = 5
FARTHEST_KM: Final = 150.0
"""Farther from every headquarters than any place of a district is from its own."""
_EARTH_KM: Final = 6371.0


def nearest(known: Collection[int], pin: Pin) -> tuple[int, ...]:
    """LGD codes of the known districts with the nearest headquarters, nearest first; none where all are far."""
    there = sorted((_km(point, pin), code) for code, point in headquarters().items() if code in known)
    return tuple(code for km, code in there[:NEAREST] if km <= FARTHEST_KM)


@cache
def headquarters() -> dict[int, Pin]:
    """LGD code -> the town a district is administered from; a few districts have none here."""
    text = files("streams.dialogue").joinpath("headquarters.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {int(row["district_lgd"]): Pin(float(row["latitude"]), float(row["longitude"])) for row in rows}


def _km(one: Pin, other: Pin) -> float:
    """Great-circle distance (haversine)."""
    north, east = (math.radians(b - a) for a, b in zip(one, other, strict=True))
    cosines = math.cos(math.radians(one.latitude)) * math.cos(math.radians(other.latitude))
    return 2 * _EARTH_KM * math.asin(math.sqrt(math.sin(north / 2) ** 2 + cosines * math.sin(east / 2) ** 2))
