"""Reads a district's live board: what every department of it has pending, and what has happened today."""

from functools import partial

from agents.readmodel.review import Registers
from agents.readmodel.source import Source
from streams.calendar import bounds, day_key
from streams.profiles.load import profiles
from streams.review.live import DistrictBoard, district_board


def systems_of(district: int) -> list[str]:
    """The systems that serve a district, by LGD code."""
    return [system for system, profile in profiles().items() if district in profile.districts]


async def read_board(
    source: Source,
    system: str,
    district: int,
    at: int,
    sees: frozenset[str] = frozenset(),
    department: str | None = None,
) -> DistrictBoard:
    """One system's board of a district at `at` (UTC ms), for a reader of the roles `sees`; raises redis' errors.

    `department` takes what is of it alone (None: everything).
    """
    profile = profiles()[system]
    registers, day = Registers(source, system, profile.zone), day_key(at, profile.zone)
    return district_board(
        system,
        district,
        {slug: each.name for slug, each in profile.departments.items()},
        profile.districts[district].name,
        at,
        day,
        bounds("day", at, profile.zone).start_at,
        [each for each in await registers.present(district) if department in {None, each.department}],
        {unit: each for unit, each in (await registers.day(district, day)).items() if department in {None, unit[0]}},
        [each for each in await registers.defaulters(district, day[:7]) if department in {None, each.department}],
        partial(profile.visible, roles=sees),
    )
