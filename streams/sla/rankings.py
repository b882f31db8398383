"""Reads `ranking.toml` of each system that has one: marks split off, formulas compiled, nothing half-valid taken."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from streams.profiles.load import profiles
from streams.profiles.profile import ProfileError, Source
from streams.sla.formula import FormulaError
from streams.sla.ranking import KNOWN, Ranking, Scorer

FILE: Final = "ranking.toml"


@cache
def rankings() -> dict[str, dict[str, Scorer]]:
    """System -> its rankings by name, its main one first; raises ProfileError for the first that is not valid."""
    folder = files("streams.profiles")
    return {system: read(folder.joinpath(system)) for system in profiles() if folder.joinpath(system, FILE).is_file()}


def read(folder: Traversable, known: Iterable[str] = KNOWN) -> dict[str, Scorer]:
    """The rankings of one folder; raises ProfileError naming file, key and what would be right."""
    where = f"{folder.name}/{FILE}"
    try:
        raw = tomllib.loads(folder.joinpath(FILE).read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{where}: {error}") from None
    found, measures = {}, tuple(known)
    for name, table in raw.items():
        if not isinstance(table, dict):
            raise ProfileError(f"{where}: {name}: must be a table, one for each ranking")
        try:
            found[name] = Scorer(_ranking(table), measures)
        except msgspec.ValidationError as error:
            raise ProfileError(f"{where}: {_located(name, str(error))}") from None
        except FormulaError as error:
            raise ProfileError(f"{where}: {name}.{error}") from None
    if not found:
        raise ProfileError(f"{where}: there is no ranking in it")
    return found


def _ranking(table: dict[str, Any]) -> Ranking:
    marked = table.pop("marks", None)
    sources: dict[str, Source] = {}
    values = _split(table, None if marked is None else msgspec.convert(marked, Source), "", sources)
    return replace(msgspec.convert(values, Ranking), sources=sources)


def _split(node: Any, inherited: Source | None, path: str, sources: dict[str, Source]) -> Any:
    """Take `mark` and `source` off a table, for all that stands in it, and note the source of each value."""
    match node:
        case {"value": value, "mark": mark, "source": source}:
            return _split(value, Source(mark, source), path, sources)
        case dict():
            own = inherited
            if "mark" in node:
                own = msgspec.convert({"mark": node.pop("mark"), "source": node.pop("source", "")}, Source)
            return {key: _split(each, own, f"{path}.{key}" if path else key, sources) for key, each in node.items()}
        case list() if node and isinstance(node[0], dict):
            return [_split(each, inherited, f"{path}.{index}", sources) for index, each in enumerate(node)]
        case _:
            if inherited is None:
                raise FormulaError(
                    f"{path}: has no source mark: add mark = 'S' | 'I' | 'D' and source, or a marks table"
                )
            sources[path] = inherited
            return node


def _located(name: str, message: str) -> str:
    """`Expected float - at `$.parameters[...].maximum`` -> the key, and what was expected."""
    what, _, path = message.partition(" - at `$.")
    return f"{name}.{path.rstrip('`')}: {what}" if path else f"{name}: {what}"
