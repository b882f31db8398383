"""How the columns of a table become fields: read from TOML, checked whole, compiled into one function per field."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from datetime import time as of_day
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct, field

from agents.gateway.requests import ACTIONS, RegisterLine
from schemas.base import Slug
from streams.dialogue.names import Found, category_names, find, named
from streams.intake.validate import unknown_system
from streams.profiles.load import profiles
from streams.profiles.profile import Name, Profile
from streams.text import nfc

Scalar = str | int | bool
Cell = str | datetime
"""What a row has under a column; an instant without a zone where a workbook says that it is one."""
Row = Mapping[str, Cell]
Read = Callable[[Row], Any]
NOT_SLUG: Final = re.compile("[^a-z0-9]+")
COLUMN: Final = re.compile(r"\{([^{}]+)\}")
CACHED: Final = 65_536
MIDNIGHT: Final = of_day()
K = TypeVar("K")


class MappingError(ValueError):
    """A mapping is not valid; the message names the file, the key and what would be right."""


class Unnamed(NamedTuple):
    """A name that is none of those the system has, or of several; `detail` says which are near."""

    detail: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a field's value comes from: a column, a template of columns, or a constant; the first given is taken."""

    column: str | None = None
    template: str | None = None
    constant: Scalar | None = None
    pattern: str | None = None
    """The whole value must match; its first group, where it has one, is the value. What does not match counts as
    blank, and is counted."""
    map: dict[str, Scalar] = {}
    """Value -> value; what is not in it stays."""
    form: Annotated[
        Literal["text", "slug", "integer", "district", "category"],
        Meta(description="slug: lower-case words joined by dashes; district, category: found by its name"),
    ] = field(default="text", name="as")
    blank: Scalar | None = None
    """What stands for a blank; without it the field is left out."""


class Time(Struct, frozen=True, forbid_unknown_fields=True):
    """An instant in a column; a day alone stands for its first instant or its last millisecond.

    What a workbook keeps as a date is taken as it is, in the mapping's zone, whatever the format.
    """

    column: str
    format: str
    """As in Python's `strptime`; without `%z` the time is that of the mapping's zone."""
    edge: Literal["first", "last"] = "first"


class ActionMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """An action a row tells of besides the submission; a row whose instant is blank tells of none."""

    type: str
    at: Time
    fields: dict[str, Source] = {}


class FileMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A table's meaning."""

    system: Slug
    zone: str
    key: Source
    """What the register calls the row by; the case id is derived from it and the channel."""
    occurred: Time
    submission: dict[str, Source]
    """Field of a submission -> source; of a place `place.district` and `place.<unit>`."""
    received: Literal["now", "occurred"] = "now"
    """When the rows count as received: as they are loaded, or when they happened (history)."""
    actions: list[ActionMapping] = []


class Compiled(Struct, frozen=True):
    """The functions made of a mapping; each takes a row."""

    mapping: FileMapping
    profile: Profile
    key: Read
    occurred: Read
    submission: tuple[tuple[tuple[str, ...], Read], ...]
    noted: Counter[str]
    """Field -> values left out because they match no pattern."""
    actions: tuple[tuple[str, Read, tuple[tuple[tuple[str, ...], Read], ...]], ...]

    def body(self, row: Row) -> dict[str, Any]:
        """The submission's body, place nested, as `RegisterLine` reads it."""
        found = nested(self.submission, row)
        found["system"] = self.mapping.system
        return found


def read_mapping(path: Path) -> Compiled:
    """Read and check a mapping; raises MappingError."""
    try:
        raw = tomllib.loads(nfc(path.read_text("utf-8")))
        mapping = msgspec.convert(raw, FileMapping)
        return compiled(mapping)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, MappingError) as error:
        raise MappingError(f"{path}: {error}") from None


def compiled(mapping: FileMapping) -> Compiled:
    """Check what types cannot say, and make the functions."""
    zone = _zone(mapping.zone)
    profile = profiles().get(mapping.system)
    if profile is None:
        raise MappingError(f"system: {unknown_system(mapping.system, profiles()).detail}")
    for name in mapping.submission:
        if name not in RegisterLine.__struct_fields__ and not name.startswith("place."):
            raise MappingError(
                f"submission.{name}: no such field; there are {', '.join(RegisterLine.__struct_fields__)}"
            )
    for action in mapping.actions:
        if action.type not in ACTIONS:
            raise MappingError(f"actions: no action {action.type!r}; there are {', '.join(sorted(ACTIONS))}")
    noted: Counter[str] = Counter()
    making = _Making(noted, {**_FORMS, **named_forms(profile)})
    return Compiled(
        mapping,
        profile,
        _read(mapping.key, "key", making),
        _instant(mapping.occurred, zone),
        _reads(mapping.submission, "submission", making),
        noted,
        tuple(
            (action.type, _instant(action.at, zone), _reads(action.fields, f"actions.{action.type}", making))
            for action in mapping.actions
        ),
    )


def columns(mapping: FileMapping) -> set[str]:
    """Every column the mapping names."""
    sources = [mapping.key, *mapping.submission.values()]
    sources += [source for action in mapping.actions for source in action.fields.values()]
    found = {source.column for source in sources if source.column is not None}
    found |= {name for source in sources for name in COLUMN.findall(source.template or "")}
    return found | {mapping.occurred.column} | {action.at.column for action in mapping.actions}


def text_of(cell: Cell) -> str:
    """As text: of a day alone no time of day."""
    return cell if isinstance(cell, str) else (cell.date() if cell.time() == MIDNIGHT else cell).isoformat()


def nested(reads: tuple[tuple[tuple[str, ...], Read], ...], row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, read in reads:
        value = read(row)
        if value is None:
            continue
        into = found
        for name in path[:-1]:
            into = into.setdefault(name, {})
        into[path[-1]] = value
    return found


class _Making(NamedTuple):
    """What the functions of all fields share."""

    noted: Counter[str]
    forms: Mapping[str, Callable[[str], Any]]


def _reads(sources: Mapping[str, Source], where: str, making: _Making) -> tuple[tuple[tuple[str, ...], Read], ...]:
    return tuple((_path(name), _read(source, f"{where}.{name}", making)) for name, source in sources.items())


def _path(name: str) -> tuple[str, ...]:
    """`place.block` is a unit of the place: `place.units.block` inside."""
    parts = tuple(name.split("."))
    return ("place", "units", *parts[1:]) if parts[0] == "place" and parts[1:] != ("district",) else parts


def _read(source: Source, where: str, making: _Making) -> Read:
    first = _first(source, where)
    if source.constant is not None and source.column is None and source.template is None:
        return first
    pattern = _pattern(source, where)
    mapped, form, blank = source.map, making.forms[source.form], source.blank

    @lru_cache(maxsize=CACHED)
    def told(value: str) -> tuple[Any, bool]:
        value, unknown = nfc(value).strip(), False
        if pattern is not None and value:
            found = pattern.fullmatch(value)
            unknown = found is None
            value = "" if found is None else (found[1] or "") if pattern.groups else value
        if not value:
            return blank, unknown
        return mapped[value] if value in mapped else form(value), unknown

    def read(row: Row) -> Any:
        value, unknown = told(text_of(first(row)))
        if unknown:
            making.noted[where] += 1
        return value

    return read


def _first(source: Source, where: str) -> Read:
    column, template, constant = source.column, source.template, source.constant
    if column is not None:
        return lambda row: row[column]
    if template is not None:
        return lambda row: COLUMN.sub(lambda match: text_of(row[match[1]]), template)
    if constant is not None:
        return lambda _: constant
    raise MappingError(f"{where}: needs a column, a template or a constant")


def _pattern(source: Source, where: str) -> "re.Pattern[str] | None":
    try:
        return None if source.pattern is None else re.compile(source.pattern)
    except re.error as error:
        raise MappingError(f"{where}.pattern: {error}") from None


def _slug(value: str) -> str:
    return NOT_SLUG.sub("-", value.lower()).strip("-")


def _integer(value: str) -> Any:
    """The number, or the text as it is: the field's own rule then says what is wrong with it."""
    return int(value) if value.isascii() and value.isdecimal() else value


_FORMS: Final[Mapping[str, Callable[[str], Any]]] = {"text": str, "slug": _slug, "integer": _integer}


def named_forms(profile: Profile) -> dict[str, Callable[[str], Any]]:
    """The forms that find what a person wrote by its name, Hindi or English, as the conversations do."""
    districts = {code: each.name for code, each in profile.districts.items()}
    categories = category_names(profile)

    def district(value: str) -> Any:
        return _integer(value) if value.isdecimal() else _one(find(value, districts, words=True), districts)

    def category(value: str) -> Any:
        return value if value in categories else _one(find(value, categories), categories)

    return {"district": district, "category": category}


def _one(found: Found[K], names: Mapping[K, Name]) -> Any:
    if found.one is not None:
        return found.one
    near = ", ".join(named(names[key], "en") for key in found.near)
    return Unnamed("is no name of those the system has" + (f"; near are {near}" if near else ""))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise MappingError(f"zone: {name!r} is no time zone") from None


def _instant(time: Time, zone: ZoneInfo) -> Read:
    """Milliseconds since the epoch; None for a blank; the text as it is where it does not match the format."""

    @lru_cache(maxsize=CACHED)
    def told(cell: Cell) -> int | str | None:
        last = time.edge == "last"
        if isinstance(cell, datetime):
            found, last = cell, last and cell.time() == MIDNIGHT
        else:
            text = cell.strip()
            if not text:
                return None
            try:
                found = datetime.strptime(text, time.format)  # noqa: DTZ007 - the mapping's zone follows
            except ValueError:
                return text
        try:
            found += timedelta(days=last)
            aware = found if found.tzinfo is not None else found.replace(tzinfo=zone)
            return round(aware.astimezone(UTC).timestamp() * 1000) - last
        except OverflowError:  # the calendar's last day has no next one
            return str(cell)

    return lambda row: told(row[time.column])
