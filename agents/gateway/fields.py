"""Reads a JSON object into a typed request and names every field that is wrong, not only the first."""

import difflib
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from agents.gateway.problems import FieldError

T = TypeVar("T", bound=Struct)
DEEPEST = 16
"""Levels looked into for numbers: no request nests as deep, and a hostile one may be too deep for Python to follow."""
MOST_SUGGESTIONS = 16
"""Unknown fields answered with the nearest known one: looking for it takes long, and a body can name thousands."""

MOST_ITEMS = 32
"""Items of a list named one by one: no request's list may be as long."""


class Field(NamedTuple):
    """One field of a request type, taken apart once."""

    name: str
    kind: Any
    required: bool
    nested: type[Struct] | None
    """The request type it holds, where it holds one."""
    items: type[Struct] | None
    """The request type of its items, where it is a list of them."""
    mapping: tuple[Any, Any] | None
    """Key and value types, where it is a mapping."""
    choices: tuple[str, ...]
    about: str


def read(kind: type[T], raw: object) -> tuple[T | None, list[FieldError]]:
    """The request, or everything that is wrong with it. Messages say what would be right and never repeat a value."""
    try:
        return msgspec.convert(raw, kind), []
    except msgspec.ValidationError:
        mended = _whole_numbers(raw)
    try:
        return msgspec.convert(mended, kind), []
    except msgspec.ValidationError:
        return None, list(_errors(kind, mended, "")) or [FieldError("", "cannot be taken")]


def _whole_numbers(raw: object, deepest: int = DEEPEST) -> object:
    """JSON knows one kind of number: to a JSON Schema 159.0 is an integer."""
    match raw:
        case dict() | list() if not deepest:
            return raw
        case dict():
            return {name: _whole_numbers(each, deepest - 1) for name, each in raw.items()}
        case list():
            return [_whole_numbers(each, deepest - 1) for each in raw]
        case float() if raw.is_integer():
            return int(raw)
        case _:
            return raw


def _errors(kind: type[Struct], raw: object, path: str) -> Iterator[FieldError]:
    if not isinstance(raw, dict):
        yield FieldError(path.rstrip("."), "must be a JSON object")
        return
    fields = _fields(kind)
    for number, name in enumerate(name for name in raw if name not in fields):
        close = difflib.get_close_matches(str(name)[:128], fields, n=1) if number < MOST_SUGGESTIONS else []
        yield FieldError(f"{path}{name}"[:128], "no such field" + (f"; did you mean {close[0]!r}?" if close else ""))
    for field in fields.values():
        if field.name in raw:
            yield from _field_errors(field, raw[field.name], f"{path}{field.name}")
        elif field.required:
            yield FieldError(f"{path}{field.name}", "is missing" + _expected(field))


def _field_errors(field: Field, value: object, path: str) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, field.kind)
    except msgspec.ValidationError as error:
        if field.nested is not None and isinstance(value, dict):
            yield from _errors(field.nested, value, f"{path}.")
        elif field.items is not None and (wrong := _item_errors(field.items, value, path)):
            yield from wrong
        elif field.mapping is not None and isinstance(value, dict):
            yield from _mapping_errors(field.mapping, value, path)
        else:
            yield FieldError(path, _said(field, error))


def _item_errors(kind: type[Struct], value: object, path: str) -> list[FieldError]:
    """What is wrong with the items of a list; nothing where it is the list as a whole."""
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        return []
    return [error for number, each in enumerate(value) for error in _errors(kind, each, f"{path}[{number}].")]


def _mapping_errors(kinds: tuple[Any, Any], value: Mapping[object, object], path: str) -> Iterator[FieldError]:
    for key, each in value.items():
        for kind, part in zip(kinds, (key, each), strict=True):
            try:
                msgspec.convert(part, kind)
            except msgspec.ValidationError as error:
                yield FieldError(f"{path}.{key}"[:128], _plain(error))
                break


@cache
def _fields(kind: type[Struct]) -> dict[str, Field]:
    return {each.encode_name: _field(each) for each in msgspec.structs.fields(kind)}


def _field(info: msgspec.structs.FieldInfo) -> Field:
    bare, about = _bare(info.type)
    nested = _struct(bare)
    items = _struct(get_args(bare)[0]) if get_origin(bare) is tuple else None
    mapping = get_args(bare) if get_origin(bare) is dict else None
    choices = tuple(str(each) for each in get_args(bare)) if get_origin(bare) is Literal else ()
    return Field(info.encode_name, info.type, info.required, nested, items, mapping, choices, about)


def _struct(kind: Any) -> type[Struct] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _bare(kind: Any) -> tuple[Any, str]:
    """The type without `| None` and annotations, and the description among the annotations."""
    about = ""
    while True:
        if get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            # the outermost has the last word, as in a JSON Schema
            told = [note.description for note in notes if isinstance(note, Meta) and note.description]
            about = told[-1] if told else about
        elif get_origin(kind) in {Union, types.UnionType}:
            some = [each for each in get_args(kind) if each is not type(None)]
            if len(some) != 1:
                return kind, about
            kind = some[0]
        else:
            return kind, about


def _expected(field: Field) -> str:
    if field.choices:
        return f": one of {', '.join(field.choices)}"
    return f": {field.about}" if field.about else ""


def _said(field: Field, error: msgspec.ValidationError) -> str:
    if field.choices:
        return f"must be one of {', '.join(field.choices)}"
    plain = _plain(error)
    if field.about and "regex" in plain:
        return f"must be {field.about}"
    return f"{plain} ({field.about})" if field.about else plain


def _plain(error: msgspec.ValidationError) -> str:
    """Msgspec's message without its path and, where it repeats the value, without that."""
    message = str(error).partition(" - at `")[0]
    return "has none of the possible values" if message.startswith("Invalid") else message
