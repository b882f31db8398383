"""From the claims of a checked token to a caller: its role by a table, its scope held against the profiles."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from agents.gateway.auth import ROLES, ApiRole, Caller, seeing_roles, seen_in
from agents.gateway.problems import Kind, Problem
from agents.settings import SettingsError
from schemas.base import Slug
from schemas.officers import OfficeId, OfficerId
from streams.officers.place import located
from streams.profiles.load import departments, profiles

ROLE_NAMES: Final[Mapping[str, ApiRole]] = MappingProxyType(
    {
        "agent": "call-centre",
        "dm": "district-administrator",
        "cm-office": "state-administrator",
        **{role: cast("ApiRole", role) for role in ROLES},
    }
)
"""What an issuer may call a role, beside NIVARAN_OIDC_ROLES."""
SCOPES: Final[Mapping[ApiRole, frozenset[str]]] = MappingProxyType(
    {
        "citizen-channel": frozenset({"systems"}),
        "citizen": frozenset({"systems"}),
        "call-centre": frozenset({"systems", "officer", "sees"}),
        "officer": frozenset({"systems", "districts", "department", "office", "officer", "sees"}),
        "sms-gateway": frozenset[str](),
        "district-administrator": frozenset({"systems", "districts", "sees"}),
        "department-head": frozenset({"systems", "districts", "department", "sees"}),
        "state-administrator": frozenset({"systems", "sees"}),
        "support": frozenset({"systems", "districts", "department"}),
    }
)
"""Which claims narrow (or, `sees`, widen) a role. One that a role cannot keep is refused, never ignored."""
NEEDED: Final[Mapping[ApiRole, frozenset[str]]] = MappingProxyType(
    {
        "officer": frozenset({"officer"}),
        "district-administrator": frozenset({"districts"}),
        "department-head": frozenset({"department"}),
    }
)
"""Without these such a role would reach further than its holder."""


class Scope(Struct, frozen=True, omit_defaults=True):
    """The claims that say where a role holds."""

    systems: tuple[Slug, ...] | None = None
    districts: tuple[int, ...] | None = None
    """LGD codes."""
    department: Slug | None = None
    office: OfficeId | None = None
    officer: OfficerId | None = None
    sees: tuple[Slug, ...] = ()


def refused(why: str) -> Problem:
    """The answer to a token that cannot be taken; `why` holds nothing of it."""
    return Problem(Kind.UNAUTHENTICATED, why, invalid_token=True)


def role_names(text: str, name: str) -> Mapping[str, ApiRole]:
    """The table of names with the issuer's own, `name=role` separated by commas; raises SettingsError."""
    found = dict(ROLE_NAMES)
    for pair in filter(None, (each.strip() for each in text.split(","))):
        theirs, _, ours = (each.strip() for each in pair.partition("="))
        if ours not in ROLES or not theirs:
            raise SettingsError(f"{name}: `name=role` separated by commas; roles: {', '.join(ROLES)}")
        found[theirs] = cast("ApiRole", ours)
    return found


def caller_of(claims: Mapping[str, Any], claim: str, names: Mapping[str, ApiRole]) -> Caller:
    """Whom the claims of a checked token name; raises Problem UNAUTHENTICATED naming the claim that is wrong."""
    role = _role(claims, claim, names)
    try:
        scope = msgspec.convert({name: claims[name] for name in Scope.__struct_fields__ if name in claims}, Scope)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$.")
        raise refused(f"the claim {path.rstrip('`') or 'of the scope'} cannot be taken: {said}") from None
    given = frozenset(msgspec.to_builtins(scope))
    if unfit := given - SCOPES[role]:
        raise refused(f"the claim {min(unfit)} is not for the role {role}")
    if lacking := NEEDED.get(role, frozenset()) - given:
        raise refused(f"the claim {min(lacking)} is missing, which the role {role} needs")
    for name in _unknown(scope):
        raise refused(f"the claim {name} names something that no system here has")
    who = hashlib.sha256(f"{claims['iss']}\x00{claims['sub']}".encode()).hexdigest()
    return Caller(
        role,
        who[:16],
        _set(scope.districts),
        seen_in(role, frozenset(scope.sees)),
        _set(scope.systems),
        scope.department,
        scope.office,
        scope.officer,
        float(claims["exp"]),
    )


def _set(given: tuple[Any, ...] | None) -> frozenset[Any] | None:
    return None if given is None else frozenset(given)


def _role(claims: Mapping[str, Any], claim: str, names: Mapping[str, ApiRole]) -> ApiRole:
    found: Any = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    told = found if isinstance(found, list) else [found]
    known = {names[each] for each in told if isinstance(each, str) and each in names}
    if len(known) != 1:
        many = "more than one of the roles" if known else "none of the roles"
        raise refused(f"the claim {claim} names {many} known here")
    return known.pop()


def _unknown(scope: Scope) -> Iterator[str]:
    """Claims with a value that no profile has: a mistyped one would be a scope in which there is nothing."""
    districts = {code for each in profiles().values() for code in each.districts}
    knows: Mapping[str, Callable[[], bool]] = {
        "systems": lambda: scope.systems is None or (bool(scope.systems) and set(scope.systems) <= profiles().keys()),
        "districts": lambda: scope.districts is None or (bool(scope.districts) and set(scope.districts) <= districts),
        "department": lambda: scope.department in {None, *departments()},
        "office": lambda: scope.office is None or any(located(each, scope.office) for each in profiles()),
        "sees": lambda: set(scope.sees) <= seeing_roles(),
    }
    return (name for name, fits in knows.items() if not fits())
