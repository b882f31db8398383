"""What every method of the channel asks first: who calls, of which system, in which form the answer is."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from agents.gateway.auth import ApiRole, Caller, allow
from agents.gateway.channels.open311.formats import Format
from agents.gateway.channels.open311.settings import Open311Settings
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.services import SERVICES, Services
from streams.profiles.load import profiles
from streams.profiles.profile import Profile

CLIENTS: Final = frozenset[ApiRole]({"citizen-channel"})
ANYBODY: Final = Caller("citizen-channel", "anybody")
"""Who reads without an api_key, where the operator lets requests be read so: sees what a citizen's channel sees."""


class Served(NamedTuple):
    """The channel as it is served in one form."""

    settings: Open311Settings
    form: Format


def client(services: Services, fields: Mapping[str, str]) -> Caller:
    """The client an api_key stands for, a token of the API with the role of a citizen's channel; raises Problem."""
    caller = services.tokens.caller(f"Bearer {fields.get('api_key', '')}")
    allow(caller, CLIENTS)
    return caller


def reader(served: Served, request: web.Request) -> Caller:
    """Who reads requests; raises Problem."""
    if served.settings.open311_reading == "open" and not request.query.get("api_key"):
        return ANYBODY
    return client(request.app[SERVICES], request.query)


def jurisdiction(fields: Mapping[str, str]) -> Profile:
    """The system a jurisdiction_id names; raises Problem."""
    given = fields.get("jurisdiction_id", "")
    if not given:
        said = f"is missing; one of {', '.join(profiles())}"
        raise Problem(Kind.INVALID_FIELDS, errors=[FieldError("jurisdiction_id", said)])
    found = profiles().get(given)
    if found is None:
        raise Problem(Kind.NOT_FOUND, f"jurisdiction_id: not known; there are {', '.join(profiles())}")
    return found
