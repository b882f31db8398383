"""Settings of signed tokens: whose they are, where the issuer's keys are, what its roles are called."""

from typing import Annotated

from msgspec import Meta, Struct


class OidcSettings(Struct, frozen=True, kw_only=True):
    """Signed tokens are taken where the issuer is set; then the audience and the keys are needed too."""

    oidc_issuer: str = ""
    """The `iss` of its tokens, to the letter."""
    oidc_audience: str = ""
    """What must be among the `aud` of a token."""
    oidc_keys: str = ""
    """The issuer's public keys, a JWK set (RFC 7517): the path of a file, or an https address."""
    oidc_refresh: Annotated[float, Meta(ge=60, le=86_400)] = 300.0
    """Seconds after which the keys are read anew; the last good ones stay while they cannot be."""
    oidc_leeway: Annotated[float, Meta(ge=0, le=120)] = 30.0
    """Seconds by which the issuer's clock and ours may differ."""
    oidc_role_claim: str = "role"
    """The claim that names the role, or roles of which one is known here; dots lead inwards: `realm_access.roles`."""
    oidc_roles: str = ""
    """The issuer's own names of roles, `name=role` separated by commas, beside those of `signed/claims.py`."""
