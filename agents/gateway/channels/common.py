"""What channels of their own convention share: keys in turn, allowed sources, plain answers, how a case stands."""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Any, Final, cast, get_args

from aiohttp import web

from agents.gateway.problems import Problem
from agents.gateway.services import Services
from agents.gateway.unavailable import AWAY, away
from agents.settings import SettingsError
from schemas.base import Channel
from streams.dialogue import pull, said
from streams.dialogue.standing import Standing, Status
from streams.profiles.load import profiles
from streams.profiles.profile import Profile

SHORTEST_SECRET: Final = 16
MOST_SECRETS: Final = 2
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def secrets_of(text: str, name: str) -> tuple[bytes, ...]:
    """One secret, or two of which the sender may use either while it changes them; raises SettingsError."""
    found = [each.strip() for each in text.split(",") if each.strip()]
    if not 1 <= len(found) <= MOST_SECRETS or any(len(each) < SHORTEST_SECRET for each in found):
        raise SettingsError(
            f"{name}: one secret or two, comma separated, each of at least {SHORTEST_SECRET} characters"
        )
    return tuple(each.encode() for each in found)


def known(given: str, secrets: Sequence[bytes]) -> bool:
    """Whether it is one of them. All are compared, as hashes, so that the time tells nothing."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    return sum(hmac.compare_digest(hashlib.sha256(each).digest(), digest) for each in secrets) > 0


def networks_of(text: str, name: str) -> tuple[Network, ...]:
    """Addresses and networks, comma separated; raises SettingsError."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


def within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in each for each in networks)


def system_of(system: str, channel: Channel, name: str) -> Profile:
    """The system a channel submits to; raises SettingsError where there is none, or it does not take the channel."""
    profile = profiles().get(system)
    if profile is None:
        raise SettingsError(f"{name}: must be one of {', '.join(sorted(profiles()))}")
    if profile.channels is not None and channel not in profile.channels:
        raise SettingsError(f"{name}: {system} takes {', '.join(sorted(profile.channels))}, not {channel}")
    return profile


def plainly(problem: Problem) -> web.Response:
    """A problem for senders that read no JSON: a line that says it, and a line for each bad parameter."""
    lines = [problem.detail, *(f"{error.field}: {error.detail}" for error in problem.errors)]
    return web.Response(status=problem.kind.status, text="\n".join(lines) + "\n", headers=problem.headers)


def complaint(
    profile: Profile, channel: Channel, asked: pull.Lodge | said.Lodge, mobile: str, at: int
) -> dict[str, Any]:
    """The body of a complaint as the API takes it; `at`: when it was written, UTC ms."""
    return {
        "system": profile.system,
        "type": "complaint",
        "channel": channel,
        "category": asked.category,
        "place": {"district": asked.district},
        "text": asked.text,
        "mobile": mobile,
        "language": asked.language,
        "occurred_at": at,
    }


async def standing(services: Services, case: str) -> Standing | None:
    """How a case stands, as far as any citizen may know it; None: nobody knows the number. Raises Problem."""
    try:
        found: dict[str, Any] | None = await services.board.case(case)
    except AWAY as error:
        raise away(error) from None
    if found is None:
        accepted = await services.keys.accepted(case)
        return None if accepted is None else Standing(case, "accepted")
    status = found["status"]
    assert status in get_args(Status), status
    return Standing(
        case=case,
        status=cast("Status", status),
        level=found.get("level", 0),
        due_at=found.get("due_at"),
        original=found.get("duplicate_of", ""),
        restricted=bool(found.get("visible_to")),
    )
