"""What breaks a contract is named, what does not is too; every released one can still be rested on."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas.codec import decoder, encode
from schemas.compare import differences
from schemas.contract import Contract, ContractError, of_document, of_folder
from schemas.publish import HOME, asyncapi, examples, records, schema

NOW = asyncapi()
RELEASED = sorted((HOME / "schemas" / "released").glob("*.json"))
BREAKS_ON_PURPOSE: frozenset[str] = frozenset()
"""`where: what` of breaking changes since a release that are wanted; each stands in the changelog too."""
RAISED = "grievance.escalation.raised.v1"
WAKE = NOW["channels"]["grievance.case.commands.v1"]["messages"]["wake.v1"]
Document = dict[str, Any]


def contract(document: Document) -> Contract:
    return of_document(json.dumps(document).encode())


def changed(change: Callable[[Document], Any]) -> Document:
    document = deepcopy(NOW)
    change(document)
    return document


def fields(document: Document, record: str) -> dict[str, Any]:
    return document["components"]["schemas"][record]["properties"]


def raised(document: Document) -> dict[str, Any]:
    """The fields of the record in which most is changed here."""
    return fields(document, "escalation.raised.v1")


def required(document: Document) -> list[str]:
    return document["components"]["schemas"]["escalation.raised.v1"]["required"]


def on_raised(document: Document) -> dict[str, Any]:
    return document["channels"][RAISED]["messages"]


def kafka(document: Document) -> dict[str, Any]:
    return document["channels"][RAISED]["bindings"]["kafka"]


def configured(document: Document, name: str, value: Any) -> None:
    kafka(document)["topicConfiguration"][name] = value


def units(document: Document) -> dict[str, Any]:
    return fields(document, "Place")["units"]["additionalProperties"]


def one_more(document: Document) -> None:
    raised(document)["new"] = {"type": "string"}
    required(document).append("new")


def keyed(document: Document, key: str) -> None:
    for message in on_raised(document).values():
        message["bindings"]["kafka"]["key"]["description"] = key


BREAKING: list[tuple[str, Callable[[Document], Any]]] = [
    ("topic removed", lambda d: d["channels"].pop(RAISED)),
    ("no longer has escalation.sent-up.v1", lambda d: on_raised(d).pop("escalation.sent-up.v1")),
    ("key changed", lambda d: keyed(d, "department")),
    ("partitions changed from 12 to 6", lambda d: kafka(d).update(partitions=6)),
    ("kept 30 days instead of 365 days", lambda d: configured(d, "retention.ms", 30 * 86_400_000)),
    ("cleanup changed", lambda d: configured(d, "cleanup.policy", ["compact"])),
    ("field removed", lambda d: raised(d).pop("reason")),
    ("required field added", one_more),
    ("is required now", lambda d: required(d).append("channel")),
    ("may be missing now", lambda d: required(d).remove("due_at")),
    ("no longer may be 'time-out'", lambda d: raised(d)["cause"]["enum"].remove("time-out")),
    ("may be 'by-hand' too", lambda d: raised(d)["cause"]["enum"].append("by-hand")),
    ("no longer may be integer", lambda d: raised(d).update(age_ms={"type": "string"})),
    ("no longer may be null", lambda d: raised(d)["due_at"]["anyOf"].pop()),
    ("narrower: maximum (9 before, 4 now)", lambda d: raised(d)["to_level"].update(maximum=4)),
    ("narrower: minimum (1 before, 2 now)", lambda d: raised(d)["to_level"].update(minimum=2)),
    ("wider: maximum (9 before, 12 now)", lambda d: raised(d)["to_level"].update(maximum=12)),
    ("narrower: pattern", lambda d: raised(d)["case"].update(pattern="^[0-9]{19}$")),
    ("narrower: maxLength (none before, 9 now)", lambda d: raised(d)["system"].update(maxLength=9)),
    ("narrower: the list of values", lambda d: raised(d).update(system={"enum": ["up-1076"]})),
    ("default changed", lambda d: raised(d)["visible_to"].update(default=["all"])),
    ("field removed", lambda d: fields(d, "Because").pop("policy")),
    ("no longer may be string", lambda d: raised(d)["visible_to"].update(items={"type": "integer"})),
    ("narrower: maxLength (64 before, 8 now)", lambda d: units(d).update(maxLength=8)),
]  # fmt: skip

COMPATIBLE: list[tuple[str, Callable[[Document], Any]]] = [
    ("topic added", lambda d: d["channels"].update(new={**d["channels"][RAISED], "address": "grievance.new.v1"})),
    ("may have wake.v1 too", lambda d: on_raised(d).update({"wake.v1": WAKE})),
    ("kept for ever instead of 365 days", lambda d: configured(d, "retention.ms", -1)),
    ("optional field added", lambda d: raised(d).update(new={"type": "string", "default": ""})),
    ("described in other words", lambda d: raised(d)["channel"].update(description="the way in")),
    # nobody outside reads commands: a value more is a matter of who reads first
    ("may be 'letter' too", lambda d: fields(d, "case.link-duplicate.v1")["channel"]["enum"].append("letter")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change"), BREAKING, ids=[f"{n}-{what}" for n, (what, _) in enumerate(BREAKING)])
def test_what_breaks_is_named(what: str, change: Callable[[Document], Any]) -> None:
    found = differences(contract(NOW), contract(changed(change)))
    assert [each for each in found if each.kind == "breaking" and what in each.what], found


@pytest.mark.parametrize(("what", "change"), COMPATIBLE, ids=[what for what, _ in COMPATIBLE])
def test_what_breaks_nobody_is_named_as_that(what: str, change: Callable[[Document], Any]) -> None:
    found = differences(contract(NOW), contract(changed(change)))
    assert [each for each in found if what in each.what]
    assert [each for each in found if each.kind == "breaking"] == []


def test_a_field_known_by_its_place_must_keep_it() -> None:
    array = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}
    old = changed(lambda d: raised(d).update(pair=array))
    swapped = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}
    new = changed(lambda d: raised(d).update(pair=swapped))
    found = differences(contract(old), contract(new))
    assert {each.where for each in found if each.kind == "breaking"} == {
        "escalation.raised.v1.pair[0]",
        "escalation.raised.v1.pair[1]",
    }


def test_folder_and_document_say_the_same() -> None:
    home = HOME / "schemas"
    wire = {path.stem: path.read_bytes() for path in (home / "wire").glob("*.json")}
    assert differences(of_folder((home / "topics.toml").read_text("utf-8"), wire), contract(NOW)) == []


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"channels": {}}', b'{"channels": {"a": {}}, "components": {}}'])
def test_what_is_no_contract_is_said_so(text: bytes) -> None:
    with pytest.raises(ContractError, match="no AsyncAPI document"):
        of_document(text)
    with pytest.raises(ContractError, match="no folder"):
        of_folder(text.decode(), {})


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_nothing_breaks_since_a_release_that_is_not_meant_to(released: Path) -> None:
    found = differences(of_document(released.read_bytes()), contract(NOW))
    assert {f"{each.where}: {each.what}" for each in found if each.kind == "breaking"} <= BREAKS_ON_PURPOSE


def golden(document: Document) -> dict[tuple[str, str], Any]:
    """The examples a release was published with, by type and name."""
    return {
        (name, each["name"]): each["payload"]
        for channel in document["channels"].values()
        for name, message in channel["messages"].items()
        for each in message["examples"]
    }


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_records_of_a_release_are_read_today_and_kept_as_they_were(released: Path) -> None:
    told = golden(msgspec.json.decode(released.read_bytes()))
    assert told
    kept = examples()
    for (kind, name), content in told.items():
        record = decoder(records()[kind])(msgspec.json.encode(content))
        assert json.loads(encode(record)) == content, f"{kind}/{name}"
        Draft202012Validator(schema(records()[kind])).validate(content)
        assert kept[kind][name] == content, f"the example {kind}/{name} was edited or removed"


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_readers_of_a_release_take_the_records_of_today(released: Path) -> None:
    document = msgspec.json.decode(released.read_bytes())
    parts = json.loads(json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/"))
    kept = {kind: named for kind, named in examples().items() if kind in parts}
    assert kept
    for kind, named in kept.items():
        reader = Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": parts})
        for content in named.values():
            reader.validate(content)
