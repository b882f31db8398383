"""Signed tokens (JWT, RFC 7519): signature, issuer, audience and times are checked, then the claims are read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import jwt
from jwt import exceptions as e

from agents.gateway.auth import ApiRole, Caller, Tokens
from agents.gateway.problems import Problem
from agents.gateway.signed.claims import caller_of, refused, role_names
from agents.gateway.signed.keys import ALGORITHMS, KeySet, reading_of
from agents.gateway.signed.settings import OidcSettings
from agents.settings import SettingsError

REQUIRED: Final = ("iss", "aud", "sub", "iat", "exp")
DOTS: Final = 2
SAID: Final[Mapping[type[Exception], str]] = MappingProxyType(
    {
        e.ExpiredSignatureError: "the token has expired",
        e.ImmatureSignatureError: "the token is not valid yet: nbf or iat lies ahead",
        e.InvalidIssuedAtError: "the claim iat is no instant",
        e.InvalidAudienceError: "the token is for another audience",
        e.InvalidIssuerError: "the token is from another issuer",
        e.InvalidSubjectError: "the claim sub is no text",
        e.InvalidSignatureError: "the signature is not that of the issuer's key",
        e.InvalidAlgorithmError: "the token is signed in another way than its key is for",
    }
)
"""What a caller is told, by PyJWT's own errors: their messages repeat what the token holds."""


class SignedTokens:
    """Tokens of one issuer."""

    def __init__(self, settings: OidcSettings, keys: KeySet) -> None:
        self._settings, self.keys = settings, keys
        self._names: Mapping[str, ApiRole] = role_names(settings.oidc_roles, "NIVARAN_OIDC_ROLES")

    async def caller(self, token: str) -> Caller:
        """Raises Problem UNAUTHENTICATED saying what is wrong, UNAVAILABLE while the issuer's keys cannot be had."""
        try:
            header = jwt.get_unverified_header(token)
        except e.PyJWTError:
            raise refused("the token cannot be read") from None
        if header.get("alg") not in ALGORITHMS:
            raise refused(f"the token must be signed by {', '.join(ALGORITHMS)}")
        kid = header.get("kid")
        key = await self.keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise refused("the token is signed with a key that its issuer does not publish")
        return caller_of(self._claims(token, key), self._settings.oidc_role_claim, self._names)

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._settings.oidc_audience,
                issuer=self._settings.oidc_issuer,
                leeway=self._settings.oidc_leeway,
                options={"require": list(REQUIRED)},
            )
        except e.MissingRequiredClaimError as error:
            raise refused(f"the claim {error.claim} is missing") from None
        except e.PyJWTError as error:
            raise refused(SAID.get(type(error), "the token cannot be taken")) from None


def signed_tokens(settings: OidcSettings) -> SignedTokens | None:
    """None where no issuer is set; raises SettingsError where its audience or keys are missing."""
    if not settings.oidc_issuer:
        if settings.oidc_keys or settings.oidc_audience:
            raise SettingsError("NIVARAN_OIDC_ISSUER is not set")
        return None
    for name, value in (("AUDIENCE", settings.oidc_audience), ("KEYS", settings.oidc_keys)):
        if not value:
            raise SettingsError(f"NIVARAN_OIDC_{name} is not set")
    return SignedTokens(settings, KeySet(reading_of(settings.oidc_keys, "NIVARAN_OIDC_KEYS"), settings.oidc_refresh))


async def known_caller(tokens: Tokens, signed: SignedTokens | None, authorization: str | None) -> Caller:
    """Who calls: by a token of the operator's list, else by a signed one; raises Problem."""
    try:
        return tokens.caller(authorization)
    except Problem:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if signed is None or scheme.lower() != "bearer" or token.count(".") != DOTS:
            raise
    return await signed.caller(token)
