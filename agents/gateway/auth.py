"""Who may call what: bearer tokens, the role of each, and what each role may do."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, cast, get_args

from agents.gateway.problems import Kind, Problem
from agents.gateway.settings import GatewaySettings
from agents.settings import SettingsError
from schemas.base import Role
from streams.profiles.load import profiles

ApiRole = Literal[
    "citizen-channel", "call-centre", "officer", "sms-gateway", "district-administrator", "state-administrator",
    "citizen", "department-head", "support",
]  # fmt: skip
ROLES: Final = get_args(ApiRole)
SIGNED_ONLY: Final = frozenset[ApiRole]({"citizen", "department-head"})
"""Roles of persons: only a signed token (agents/gateway/signed) names them, never a `role:token` pair."""
PAIRED: Final = tuple(role for role in ROLES if role not in SIGNED_ONLY)
SHORTEST_TOKEN: Final = 16

OVERSEERS: Final = frozenset[ApiRole]({"district-administrator", "department-head", "state-administrator", "support"})
ALL_READERS: Final = OVERSEERS | frozenset[ApiRole]({"citizen-channel", "citizen", "call-centre", "officer"})
SUBMITTERS: Final = frozenset[ApiRole]({"citizen-channel", "call-centre"})
FEED_READERS: Final = OVERSEERS | frozenset[ApiRole]({"call-centre", "officer"})
RECEIPT_WRITERS: Final = frozenset[ApiRole]({"sms-gateway"})
BOARD_READERS: Final = OVERSEERS
ADMINISTRATORS: Final = frozenset[ApiRole]({"district-administrator", "state-administrator"})
STATUS_ONLY: Final = frozenset[ApiRole]({"citizen"})
"""Of any case they are told how it stands, no more: the number is all that ties them to it."""
SEES_NOTHING_RESTRICTED: Final = frozenset[ApiRole]({"citizen", "support"})
SCOPED: Final = frozenset[ApiRole]({"district-administrator"})
"""Roles whose tokens name the districts they are for: `district-administrator@159:token`, several joined by `+`.

Any role may name further roles in which it sees cases of restricted classes: `officer/police+women-child:token`.
"""
ACTORS: Final = frozenset[ApiRole]({"call-centre", "officer"})
MAY_ACT: Final[Mapping[str, frozenset[ApiRole]]] = MappingProxyType(
    {
        "view": frozenset({"officer"}),
        "add-note": frozenset({"officer", "call-centre"}),
        "give-pendency-reason": frozenset({"officer"}),
        "transfer": frozenset({"officer", "call-centre"}),
        "dispose": frozenset({"officer"}),
        "call-unreachable": frozenset({"call-centre"}),
        "confirm-satisfied": frozenset({"call-centre"}),
        "report-dissatisfied": frozenset({"call-centre"}),
        "reopen": frozenset({"call-centre"}),
        "mark": frozenset({"officer"}),
        "propose-close": frozenset({"officer"}),
        "decide-close": frozenset({"officer"}),
        "tell-citizen": frozenset({"officer", "call-centre"}),
        "force-close": frozenset({"officer"}),
        "send-up": frozenset({"officer"}),
        "send-back": frozenset({"officer"}),
        "grade": frozenset({"officer"}),
    }
)
SPEAKS_AS: Final[Mapping[ApiRole, frozenset[Role]]] = MappingProxyType(
    {
        "citizen-channel": frozenset({"citizen"}),
        "call-centre": frozenset({"call-centre"}),
        "officer": frozenset({"officer", "delegate"}),
        "sms-gateway": frozenset({"system"}),
        "district-administrator": frozenset({"officer"}),
        "state-administrator": frozenset({"officer"}),
        "citizen": frozenset({"citizen"}),
        "department-head": frozenset(),
        "support": frozenset(),
    }
)


class Grant(NamedTuple):
    """What a token gives: a role, the districts it is for (None: any), and roles in which restricted cases are seen."""

    role: ApiRole
    districts: frozenset[int] | None = None
    sees: frozenset[str] = frozenset()


class Caller(NamedTuple):
    """A known token: what it gives, where it holds (None: anywhere), and a digest that stands for it in limits."""

    role: ApiRole
    digest: str
    districts: frozenset[int] | None = None
    sees: frozenset[str] = frozenset()
    systems: frozenset[str] | None = None
    department: str | None = None
    office: str | None = None
    """The office an officer acts for; None: the body says it."""
    officer: str | None = None
    """Who acts; None: the body says it."""
    expires_at: float | None = None
    """Seconds since the epoch; None: a token of the operator's list, which holds until it is taken off."""

    def may_see(self, visible_to: Iterable[str]) -> bool:
        """Whether it may see what only some roles may; what no role is named for, all may."""
        roles = frozenset(visible_to)
        return not roles or not roles.isdisjoint(self.sees)

    def covers(self, system: str, district: int, department: str) -> bool:
        """Whether what happens there lies within its scope."""
        return (
            (self.systems is None or system in self.systems)
            and (self.districts is None or district in self.districts)
            and self.department in {None, department}
        )


class Tokens:
    """The known tokens, kept as hashes and compared in constant time."""

    def __init__(self, pairs: Mapping[str, Grant]) -> None:
        self._known = [(hashlib.sha256(token.encode()).digest(), grant) for token, grant in pairs.items()]

    def caller(self, authorization: str | None) -> Caller:
        """Raises Problem UNAUTHENTICATED. Every known token is compared, so that the time tells nothing."""
        scheme, _, token = (authorization or "").partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        found = [grant for known, grant in self._known if hmac.compare_digest(known, given)]
        if scheme.lower() != "bearer" or not found:
            raise Problem(Kind.UNAUTHENTICATED, invalid_token=scheme.lower() == "bearer")
        return Caller(found[0].role, given.hex()[:16], found[0].districts, found[0].sees)


def allow(caller: Caller, roles: frozenset[ApiRole]) -> None:
    """Raises Problem FORBIDDEN."""
    if caller.role not in roles:
        raise Problem(Kind.FORBIDDEN, f"the role {caller.role} may not; {', '.join(sorted(roles))} may")


def allow_district(caller: Caller, district: int) -> None:
    """Raises Problem FORBIDDEN where the token is for other districts."""
    if caller.districts is not None and district not in caller.districts:
        raise Problem(Kind.FORBIDDEN, "the token is for other districts")


def allow_system(caller: Caller, system: str) -> None:
    """Raises Problem FORBIDDEN where the token is for other systems."""
    if caller.systems is not None and system not in caller.systems:
        raise Problem(Kind.FORBIDDEN, "the token is for other systems")


def tokens(settings: GatewaySettings, *, needed: bool = True) -> Tokens:
    """Those of NIVARAN_API_TOKENS, or of the file NIVARAN_API_TOKENS_FILE.

    Raises SettingsError; also without a token, where one is `needed` because no signed ones are taken.
    """
    text, name = settings.api_tokens, "NIVARAN_API_TOKENS"
    if not text and settings.api_tokens_file:
        name = "NIVARAN_API_TOKENS_FILE"
        try:
            text = Path(settings.api_tokens_file).read_text("utf-8")
        except OSError as error:
            raise SettingsError(f"{name}: {error.strerror}") from None
    lines = [line.strip() for line in text.replace(",", "\n").splitlines()]
    pairs = dict(_pair(line, name) for line in lines if line and not line.startswith("#"))
    if not pairs and needed:
        raise SettingsError(f"{name}: no token; needs `role:token` pairs, roles: {', '.join(PAIRED)}")
    return Tokens(pairs)


def _pair(line: str, name: str) -> tuple[str, Grant]:
    who, _, token = line.partition(":")
    who, at, codes = who.partition("@")
    role, _, named = who.partition("/")
    if role not in PAIRED:
        raise SettingsError(f"{name}: a line begins with no known role; roles: {', '.join(PAIRED)}")
    if len(token) < SHORTEST_TOKEN:
        raise SettingsError(f"{name}: a token of role {role} is shorter than {SHORTEST_TOKEN} characters")
    if (role in SCOPED) != bool(at):
        need = "needs its districts" if role in SCOPED else "is for no district"
        raise SettingsError(f"{name}: the role {role} {need}: district-administrator@159:token, several joined by +")
    if at and not all(code.isascii() and code.isdecimal() for code in codes.split("+")):
        raise SettingsError(f"{name}: the districts of a {role} are LGD codes joined by +")
    districts = frozenset(map(int, codes.split("+"))) if at else None
    known = cast("ApiRole", role)
    if named and known in SEES_NOTHING_RESTRICTED:
        raise SettingsError(f"{name}: the role {role} sees no restricted cases: no role after a slash")
    return token, Grant(known, districts, seen_in(known, _sees(named, name)))


def seen_in(role: ApiRole, named: frozenset[str]) -> frozenset[str]:
    """The roles in which a token sees restricted cases: its own and those it names."""
    return frozenset() if role in SEES_NOTHING_RESTRICTED else frozenset({role}) | named


def seeing_roles() -> frozenset[str]:
    """The roles that some system lets see cases of a restricted class."""
    return frozenset(role for each in profiles().values() for rule in each.restricted.values() for role in rule.roles)


def _sees(named: str, name: str) -> frozenset[str]:
    """The roles after the slash, in which a token sees cases of restricted classes."""
    known = seeing_roles()
    roles = frozenset(named.split("+")) if named else frozenset()
    if unknown := roles - known:
        raise SettingsError(
            f"{name}: no system lets a role {min(unknown)!r} see restricted cases; there are {', '.join(sorted(known))}"
        )
    return roles
