"""Signed tokens of the tests: an issuer with keys of its own, and claims to change."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from agents.gateway.signed.keys import KeySet
from agents.gateway.signed.settings import OidcSettings
from agents.gateway.signed.tokens import SignedTokens

ISSUER, AUDIENCE = "https://issuer.example/realms/state", "nivaran"
SETTINGS = OidcSettings(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys="keys.json")
PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}
WRITERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def public(*names: str) -> bytes:
    """A JWK set of these keys; the id of a key is the name of its algorithm."""
    keys = [{**json.loads(WRITERS[name].to_jwk(PRIVATE[name].public_key())), "kid": name} for name in names]
    return json.dumps({"keys": keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Those of an officer; None takes a claim away."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "f3c1", "iat": now, "exp": now + 600, "role": "officer"}
    role = changes.get("role", "officer")
    usual |= {"officer": "o-77"} if role == "officer" else {}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(algorithm: str = "EdDSA", kid: str | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), PRIVATE[algorithm], algorithm=algorithm, headers={"kid": kid or algorithm})


class Issuer:
    """Where the keys are read: can be away, and counts how often it is asked."""

    def __init__(self, *names: str) -> None:
        self.raw, self.up, self.asked, self.now = public(*names), True, 0, 1000.0

    async def read(self) -> bytes:
        self.asked += 1
        if not self.up:
            raise OSError("away")
        return self.raw

    def keys(self) -> KeySet:
        return KeySet(self.read, 300.0, lambda: self.now)

    def tokens(self, settings: OidcSettings = SETTINGS) -> SignedTokens:
        return SignedTokens(settings, self.keys())
