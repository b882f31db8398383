"""Mobile Seva, C-DAC's SMS gateway (MSDG): its request form, and what each of its answers means of the message.

Form and codes: "Mobile Seva Integration Document" 1.8 (21 December 2020) and services.mgov.gov.in/RegisterPushService;
docs/channels/sms-gateways.md says which part is stated and which inferred.
"""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from agents.sms import form_gateway
from agents.sms.gateway import Answer, Message
from schemas.sms import Refusal

ACCEPTED: Final = re.compile(rb"\s*402\s*,\s*MsgID\s*=\s*([0-9A-Za-z_.-]{1,64})\s*", re.ASCII)
REFUSED: Final = re.compile(rb"\s*(?:ERROR\s*:\s*)?(4[0-9]{2})\b", re.ASCII)
MEANS: Final[Mapping[str, tuple[Refusal, str]]] = MappingProxyType(
    {
        "401": ("refused", "credentials"),
        "402": ("accepted", "no-message-id"),
        # no money in the account: filled up, it goes on, so it is worth another try
        "403": ("unavailable", "no-credits"),
        # the gateway's own fault, before or after it stored the message: nobody can say
        "404": ("unknown", "database"),
        "405": ("unavailable", "network-or-address"),
        "406": ("refused", "bad-number"),
        "407": ("unavailable", "network-to-operator"),
        "408": ("unavailable", "network-to-operator"),
        # "SMSC response timed out, message will be submitted"
        "409": ("accepted", "operator-timed-out"),
        "410": ("unavailable", "internal-limit"),
        "411": ("refused", "sender-not-approved"),
        "412": ("refused", "sender-not-approved"),
        "413": ("refused", "suspected-spam"),
        "414": ("refused", "operator-rejected"),
        "415": ("refused", "no-secure-key"),
        "416": ("refused", "key-mismatch"),
        "417": ("refused", "too-many-numbers"),
        "418": ("unavailable", "daily-limit"),
        "422": ("refused", "bad-entity"),
        "423": ("refused", "bad-template"),
        "425": ("refused", "no-secure-key"),
    }
)
"""Code -> what it means of the message, and a word for it."""


class MobileSevaSettings(Struct, frozen=True, kw_only=True):
    """The department's account at Mobile Seva; no secret has a default."""

    sms_username: Annotated[str, Meta(min_length=1)]
    sms_password: Annotated[str, Meta(min_length=1)]
    """As it is typed at the portal; only its hash is sent."""
    sms_secure_key: Annotated[str, Meta(min_length=1)]
    """The department's key, generated at the services portal."""
    sms_hash: Literal["sha1", "md5"] = "sha1"
    """How the account's password is hashed: `md5` in document 1.8, `sha1` in most public integrations."""


class Form(form_gateway.Form, frozen=True):
    """The fields of one request, in the form's own names."""

    username: str
    password: str
    senderid: str
    content: str
    smsservicetype: Literal["singlemsg", "unicodemsg"]
    key: str
    templateid: str
    mobileno: str = ""
    bulkmobno: str = ""
    entityid: str = ""


def form(message: Message, account: MobileSevaSettings) -> Form:
    """A message as the form has it: plain ASCII as `singlemsg`, any other text as `unicodemsg`, in entities."""
    text = message.text.strip()
    plain = text.isascii()
    content = text if plain else entities(text)
    sender = message.header.partition("-")[0]  # the suffix is the operators', not part of the registered name
    return Form(
        username=account.sms_username,
        password=hashed(account.sms_password, account.sms_hash),
        senderid=sender,
        content=content,
        smsservicetype="singlemsg" if plain else "unicodemsg",
        key=key(account.sms_username, sender, content, account.sms_secure_key),
        templateid=message.template,
        mobileno=message.to if plain else "",
        bulkmobno="" if plain else message.to,
        entityid=message.entity,
    )


def entities(text: str) -> str:
    """`&#2358;&#2367;`: a decimal entity for each UTF-16 unit, ASCII too, as the document's sample makes them."""
    units = text.encode("utf-16-be")
    return "".join(f"&#{int.from_bytes(units[at : at + 2])};" for at in range(0, len(units), 2))


def hashed(password: str, kind: Literal["sha1", "md5"]) -> str:
    """The password as it is sent, lower-case hex."""
    return hashlib.new(kind, password.strip().encode(), usedforsecurity=False).hexdigest()


def key(username: str, senderid: str, content: str, secure_key: str) -> str:
    """SHA-512 over the four, each trimmed, in lower-case hex; of a Unicode text the entities are hashed."""
    joined = "".join(part.strip() for part in (username, senderid, content, secure_key))
    return hashlib.sha512(joined.encode()).hexdigest()


def read(body: bytes) -> Answer:
    """What a reply with status 200 says; one that is not of the published form leaves it unknown."""
    if (taken := ACCEPTED.match(body)) is not None:
        return Answer("accepted", ref=taken[1].decode())
    if (told := REFUSED.match(body)) is None:
        return Answer("unknown", "unreadable")
    code = told[1].decode()
    outcome, word = MEANS.get(code, ("unknown", "unlisted"))
    return Answer(outcome, f"mobile-seva-{code}-{word}")
