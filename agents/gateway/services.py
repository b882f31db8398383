"""What the handlers work with, put together in one place."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from agents.clock import Clock
from agents.contact import Contacts, key_bytes
from agents.gateway.auth import Tokens, tokens
from agents.gateway.board import Board
from agents.gateway.feed import Feed
from agents.gateway.limits import Buckets
from agents.gateway.log import Log
from agents.gateway.metrics import Metrics
from agents.gateway.records import Identity
from agents.gateway.remembering import IdempotencyKeys, Redislike
from agents.gateway.settings import GatewaySettings
from agents.gateway.signed.tokens import SignedTokens
from agents.telemetry.spans import Spans, spans_of

REDIS_CONNECTIONS: Final = 64
PENDING_MARGIN_SECONDS: Final = 10
HOUR_SECONDS: Final = 3600


@dataclass(slots=True)
class Services:
    """Ports and settings of one gateway."""

    settings: GatewaySettings
    clock: Clock
    log: Log
    redis: Redislike
    keys: IdempotencyKeys
    buckets: Buckets
    board: Board
    feed: Feed
    tokens: Tokens
    identity: Identity
    metrics: Metrics
    signed: SignedTokens | None = None
    """None: only tokens of the operator's list are known."""
    spans: Spans | None = None
    stopping: bool = False


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


def identity(settings: GatewaySettings) -> Identity:
    """The secrets; raises KeyFormatError naming the variable."""
    contacts = Contacts.from_text(settings.contact_key, settings.contact_key_previous)
    return Identity(key_bytes(settings.citizen_key, "NIVARAN_CITIZEN_KEY"), contacts)


def connect(url: str, timeout: float) -> "Redis":
    """Redis that answers within `timeout` seconds or counts as away: intake must not wait for it."""
    return Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        max_connections=REDIS_CONNECTIONS,
        retry=Retry(NoBackoff(), 1),
    )


def assemble(
    settings: GatewaySettings,
    *,
    log: Log,
    redis: "Redis",
    board: Board,
    clock: Clock,
    signed: SignedTokens | None = None,
) -> Services:
    """The services over these ports."""
    metrics = Metrics()
    guarded = Redislike(redis, metrics.redis_was_away)
    who = identity(settings)
    keys = IdempotencyKeys(
        guarded,
        who.citizen_key,
        pending_seconds=int(settings.delivery_timeout) + PENDING_MARGIN_SECONDS,
        kept_seconds=settings.idempotency_hours * HOUR_SECONDS,
    )
    return Services(
        settings=settings,
        clock=clock,
        log=log,
        redis=guarded,
        keys=keys,
        buckets=Buckets(guarded, rate=settings.rate, burst=settings.burst),
        board=board,
        feed=Feed(board),
        tokens=tokens(settings, needed=signed is None),
        identity=who,
        metrics=metrics,
        signed=signed,
        spans=spans_of(settings, "nivaran-gateway"),
    )
