"""Who is called with what: the file of subscriptions, typed and checked."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from agents.settings import PREFIX, SettingsError, load
from agents.webhooks.guard import Guard
from agents.webhooks.signing import SecretError, Signer
from schemas.base import Slug
from schemas.registry import DEPARTMENT_FEED, declared, department_feed
from schemas.topics import ESCALATION_RAISED
from streams.profiles.load import departments, profiles

READER: Final = "webhooks"
SecretName = Annotated[
    str,
    Meta(pattern=r"\ANIVARAN_WEBHOOK_SECRET_[A-Z0-9_]{1,40}\Z", description="NIVARAN_WEBHOOK_SECRET_ and a name"),
]


class Subscription(Struct, frozen=True, forbid_unknown_fields=True):
    """One subscriber: an address, what it is called with, and how long it is tried."""

    name: Slug
    url: str
    secrets: Annotated[tuple[SecretName, ...], Meta(min_length=1, max_length=2)]
    """Variables that hold its secrets; two while one is being replaced: every call is signed with both."""
    topics: Annotated[tuple[str, ...], Meta(min_length=1)] = (ESCALATION_RAISED,)
    types: tuple[str, ...] = ()
    """Record types; empty: all of the topics."""
    systems: tuple[str, ...] = ()
    """Empty: all."""
    departments: tuple[str, ...] = ()
    """Empty: all."""
    roles: tuple[str, ...] = ()
    """Roles in which it sees cases of restricted classes; empty: it sees none of them."""
    begin: Literal["now", "beginning"] = "now"
    """Where it begins when it is new: with what comes, or with the oldest record that is kept."""
    parallel: Annotated[int, Meta(ge=1, le=32)] = 4
    """Calls at a time; those of one partition, hence of one case, never overlap."""
    timeout: Annotated[float, Meta(gt=0, le=30)] = 10.0
    """Seconds in which it must answer."""
    give_up_hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    """How long a record is tried before it is put aside."""
    refusals: Annotated[int, Meta(ge=1, le=100)] = 5
    """How often an endpoint may say that it will not have this very record before it is put aside."""
    revision: Annotated[int, Meta(ge=1)] = 1
    """Raise it to call an endpoint again that had answered 410."""


class Subscriber(Struct, frozen=True):
    """A subscription that can be served: with its signer."""

    subscription: Subscription
    signer: Signer


def subscribers(path: str, guard: Guard, environ: Mapping[str, str] | None = None) -> tuple[Subscriber, ...]:
    """Read the file and the secrets it names; raises SettingsError that names the file, the subscription, the field."""
    found = subscriptions(path)
    for each in found:
        for field, fault in _faults(each, guard):
            raise SettingsError(f"{path}: {each.name}.{field}: {fault}")
    return tuple(Subscriber(each, _signer(path, each, environ)) for each in found)


def subscriptions(path: str) -> tuple[Subscription, ...]:
    """Read the file alone, neither its secrets nor whether its addresses may be called; raises SettingsError."""
    try:
        raw = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"NIVARAN_WEBHOOKS: {path}: {error}") from None
    if not raw:
        raise SettingsError(f"NIVARAN_WEBHOOKS: {path}: has no subscription")
    return tuple(_subscription(path, name, entry) for name, entry in raw.items())


def _subscription(path: str, name: str, entry: Any) -> Subscription:
    if not isinstance(entry, dict):
        raise SettingsError(f"{path}: {name}: must be a table, [{name}]")
    try:
        return msgspec.convert({**entry, "name": name}, Subscription)
    except msgspec.ValidationError as error:
        what, _, field = str(error).partition(" - at `$.")
        raise SettingsError(f"{path}: {name}{'.' if field else ''}{field.rstrip('`')}: {what}") from None


def offered() -> frozenset[str]:
    """Topics that may be subscribed to: their records say themselves who may see them, or speak of no case."""
    named = {name for name, topic in declared().items() if READER in topic.readers and topic.owner != READER}
    return frozenset(named - {DEPARTMENT_FEED}) | {department_feed(each) for each in departments()}


def _faults(each: Subscription, guard: Guard) -> Iterator[tuple[str, str]]:
    if fault := guard.fault(each.url):
        yield "url", fault
    roles = {role for profile in profiles().values() for rule in profile.restricted.values() for role in rule.roles}
    feed = DEPARTMENT_FEED.partition("{")[0]
    types = {value for topic in each.topics for value in _values(topic, feed)}
    for field, told, known in (
        ("topics", each.topics, offered()),
        ("types", each.types, types),
        ("systems", each.systems, profiles()),
        ("departments", each.departments, departments()),
        ("roles", each.roles, roles),
    ):
        for value in told:
            if value not in known:
                yield field, f"{value!r} is not known; there are {_listed(known)}"


def _values(topic: str, feed: str) -> tuple[str, ...]:
    entry = declared().get(DEPARTMENT_FEED if topic.startswith(feed) else topic)
    return () if entry is None else entry.values


def _listed(known: Iterable[str]) -> str:
    return ", ".join(sorted(known)) or "none"


def _signer(path: str, each: Subscription, environ: Mapping[str, str] | None) -> Signer:
    """The secrets are settings like all others, named by the file; no message shows one."""
    kind = msgspec.defstruct("Secrets", [(name.removeprefix(PREFIX).lower(), str) for name in each.secrets])
    try:
        return Signer(msgspec.structs.astuple(load(kind, environ)))
    except (SettingsError, SecretError) as error:
        raise SettingsError(f"{path}: {each.name}.secrets: {error}") from None
