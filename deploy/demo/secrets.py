"""Keys and tokens of one demonstration: drawn at its start, known to its processes alone."""

import base64
import os
import secrets
from typing import NamedTuple

from agents.contact import Contacts, key_bytes
from agents.gateway.records import Identity

TOKEN_BYTES = 24


class Secrets(NamedTuple):
    """Base64url keys, and a bearer token per role of the API."""

    citizen_key: str
    contact_key: str
    tokens: dict[str, str]

    @property
    def environ(self) -> dict[str, str]:
        """For the processes."""
        return {
            "NIVARAN_CITIZEN_KEY": self.citizen_key,
            "NIVARAN_CONTACT_KEY": self.contact_key,
            "NIVARAN_API_TOKENS": ",".join(f"{role}:{token}" for role, token in self.tokens.items()),
            "NIVARAN_RECEIPTS_TOKEN": self.tokens["sms-gateway"],
        }

    @property
    def identity(self) -> Identity:
        """For what is loaded past the gateway: the same citizen has the same token on both ways."""
        return Identity(key_bytes(self.citizen_key, "NIVARAN_CITIZEN_KEY"), Contacts.from_text(self.contact_key))


def drawn() -> Secrets:
    """New ones."""
    roles = ("citizen-channel", "call-centre", "officer", "sms-gateway", "district-administrator@159")
    return Secrets(_key(), _key(), {role: secrets.token_urlsafe(TOKEN_BYTES) for role in roles})


def _key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
