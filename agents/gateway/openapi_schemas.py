"""The schemas of the API's description: from the request types, with what each system's profile allows."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agents.gateway.activities import LISTS, REQUESTS, ActivityAnswer, watched
from agents.gateway.auth import MAY_ACT, SPEAKS_AS
from agents.gateway.call_rows import CallRow
from agents.gateway.problems import ProblemDetails
from agents.gateway.remembering import Answer
from agents.gateway.requests import ACTION_REQUESTS, ComplaintRequest, ReceiptRequest
from schemas.base import Code
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.review.live import DistrictBoard

REF: Final = "#/components/schemas/{name}"


def schemas() -> dict[str, Any]:
    """Every schema by name."""
    lists = [listed.row for listed in LISTS.values()]
    bodies = [ComplaintRequest, ReceiptRequest, *ACTION_REQUESTS.values(), *REQUESTS.values()]
    kinds = [Answer, CallRow, ActivityAnswer, ProblemDetails, DistrictBoard, *bodies, *lists]
    _, found = msgspec.json.schema_components(kinds, ref_template=REF)
    named = _portable(found)
    place = named.pop("PlaceRequest")
    named["Place"] = _place(place, None)
    _describe_complaints(named)
    _describe_actions(named)
    _describe_activities(named)
    return {name: named[name] for name in sorted(named)}


def _describe_complaints(schemas: dict[str, Any]) -> None:
    """One schema per system, with its own types, categories, districts and units."""
    general = schemas.pop("ComplaintRequest")
    names = []
    for profile in profiles().values():
        name = f"ComplaintTo-{profile.system}"
        own = {
            "system": {"const": profile.system},
            "type": {"enum": sorted(profile.case_types)},
            "category": {"enum": sorted(profile.categories)},
            "language": {"enum": [*sorted(profile.languages), None], "default": None},
            "place": _place({"type": "object"}, profile),
            "against_level": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": profile.last_level,
                "default": None,
            },
            "source": {"enum": [*sorted(profile.intake_sources), None], "default": None},
        }
        if profile.spoken_languages:
            own["spoken_language"] = {"enum": [*sorted(profile.spoken_languages), None], "default": None}
        if profile.channels is not None:
            own["channel"] = {"enum": sorted(profile.channels)}
        schemas[name] = general | {"title": name, "properties": general["properties"] | own}
        names.append(name)
    schemas["ComplaintRequest"] = {"oneOf": [{"$ref": REF.format(name=name)} for name in names]}


def _place(base: Mapping[str, Any], profile: Profile | None) -> dict[str, Any]:
    district: dict[str, Any] = {"type": "integer", "minimum": 0, "description": "Local Government Directory code"}
    place: dict[str, Any] = {
        "type": "object",
        "description": base.get("description", "Where it happened."),
        "required": ["district"],
    }
    if profile is None:
        return place | {"properties": {"district": district}, "additionalProperties": schema_of(Code)}
    units = dict.fromkeys(profile.unit_kinds, schema_of(Code))
    return place | {
        "properties": {"district": district | {"enum": sorted(profile.districts)}, **units},
        "additionalProperties": False,
    }


def _describe_actions(schemas: dict[str, Any]) -> None:
    mapping = {}
    for name, kind in ACTION_REQUESTS.items():
        schema = schemas[kind.__name__]
        schema["properties"]["type"] = {"const": name}
        speakers = sorted({speaker for role in MAY_ACT[name] for speaker in SPEAKS_AS[role]})
        schema["properties"]["by"] = {"$ref": REF.format(name="Actor"), "description": f"role: {', '.join(speakers)}"}
        if "place" in schema["properties"]:
            schema["properties"]["place"] = {
                "anyOf": [{"$ref": REF.format(name="Place")}, {"type": "null"}],
                "default": None,
            }
        mapping[name] = REF.format(name=kind.__name__)
    schemas["ActionRequest"] = {
        "oneOf": [{"$ref": each} for each in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _describe_activities(schemas: dict[str, Any]) -> None:
    """Per kind of activity a schema for each system that watches officers, with its own steps and categories."""
    mapping = {}
    for name, kind in REQUESTS.items():
        general, variants = schemas[kind.__name__], []
        for profile in watched():
            own = {"type": {"const": name}, "system": {"const": profile.system}, **_own_choices(profile, general)}
            variants.append(f"{kind.__name__}-{profile.system}")
            schemas[variants[-1]] = general | {"title": variants[-1], "properties": general["properties"] | own}
        schemas[kind.__name__] = {"oneOf": [{"$ref": REF.format(name=each)} for each in variants]}
        mapping[name] = REF.format(name=kind.__name__)
    schemas["ActivityRequest"] = {
        "oneOf": [{"$ref": each} for each in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _own_choices(profile: Profile, general: Mapping[str, Any]) -> dict[str, Any]:
    rule = profile.officers
    assert rule is not None
    choices = {"step": [each.step for each in rule.ladder], "category": sorted(rule.desk.categories)}
    return {name: {"enum": each} for name, each in choices.items() if name in general["properties"]}


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of one type, as JSON Schema has it."""
    found: dict[str, Any] = _portable(msgspec.json.schema(kind))
    return found


def _portable(schema: Any) -> Any:
    r"""JSON Schema's patterns are ECMA 262: `^` and `$`, not Python's `\A` and `\Z`."""
    match schema:
        case dict():
            return {
                name: each.replace(r"\A", "^").replace(r"\Z", "$")
                if name == "pattern" and isinstance(each, str)
                else _portable(each)
                for name, each in schema.items()
            }
        case list() | tuple():
            return [_portable(each) for each in schema]
        case _:
            return schema
