"""Places of a profile: districts by LGD code and smaller units, each valid from a day and to a day."""

import csv
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec

from streams.calendar import day_key
from streams.profiles.profile import Profile, ProfileError
from streams.profiles.rules import District, Unit

UNITS: Final = "places.csv"
COLUMNS: Final = {"kind", "district", "code", "name", "valid_from", "valid_to"}


def districts(places: dict[str, Any], where: str) -> dict[int, District]:
    """Districts of an LGD state, with their divisions; or those the profile lists itself."""
    divisions = {district: division for division, names in places.get("divisions", {}).items() for district in names}
    if "lgd_state" not in places:
        return {
            int(code): msgspec.convert({"name": {"hi": name, "en": name}}, District)
            for code, name in places.get("districts", {}).items()
        }
    rows = csv.DictReader(files("streams.profiles").joinpath("lgd_districts.csv").read_text("utf-8").splitlines())
    found = {}
    for row in rows:
        if int(row["state_lgd"]) == places["lgd_state"]:
            code = int(row["district_lgd"])
            name = {"hi": row["district_hi"], "en": row["district_en"]}
            values = {"name": name, "division": divisions.pop(code, "none"), **_validity(row)}
            found[code] = msgspec.convert(values, District)
    if divisions:
        raise ProfileError(
            f"{where}/profile.toml: places.divisions names districts the state has not: {sorted(divisions)}"
        )
    return found


def units(folder: Traversable) -> dict[str, dict[str, Unit]]:
    """The smaller places listed in a profile's `places.csv`, by kind and `<district>/<code>`; none without the file."""
    path = folder.joinpath(UNITS)
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Unit]] = {}
    for line, row in _rows(path.read_text("utf-8"), f"{folder.name}/{UNITS}"):
        where = f"{folder.name}/{UNITS}: line {line}"
        try:
            unit = msgspec.convert({"name": row["name"], **_validity(row)}, Unit)
            key = f"{int(row['district'])}/{row['code']}"
        except (msgspec.ValidationError, ValueError) as error:
            raise ProfileError(f"{where}: {error}") from None
        if unit.valid_from is not None and unit.valid_to is not None and unit.valid_to <= unit.valid_from:
            raise ProfileError(f"{where}: valid_to: not after valid_from")
        if key in found.setdefault(row["kind"], {}):
            raise ProfileError(f"{where}: code: {row['kind']} {key} stands there already")
        found[row["kind"]][key] = unit
    return found


def _rows(text: str, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines())
    if set(reader.fieldnames or ()) != COLUMNS:
        raise ProfileError(f"{where}: line 1: must name the columns {', '.join(sorted(COLUMNS))}")
    for row in reader:
        if None in row or None in row.values():
            raise ProfileError(f"{where}: line {reader.line_num}: must have {len(COLUMNS)} fields")
        yield reader.line_num, row


def _validity(row: dict[str, str]) -> dict[str, str]:
    return {key: row[key] for key in ("valid_from", "valid_to") if row.get(key)}


def stands(place: District | Unit, at: int, zone: str) -> bool:
    """Whether a place exists at an instant (UTC ms)."""
    if place.valid_from is None and place.valid_to is None:
        return True
    day = day_key(at, zone)
    return (place.valid_from is None or place.valid_from <= day) and (place.valid_to is None or day < place.valid_to)


def district(profile: Profile, code: int, at: int) -> District | None:
    """The district of that code, if it exists at the instant."""
    found = profile.districts.get(code)
    return found if found is not None and stands(found, at, profile.zone) else None
