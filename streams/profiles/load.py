"""Reads the profile folders: marks are split off, references checked, and nothing half-valid gets through."""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from streams.calendar import midnight
from streams.profiles.check import change_faults, faults
from streams.profiles.places import districts, units
from streams.profiles.profile import Profile, ProfileError, Source

PARTS: Final = ("profile.toml", "offices.toml", "categories.toml", "sms.toml")
MORE_PARTS: Final = ("sources.toml", "holidays.toml", "officers.toml")
"""Parts that a system may do without."""
CHANGES: Final = "changes"
"""Folder of a system's later versions: a file `<date>.toml` names what is other from that day on."""


@cache
def profiles() -> dict[str, Profile]:
    """Every shipped system by its id; raises ProfileError for the first that is not valid."""
    folder = files("streams.profiles")
    found = (
        read(entry)
        for entry in sorted(folder.iterdir(), key=lambda each: each.name)
        if entry.joinpath(PARTS[0]).is_file()
    )
    return {profile.system: profile for profile in found}


def profile(system: str) -> Profile:
    """One system's profile; KeyError when it is not shipped."""
    return profiles()[system]


def departments() -> frozenset[str]:
    """All departments of all systems: each has its feed topic."""
    return frozenset(department for each in profiles().values() for department in each.departments)


def read(folder: Traversable) -> Profile:
    """Read and check one profile folder: the first version, and those that follow it."""
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    parts: dict[str, str] = {}
    for part in (*PARTS, *(each for each in MORE_PARTS if folder.joinpath(each).is_file())):
        _take(folder, part, values, sources, parts)
    first = _version(folder, dict(values), dict(sources), parts)
    later: list[Profile] = []
    for part in _change_parts(folder):
        _change(folder, part, values, sources, parts)
        try:
            version = _version(folder, dict(values), dict(sources), parts)
        except ProfileError as error:
            raise ProfileError(str(error) if part in str(error) else f"{error} (as of {part})") from None
        for fault in change_faults(later[-1] if later else first, version):
            raise ProfileError(f"{folder.name}/{part}: {fault}")
        later.append(version)
    return replace(first, later=tuple(later)) if later else first


def _take(
    folder: Traversable, part: str, values: dict[str, Any], sources: dict[str, Source], parts: dict[str, str]
) -> None:
    """Add a file's settings, their marks split off."""
    raw = _toml(folder, part)
    marked = raw.pop("marks", None)
    for key in raw:
        if key in parts:
            raise ProfileError(f"{folder.name}/{part}: {key}: stands in {parts[key]} already")
    parts |= dict.fromkeys(raw, part)
    values |= _resolve(raw, _source(marked, f"{folder.name}/{part}: marks"), f"{folder.name}/{part}", "", sources)


def _change_parts(folder: Traversable) -> list[str]:
    changes = folder.joinpath(CHANGES)
    names = sorted(each.name for each in changes.iterdir()) if changes.is_dir() else []
    return [f"{CHANGES}/{name}" for name in names if name.endswith(".toml")]


def _change(
    folder: Traversable, part: str, values: dict[str, Any], sources: dict[str, Source], parts: dict[str, str]
) -> None:
    """Lay what a change names over what was; tables are joined key by key, anything else is replaced."""
    raw, marks = _toml(folder, part), dict[str, Source]()
    marked = raw.pop("marks", None)
    source = _source(marked, f"{folder.name}/{part}: marks")
    named = _resolve(raw, source, f"{folder.name}/{part}", "", marks)
    parts |= dict.fromkeys((*raw, "valid_from"), part)
    values["valid_from"] = part.removeprefix(f"{CHANGES}/").removesuffix(".toml")
    values["redates_running"] = False
    replaced = tuple(f"{key}." for key in _lay_over(values, named, ""))
    for key in [key for key in sources if f"{key}.".startswith(replaced)]:
        del sources[key]
    sources |= marks


def _lay_over(values: dict[str, Any], change: dict[str, Any], path: str) -> Iterator[str]:
    """Join the tables, replace the rest; yield the key of each value that was replaced."""
    for key, each in change.items():
        if isinstance(each, dict) and isinstance(values.get(key), dict):
            values[key] = dict(values[key])
            yield from _lay_over(values[key], each, f"{path}{key}.")
        else:
            values[key] = each
            yield f"{path}{key}"


def _version(folder: Traversable, values: dict[str, Any], sources: dict[str, Source], parts: dict[str, str]) -> Profile:
    valid_from = str(values.pop("valid_from", "?"))
    values["version"] = f"{values.get('system')}@{valid_from}"
    places = values.pop("places", {})
    values["districts"] = districts(places, folder.name)
    values["units"] = units(folder)
    values["sources"] = sources
    try:
        loaded = msgspec.convert(values, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(_located(folder.name, _named(values, str(error)), parts)) from None
    for key in sorted(set(values) - set(Profile.__struct_fields__)):
        raise ProfileError(f"{folder.name}/{parts[key]}: {key}: no such setting")
    for fault in faults(loaded):
        raise ProfileError(f"{folder.name}/{fault}")
    try:
        return replace(loaded, from_at=max(0, midnight(valid_from, loaded.zone)))
    except ValueError:
        where = parts.get("valid_from", PARTS[0])
        raise ProfileError(f"{folder.name}/{where}: valid_from: {valid_from!r} is no date such as 2026-01-01") from None


def _named(values: dict[str, Any], message: str) -> str:
    """The message with the name of the table's entry that is wrong, which msgspec writes as `[...]`."""
    head, _, rest = message.partition("`$.")
    table, found, tail = rest.partition("[...]")
    entries = values.get(table)
    if not found or not isinstance(entries, dict):
        return message
    for name, entry in entries.items():
        try:
            msgspec.convert({**values, table: {name: entry}}, Profile)
        except msgspec.ValidationError:
            return f"{head}`$.{table}.{name}{tail}"
    return message


def _located(where: str, message: str, parts: dict[str, str]) -> str:
    """`Expected int - at `$.levels[0].days`` -> names the file, the key, and what was expected."""
    what, _, path = message.partition(" - at `$.")
    if not path:
        what, _, path = message.partition(" - at `key` in `$.")
    if not path:
        return f"{where}: {what}"
    key = path.rstrip("`").replace("[", ".").replace("]", "")
    return f"{where}/{parts.get(key.partition('.')[0], PARTS[0])}: {key}: {what}"


def _toml(folder: Traversable, part: str) -> dict[str, Any]:
    try:
        return tomllib.loads(folder.joinpath(part).read_text("utf-8"))
    except FileNotFoundError:
        raise ProfileError(f"{folder.name}/{part}: no such file") from None
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{folder.name}/{part}: {error}") from None


def _source(raw: Any, where: str) -> Source | None:
    if raw is None:
        return None
    try:
        return msgspec.convert(raw, Source)
    except msgspec.ValidationError as error:
        raise ProfileError(f"{where}: {error}") from None


def _resolve(node: Any, inherited: Source | None, part: str, path: str, sources: dict[str, Source]) -> Any:
    """Strip `{value, mark, source}` wrappers and note each leaf's source; a leaf without one is refused."""
    if isinstance(node, dict):
        if "value" in node and "mark" in node:
            own = _source({key: each for key, each in node.items() if key != "value"}, f"{part}: {path}")
            return _resolve(node["value"], own, part, path, sources)
        return {
            key: _resolve(each, inherited, part, f"{path}.{key}" if path else key, sources)
            for key, each in node.items()
        }
    if inherited is None:
        raise ProfileError(
            f"{part}: {path} has no source mark: write {{ value = ..., mark = 'S' | 'I' | 'D', source = '...' }}"
            " or a [marks] table"
        )
    sources[path] = inherited
    if isinstance(node, list):
        return [
            _resolve(each, inherited, part, f"{path}.{index}", sources) if isinstance(each, dict) else each
            for index, each in enumerate(node)
        ]
    return node
