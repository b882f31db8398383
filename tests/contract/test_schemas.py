"""Every record type has a published schema and golden examples, and schema, codec and examples agree."""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas.base import Record
from schemas.codec import decoder, encode, tag
from schemas.publish import HOME, MODULES, files, records, schema

EXAMPLES = sorted((HOME / "schemas" / "examples").glob("*/*.json"))
RECORDS = records()
FILES = files()


def read(path: Path) -> tuple[type[Record], bytes]:
    return RECORDS[path.parent.name], path.read_bytes()


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def leaves(kind: type[Record]) -> set[type[Record]]:
    below = kind.__subclasses__()
    return set().union(*map(leaves, below)) if below else {kind}


def test_every_record_type_that_is_defined_is_published() -> None:
    defined = {kind for kind in leaves(Record) if kind.__module__ in {module.__name__ for module in MODULES}}
    assert {tag(kind) for kind in defined} == set(RECORDS)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_tag_names_its_version(name: str) -> None:
    assert name.rpartition(".v")[2].isdecimal()


@pytest.mark.parametrize("path", sorted(FILES))
def test_generated_files_are_current(path: str) -> None:
    """`python -m schemas.publish` writes them."""
    assert (HOME / path).read_text("utf-8") == FILES[path]


def test_no_schema_without_its_record() -> None:
    assert {path.stem for path in (HOME / "schemas" / "wire").glob("*.json")} == set(RECORDS)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_schemas_are_valid_and_open(name: str) -> None:
    published = schema(RECORDS[name])
    Draft202012Validator.check_schema(published)
    assert "additionalProperties" not in {key for part in objects(published) for key in part}
    assert r"\A" not in json.dumps(published)


def objects(part: object) -> list[dict[str, object]]:
    """Every description of an object with fields of its own (a map of names to values has none)."""
    match part:
        case dict():
            inner = [found for each in part.values() for found in objects(each)]
            return [part, *inner] if "properties" in part else inner
        case list():
            return [found for each in part for found in objects(each)]
        case _:
            return []


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_record_type_has_an_example(name: str) -> None:
    assert list((HOME / "schemas" / "examples" / name).glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_examples_are_taken_and_come_out_the_same(path: Path) -> None:
    kind, raw = read(path)
    record = decoder(kind)(raw)
    assert type(record) is kind
    assert json.loads(encode(record)) == json.loads(raw)


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_examples_are_what_the_published_schema_says(path: Path) -> None:
    kind, raw = read(path)
    Draft202012Validator(schema(kind)).validate(json.loads(raw))


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_readers_take_a_field_of_a_later_version(path: Path) -> None:
    kind, raw = read(path)
    later = {**json.loads(raw), "added_later": "नया"}
    Draft202012Validator(schema(kind)).validate(later)
    assert decoder(kind)(json.dumps(later).encode()) == decoder(kind)(raw)


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_schema_and_codec_refuse_the_same_missing_field(path: Path) -> None:
    kind, raw = read(path)
    whole = json.loads(raw)
    validator = Draft202012Validator(schema(kind))
    for field in schema(kind)["required"]:
        less = {key: value for key, value in whole.items() if key != field}
        assert not validator.is_valid(less)
        if field != "type":
            with pytest.raises(msgspec.ValidationError, match=field):
                decoder(kind)(json.dumps(less).encode())


def test_hindi_is_written_as_hindi() -> None:
    kind, raw = read(HOME / "schemas/examples/intake.submitted.v1/call-hindi.json")
    written = encode(decoder(kind)(raw))
    assert "प्रधानमंत्री आवास योजना".encode() in written
    assert b"\\u" not in written


def test_dissatisfaction_without_recording_is_no_record() -> None:
    kind, raw = read(HOME / "schemas/examples/case.report-dissatisfied.v1/wrong-report.json")
    less = {key: value for key, value in json.loads(raw).items() if key != "recording"}
    with pytest.raises(msgspec.ValidationError, match="recording"):
        decoder(kind)(json.dumps(less).encode())
