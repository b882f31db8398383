"""What has changed between two contracts, and whether those who rest on the old one can go on.

Breaking is what makes an old record unreadable to new readers, or a new one to old readers (`schemas/README.md`): both
stand in one log. A value more breaks a reader that matches exhaustively, so it counts where others read the topic.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from schemas.contract import Contract, TopicContract

Kind = Literal["breaking", "compatible"]
LOWER: Final = ("minimum", "minLength", "minItems", "exclusiveMinimum")
UPPER: Final = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")
WORDS: Final = ("description", "title")
NONE: Final[Mapping[str, Any]] = {}


class Difference(Struct, frozen=True, order=True):
    """One change: where, and what it means."""

    kind: Kind
    where: str
    what: str


def differences(old: Contract, new: Contract) -> list[Difference]:
    """Every change, the breaking ones first."""
    return sorted({*_topics(old, new), *_records(old, new)})


def _topics(old: Contract, new: Contract) -> Iterator[Difference]:
    for name, before in old.topics.items():
        after = new.topics.get(name)
        if after is None:
            yield Difference("breaking", name, "topic removed")
        else:
            yield from _topic(name, before, after)
    for name in new.topics.keys() - old.topics.keys():
        yield Difference("compatible", name, "topic added")


def _topic(name: str, old: TopicContract, new: TopicContract) -> Iterator[Difference]:
    for field in ("key", "partitions", "cleanup"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield Difference("breaking", name, f"{field} changed from {before} to {after}")
    if old.kept_days != new.kept_days:
        shorter = new.kept_days is not None and (old.kept_days is None or new.kept_days < old.kept_days)
        told = f"kept {_days(new.kept_days)} instead of {_days(old.kept_days)}"
        yield Difference("breaking" if shorter else "compatible", name, told)
    for record in old.records - new.records:
        yield Difference("breaking", name, f"no longer has {record}")
    for record in new.records - old.records:
        yield Difference("compatible", name, f"may have {record} too")


def _days(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _records(old: Contract, new: Contract) -> Iterator[Difference]:
    for name, schema in old.schemas.items():
        if name not in new.schemas:
            yield Difference("breaking", name, "record removed")
        else:
            leaves = any(topic.leaves for topic in new.topics.values() if name in topic.records)
            yield from _Walk(old, new, wider="breaking" if leaves else "compatible").schemas(
                name, schema, new.schemas[name], ()
            )
    for name in new.schemas.keys() - old.schemas.keys():
        yield Difference("compatible", name, "record added")


class _Walk:
    """Compares two schemas part by part; `wider` is what a value more means for its readers."""

    def __init__(self, old: Contract, new: Contract, wider: Kind) -> None:
        self._old, self._new, self._wider = old, new, wider

    def schemas(self, where: str, old: Any, new: Any, seen: tuple[Any, ...]) -> Iterator[Difference]:
        pair = (old.get("$ref"), new.get("$ref"))
        if pair in seen:  # a part that refers to itself
            return
        before, after = _alternatives(old, self._old), _alternatives(new, self._new)
        for form in before.keys() - after.keys():
            yield Difference("breaking", where, f"no longer may be {form}")
        for form in after.keys() - before.keys():
            yield Difference(self._wider, where, f"may be {form} too")
        if "default" in old and "default" in new and old["default"] != new["default"]:
            yield Difference("breaking", where, f"default changed from {old['default']!r} to {new['default']!r}")
        for form in before.keys() & after.keys():
            yield from self._same(where, before[form], after[form], (*seen, pair) if any(pair) else seen)
        if any(old.get(word) != new.get(word) for word in WORDS):
            yield Difference("compatible", where, "described in other words")

    def _same(
        self, where: str, old: Mapping[str, Any], new: Mapping[str, Any], seen: tuple[Any, ...]
    ) -> Iterator[Difference]:
        yield from self._values(where, old, new)
        yield from self._fields(where, old, new, seen)
        for keyword, below in (("items", "[]"), ("additionalProperties", "{}"), ("propertyNames", "{name}")):
            before, after = old.get(keyword), new.get(keyword)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.schemas(f"{where}{below}", before, after, seen)
            elif before != after:
                yield Difference("breaking", where, f"{keyword} changed")
        # a record as an array: its fields are known by their places alone
        places, now = old.get("prefixItems", ()), new.get("prefixItems", ())
        for place, (before, after) in enumerate(zip(places, now, strict=False)):
            yield from self.schemas(f"{where}[{place}]", before, after, seen)
        if len(places) != len(now):
            shorter = len(now) < len(places)
            yield Difference("breaking" if shorter else self._wider, where, "has another number of places")

    def _values(self, where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
        before, after = old.get("enum"), new.get("enum")
        for value in sorted(set(before or ()) - set(after or ())) if after is not None else ():
            yield Difference("breaking", where, f"no longer may be {value!r}")
        for value in sorted(set(after or ()) - set(before or ())) if before is not None else ():
            yield Difference(self._wider, where, f"may be {value!r} too")
        if (before is None) != (after is None):
            yield self._changed(where, "the list of values", narrower=before is None)
        for keyword in (*LOWER, *UPPER, "pattern", "format", "multipleOf"):
            if old.get(keyword) != new.get(keyword):
                yield self._limit(where, keyword, old.get(keyword), new.get(keyword))

    def _limit(self, where: str, keyword: str, old: Any, new: Any) -> Difference:
        told = f"{keyword} ({'none' if old is None else old} before, {'none' if new is None else new} now)"
        if old is None or new is None:
            return self._changed(where, told, narrower=old is None)
        if keyword in LOWER or keyword in UPPER:
            return self._changed(where, told, narrower=(new > old) == (keyword in LOWER))
        return self._changed(where, told, narrower=True)  # nobody can tell which of two patterns takes more

    def _changed(self, where: str, what: str, *, narrower: bool) -> Difference:
        return Difference(
            "breaking" if narrower else self._wider, where, f"{'narrower' if narrower else 'wider'}: {what}"
        )

    def _fields(
        self, where: str, old: Mapping[str, Any], new: Mapping[str, Any], seen: tuple[Any, ...]
    ) -> Iterator[Difference]:
        before, after = old.get("properties", NONE), new.get("properties", NONE)
        must, must_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield Difference("breaking", f"{where}.{name}", "field removed")
        for name in after.keys() - before.keys():
            added = "required field added" if name in must_now else "optional field added"
            yield Difference("breaking" if name in must_now else "compatible", f"{where}.{name}", added)
        for name in before.keys() & after.keys():
            if (name in must) != (name in must_now):
                told = "is required now" if name in must_now else "may be missing now"
                yield Difference("breaking", f"{where}.{name}", told)
            yield from self.schemas(f"{where}.{name}", before[name], after[name], seen)


def _alternatives(schema: Mapping[str, Any], contract: Contract) -> dict[str, Mapping[str, Any]]:
    """The forms a value may have, by name, references followed; a list of values is a form of text."""
    match schema:
        case {"$ref": str(ref)}:
            return _alternatives(contract.parts[ref], contract)
        case {"anyOf": list(each)}:
            return {name: form for one in each for name, form in _alternatives(one, contract).items()}
        case {"enum": _}:
            return {"string": schema}
        case {"type": "object", "properties": {"type": {"enum": [tag]}}}:
            return {f"object {tag}": schema}
        case {"type": str(kind)}:
            return {kind: schema}
        case _:
            return {"anything": schema}
