"""Settings of the gateway, beside those every process has."""

from typing import Annotated

from msgspec import Meta

from agents.settings import Settings


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """No secret has a default: a gateway without its keys does not start."""

    citizen_key: str
    """base64url of 32 bytes: secret of the hash that stands for a citizen; another one makes everybody a stranger."""
    contact_key: str
    """base64url of 32 bytes: seals contact details."""
    contact_key_previous: str = ""
    """The key before the last rotation; it only opens."""
    api_tokens: str = ""
    """`role:token` pairs, separated by commas or lines; the roles are those of agents/gateway/auth.py."""
    api_tokens_file: str = ""
    """A file with such pairs, a line each; used where `api_tokens` is not set."""
    delivery_timeout: Annotated[float, Meta(ge=1, le=60)] = 8.0
    """How long a request waits for Kafka's acknowledgement before it is answered 503."""
    redis_timeout: Annotated[float, Meta(gt=0, le=60)] = 0.5
    """How long Redis may take before intake goes on without it."""
    max_body: Annotated[int, Meta(ge=1024, le=1_000_000)] = 65_536
    """Largest request body, bytes."""
    rate: Annotated[float, Meta(ge=0)] = 100.0
    """Requests a second of one source (API token and address), long-run; 0 for no limit."""
    burst: Annotated[int, Meta(ge=1)] = 400
    """Requests a source may make at once before the rate holds."""
    idempotency_hours: Annotated[int, Meta(ge=1, le=24 * 30)] = 48
    """How long an Idempotency-Key's answer is kept; a later retry still gets the same case id."""
    trusted_proxies: Annotated[int, Meta(ge=0, le=8)] = 0
    """Proxies in front that append to X-Forwarded-For; the address before them counts as the source."""
    shutdown_timeout: Annotated[float, Meta(ge=1)] = 20.0
    """How long requests in hand may still take after SIGTERM."""
