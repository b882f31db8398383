"""Senders that sign instead of bearing a token: Standard Webhooks over the raw body, two secrets while one changes."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from agents.gateway.auth import ACTORS, PAIRED, SUBMITTERS, ApiRole, Caller
from agents.gateway.channels.common import MOST_SECRETS
from agents.gateway.problems import Kind, Problem
from agents.settings import SettingsError
from agents.webhooks.signing import SecretError, Signer
from streams.ids import digest

NAME: Final = "NIVARAN_CLOUDEVENTS_SECRETS"
TOLERANCE_S: Final = 300
"""How far a signature's instant may be from now, either way; a default of ours, as the convention leaves it open."""
ROLES: Final = sorted((SUBMITTERS | ACTORS) & frozenset(PAIRED))


class Sender(NamedTuple):
    """Who signs with these secrets, and as what he is taken."""

    role: ApiRole
    signer: Signer


class Senders:
    """The senders that are set, by name."""

    def __init__(self, senders: Mapping[str, Sender]) -> None:
        self._senders = dict(senders)

    def caller(self, name: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Caller:
        """Who signed this body; raises Problem. An unknown name and a wrong signature are answered alike."""
        sender = self._senders.get(name)
        identity, told, given = (headers.get(f"webhook-{each}", "") for each in ("id", "timestamp", "signature"))
        if not told.isascii() or not told.isdecimal() or abs(now_s - int(told[:12])) > TOLERANCE_S:
            raise Problem(
                Kind.UNAUTHENTICATED, f"webhook-timestamp must be seconds since 1970, within {TOLERANCE_S} s of now"
            )
        if sender is None or not identity or not sender.signer.signed(identity, told, body, given):
            raise Problem(Kind.UNAUTHENTICATED, "webhook-signature is not of this body and a secret that is known")
        return Caller(sender.role, digest("webhook", name))


def senders(text: str) -> Senders:
    """Those of `name/role:whsec_...`, comma separated, one or two secrets for each name; raises SettingsError."""
    secrets: defaultdict[str, list[str]] = defaultdict(list)
    roles: dict[str, str] = {}
    for each in filter(None, map(str.strip, text.split(","))):
        who, _, secret = each.partition(":")
        name, _, role = who.partition("/")
        if not name or role not in ROLES or roles.setdefault(name, role) != role:
            raise SettingsError(f"{NAME}: must be name/role:whsec_..., one role for each name, of {', '.join(ROLES)}")
        secrets[name].append(secret)
    if crowded := [name for name, found in secrets.items() if len(found) > MOST_SECRETS]:
        raise SettingsError(f"{NAME}: {crowded[0]} has more than {MOST_SECRETS} secrets")
    try:
        return Senders({name: Sender(cast("ApiRole", roles[name]), Signer(found)) for name, found in secrets.items()})
    except SecretError as error:
        raise SettingsError(f"{NAME}: {error}") from None
