"""An issuer of signed tokens for a demonstration and for tests: a file with two keys, the newest of which signs."""

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWK
from jwt.algorithms import OKPAlgorithm
from msgspec import Meta, Struct

ALGORITHM: Final = "EdDSA"
KEPT: Final = 2
"""The key that signs and the one before it: what was signed before a rotation holds until it expires."""
ONLY_OWNER: Final = 0o600
OTHERS: Final = 0o077
KID_BYTES: Final = 8


class IssuerError(RuntimeError):
    """The file of keys cannot be used; the message names it and says why."""


class IssuerFile(Struct, frozen=True):
    """What stands in the file: private keys as JWK (RFC 7517, 8037), the newest first."""

    keys: Annotated[tuple[dict[str, str], ...], Meta(min_length=1, max_length=KEPT)]


def opened(path: Path) -> IssuerFile:
    """The keys of a file that only its owner can read; raises IssuerError."""
    try:
        if path.stat().st_mode & OTHERS:
            raise IssuerError(f"{path}: others may read it; chmod 600, and rotate")
        return msgspec.json.decode(path.read_bytes(), type=IssuerFile)
    except OSError as error:
        raise IssuerError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError:
        raise IssuerError(f"{path}: no file of keys of this command") from None


def rotated(path: Path) -> IssuerFile:
    """Put a new key first and drop the oldest beyond two; makes the file where there is none; raises IssuerError."""
    held = opened(path).keys if path.exists() else ()
    made = IssuerFile((_new_key(), *held)[:KEPT])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # made 0600 from its first byte, and put in place whole
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(made))
        Path(name).chmod(ONLY_OWNER)
        Path(name).replace(path)
    except OSError as error:
        raise IssuerError(f"{path}: {error.strerror}") from None
    return made


def public_keys(held: IssuerFile) -> dict[str, Any]:
    """The JWK set to publish: no private part."""
    return {"keys": [{name: value for name, value in key.items() if name != "d"} for key in held.keys]}


def signed(held: IssuerFile, claims: Mapping[str, Any]) -> str:
    """A token with these claims, signed by the newest key."""
    newest = held.keys[0]
    return jwt.encode(dict(claims), PyJWK(newest).key, algorithm=ALGORITHM, headers={"kid": newest["kid"]})


def _new_key() -> dict[str, str]:
    made = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    parts = {name: made[name] for name in ("kty", "crv", "x", "d")}
    return {**parts, "alg": ALGORITHM, "use": "sig", "kid": secrets.token_hex(KID_BYTES)}
