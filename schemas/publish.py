"""What is generated from the records and the registry: schemas, documents, pages; `python -m schemas.publish`."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args

import msgspec

from schemas import access, assignments, base, clusters, commands, events, intake, officers, review, sla, sms
from schemas.asyncapi import Examples, document, examples_of, rewritten
from schemas.base import Record
from schemas.catalogue import page, with_picture
from schemas.codec import tag
from schemas.contract_page import contracts

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
HOME: Final = Path(__file__).parents[1]
MODULES: Final = (access, assignments, base, intake, commands, events, clusters, sms, sla, officers, review)
_KINDS: Final[tuple[type[Record] | UnionType, ...]] = (
    base.Wake, intake.IntakeInput, intake.IntakeOutcome, commands.CaseCommand, events.Event, events.EscalationRaised,
    events.EscalationSentUp, assignments.DepartmentAssigned, sms.SmsInput, sms.TurnInput, sms.SmsHandover, sms.SmsFact,
    sla.SlaInput, sla.SlaWindow, clusters.ClusterInput, clusters.ClusterSuggested,
    officers.OfficeInput, officers.OfficeEntry, officers.OfficerInput, officers.OfficerFact,
    review.ReviewOutcome, access.AccessRead,
)  # fmt: skip


def records() -> dict[str, type[Record]]:
    """Every record type by its tag."""
    return {tag(kind): kind for each in _KINDS for kind in (get_args(each) or (each,))}


def schema(kind: type[Record]) -> dict[str, Any]:
    """One record type's schema; objects stay open, for fields that a later minor version adds."""
    made = msgspec.json.schema(kind)
    parts: dict[str, Any] = made["$defs"]
    for name, part in parts.items():
        _describe(part, name)
    own = parts.pop(kind.__name__)
    whole = {"$schema": DIALECT, "$id": f"urn:nivaran:{tag(kind)}", **own, **({"$defs": parts} if parts else {})}
    return {key: rewritten(value, "pattern", _anchored) for key, value in whole.items()}


def published(kind: type[Record]) -> str:
    """The text of the schema's file."""
    return _text(schema(kind))


def examples() -> Examples:
    """The golden examples, by type and name."""
    found = sorted((HOME / "schemas" / "examples").glob("*/*.json"))
    return examples_of([(path.parent.name, path.stem, msgspec.json.decode(path.read_bytes())) for path in found])


def asyncapi() -> dict[str, Any]:
    """All topics and records as one AsyncAPI document."""
    return document({name: schema(kind) for name, kind in records().items()}, examples())


def files() -> dict[str, str]:
    """Everything that is generated from the records and the registry: path in the repository -> text."""
    whole = asyncapi()
    return {
        **{f"schemas/wire/{name}.json": published(kind) for name, kind in records().items()},
        "schemas/asyncapi.json": _text(whole),
        "docs/contracts.md": contracts(whole),
        "docs/topics.md": page(),
        "README.md": with_picture((HOME / "README.md").read_text("utf-8")),
    }


def publish(home: Path = HOME) -> Iterator[str]:
    """Write every generated file that is not as it should be; yield its path."""
    for name, text in files().items():
        path = home / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            yield name


def _text(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _describe(part: dict[str, Any], name: str) -> None:
    meanings = _meanings()
    for owner in _lineage(name):
        for field, meaning in meanings.get(owner, {}).items():
            if field in part.get("properties", {}):
                part["properties"][field]["description"] = meaning


def _lineage(name: str) -> list[str]:
    """A struct and those it inherits from, farthest first."""
    kind = next(getattr(module, name) for module in MODULES if hasattr(module, name))
    return [each.__name__ for each in reversed(inspect.getmro(kind))]


@cache
def _meanings() -> dict[str, dict[str, str]]:
    """What stands as a string under a field, by struct and field: the one place where a field is explained."""
    found: dict[str, dict[str, str]] = {}
    for module in MODULES:
        for struct in ast.parse(inspect.getsource(module)).body:
            if isinstance(struct, ast.ClassDef):
                found[struct.name] = dict(_explained(struct))
    return found


def _explained(struct: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(struct.body, struct.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass


def _anchored(pattern: str) -> str:
    r"""Python anchors a pattern with \A and \Z, ECMA 262 (JSON Schema's dialect) with ^ and $."""
    return pattern.replace(r"\A", "^").replace(r"\Z", "$")


if __name__ == "__main__":
    for written in publish():
        sys.stdout.write(f"wrote {written}\n")
