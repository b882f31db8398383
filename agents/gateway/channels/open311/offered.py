"""What can be asked for: the discovery document, a system's categories as services, and what each needs to be told."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from agents.gateway.channels.open311.formats import MEDIA
from agents.gateway.channels.open311.settings import Open311Settings
from streams.calendar import day_key
from streams.profiles.load import profiles
from streams.profiles.places import stands
from streams.profiles.profile import Name, Profile

SPECIFICATION: Final = "http://wiki.open311.org/GeoReport_v2"
"""The page's own name for itself, by which clients find an endpoint of this version."""
DISTRICT: Final = "district"
TYPE: Final = "type"
LANGUAGE: Final = "language"


class Endpoint(Struct, frozen=True):
    specification: str
    url: str
    changeset: str
    type: str
    formats: list[str]


class Discovery(Struct, frozen=True):
    changeset: str
    contact: str
    key_service: str
    endpoints: list[Endpoint]


class Service(Struct, frozen=True):
    """A category of complaints."""

    service_code: str
    service_name: str
    description: str
    metadata: bool
    type: Literal["realtime"]
    """The number of a case is known when it is accepted."""
    keywords: str
    group: str


class Value(Struct, frozen=True):
    key: str
    name: str


class Attribute(Struct, frozen=True, kw_only=True):
    """Something a client asks its user beside what the page knows."""

    variable: bool = True
    code: str
    datatype: Literal["string", "singlevaluelist"] = "singlevaluelist"
    required: bool = False
    datatype_description: str
    order: int
    description: str
    values: list[Value]


class ServiceDefinition(Struct, frozen=True):
    service_code: str
    attributes: list[Attribute]


def discovery(settings: Open311Settings, now: int) -> Discovery:
    """The discovery document at an instant (UTC ms); its changeset is the day of the latest rules in force."""
    changeset = max(day_key(each.at(now).from_at, each.zone) for each in profiles().values())
    endpoint = Endpoint(SPECIFICATION, settings.open311_url, changeset, settings.open311_type, list(MEDIA.values()))
    return Discovery(changeset, settings.open311_contact, settings.open311_key_service, [endpoint])


def services(profile: Profile) -> list[Service]:
    """The categories, in the officers' language first: people who know one of the two find theirs."""
    return [
        Service(
            service_code=code,
            service_name=in_first(profile, category.name),
            description=_both(category.name),
            metadata=True,
            type="realtime",
            keywords=", ".join(dict.fromkeys((category.name.hi, category.name.en, *code.split("-")))),
            group=in_first(profile, profile.departments[category.department].name),
        )
        for code, category in profile.categories.items()
    ]


def definition(profile: Profile, code: str, now: int) -> ServiceDefinition:
    """What a request for this service is to say; places as they are at an instant (UTC ms)."""
    return ServiceDefinition(code, list(_attributes(profile, now)))


def in_first(profile: Profile, name: Name) -> str:
    """A name in the first of the system's languages."""
    return name.hi if profile.languages[0] == "hi" else name.en


def _both(name: Name) -> str:
    return name.en if name.hi == name.en else f"{name.hi} / {name.en}"


def _attributes(profile: Profile, now: int) -> Iterator[Attribute]:
    districts = [
        Value(str(code), _both(each.name))
        for code, each in sorted(profile.districts.items(), key=lambda pair: pair[1].name.en)
        if stands(each, now, profile.zone)
    ]
    yield Attribute(
        code=DISTRICT,
        required=True,
        datatype_description="code of the district",
        order=1,
        description="जनपद / District",
        values=districts,
    )
    for number, kind in enumerate(profile.unit_kinds):
        known = _units(profile, kind, now)
        yield Attribute(
            code=kind,
            datatype="singlevaluelist" if known else "string",
            datatype_description=f"code of the {kind}",
            order=2 + number,
            description=f"{kind} in the district",
            values=known,
        )
    order = 2 + len(profile.unit_kinds)
    yield Attribute(
        code=TYPE,
        datatype_description="complaint, if not said",
        order=order,
        description="kind of request",
        values=[Value(each, each) for each in sorted(profile.case_types)],
    )
    yield Attribute(
        code=LANGUAGE,
        datatype_description=f"{profile.languages[0]}, if not said",
        order=order + 1,
        description="language in which the citizen is written to",
        values=[Value(each, each) for each in profile.languages],
    )


def _units(profile: Profile, kind: str, now: int) -> list[Value]:
    """The places of a kind, where the system lists them; it takes any code where it does not."""
    return [
        Value(key.partition("/")[2], f"{each.name} ({key.partition('/')[0]})")
        for key, each in profile.units.get(kind, {}).items()
        if stands(each, now, profile.zone)
    ]
