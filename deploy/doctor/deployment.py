"""Checks of the deployment: settings, secrets, profiles, SMS templates, Kafka and its topics, Redis."""

import os
from collections.abc import Iterator
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from agents.contact import KeyFormatError, key_bytes
from agents.gateway.channels.table import routes_of_channels
from agents.gateway.signed.settings import OidcSettings
from agents.gateway.signed.tokens import signed_tokens
from agents.kafka_admin import ClusterError, connected, specs
from agents.settings import PREFIX, Settings, SettingsError, load
from agents.webhooks.process import WebhookSettings, guard_of
from agents.webhooks.subscriptions import subscribers
from deploy.doctor.finding import Finding, State
from streams.profiles.load import departments, profiles
from streams.profiles.profile import ProfileError
from streams.profiles.texts import placeholder
from streams.sla.rankings import rankings

KEYS: Final = {"CITIZEN_KEY": "gateway, load", "CONTACT_KEY": "gateway, load, worker sms"}
TOKENS: Final = ("API_TOKENS", "API_TOKENS_FILE")
REDIS_TIMEOUT_S: Final = 2.0


def deployment() -> Iterator[Finding]:
    """Check what the workers and the gateway need."""
    yield from _profiles()
    yield from _secrets()
    yield from _channels()
    try:
        settings = load(Settings)
    except SettingsError as error:
        yield Finding("settings", "fail", str(error), "Set it right; agents/settings.py says what each one means.")
        return
    yield _clock(settings)
    yield from _kafka(settings)
    yield _redis(settings)


def _profiles() -> Iterator[Finding]:
    try:
        found = profiles()
        rankings()
    except ProfileError as error:
        yield Finding(
            "profiles", "fail", str(error), "Mend the file; no process starts with a profile that is not valid."
        )
        return
    yield Finding("profiles", "ok", ", ".join(each.version for each in found.values()))
    for each in found.values():
        waiting = sum(placeholder(template.id) for template in each.templates.values())
        if waiting:
            todo = "Put the template ids registered for the operator into sms.toml: operators drop a text without one."
            yield Finding(
                "sms templates",
                "warn",
                f"{each.system}: {waiting} of {len(each.templates)} have a placeholder id"
                + (", the entity too" if each.dlt is not None and placeholder(each.dlt.entity) else ""),
                todo,
            )


def _secrets() -> Iterator[Finding]:
    for name, who in KEYS.items():
        yield _key(PREFIX + name, who)
    if any(os.environ.get(PREFIX + name) for name in TOKENS):
        yield Finding(PREFIX + TOKENS[0], "ok", "set")
    else:
        todo = f"Needed by the gateway: {PREFIX}{TOKENS[0]} or {PREFIX}{TOKENS[1]}, as `role:token` pairs."
        yield Finding(PREFIX + TOKENS[0], "warn", "not set", todo)


def _channels() -> Iterator[Finding]:
    """What is served beside the API under these settings, who signs in, and who is called."""
    try:
        paths = sorted({route.path for route in routes_of_channels()})
        issuer = signed_tokens(load(OidcSettings))
    except SettingsError as error:
        yield Finding("channels", "fail", str(error), "No gateway starts so; docs/channels has a page for each.")
        return
    told = ", ".join(paths) or "none beside the API"
    yield Finding("channels", "ok", told + (", signed tokens" if issuer is not None else ""))
    if os.environ.get(f"{PREFIX}WEBHOOKS"):
        try:
            settings = load(WebhookSettings)
            names = ", ".join(each.subscription.name for each in subscribers(settings.webhooks, guard_of(settings)))
        except SettingsError as error:
            yield Finding("webhooks", "fail", str(error), "`nivaran webhooks check` reads the same; see its page.")
            return
        yield Finding("webhooks", "ok", names)


def _key(name: str, who: str) -> Finding:
    text = os.environ.get(name, "")
    if not text:
        todo = f"Needed by: {who}. Make one with `openssl rand -base64 32 | tr '+/' '-_'`; keep it as long as the data."
        return Finding(name, "warn", "not set", todo)
    try:
        key_bytes(text, name)
    except KeyFormatError as error:
        return Finding(name, "fail", "set, and not a key", str(error))
    return Finding(name, "ok", "set")


def _clock(settings: Settings) -> Finding:
    if settings.clock == "wall":
        return Finding("clock", "ok", "the machine's")
    return Finding("clock", "warn", "simulated", "For demonstrations and replays only: unset NIVARAN_CLOCK elsewhere.")


def _kafka(settings: Settings) -> Iterator[Finding]:
    wanted = specs(
        departments(),
        partitions=settings.partitions,
        replication=settings.replication,
        expire=settings.clock == "wall",
    )
    try:
        with connected(settings.kafka) as admin:
            yield Finding("kafka", "ok", f"{admin.version()}, {admin.brokers()} broker(s) at {settings.kafka}")
            outcomes = admin.verify(wanted)
    except ClusterError as fault:
        yield Finding(
            "kafka", _away("KAFKA"), str(fault), "`nivaran local up` starts one here; set NIVARAN_KAFKA to it."
        )
        return
    wrong = [each for each in outcomes if not each.good]
    if wrong:
        first = f"{wrong[0].name}: {'; '.join(wrong[0].differences)}"
        todo = "`nivaran topics verify` lists them, `nivaran topics apply` creates and sets them."
        yield Finding("topics", "fail", f"{len(wrong)} of {len(outcomes)} are not as they shall be ({first})", todo)
    else:
        yield Finding("topics", "ok", f"{len(outcomes)} as the registry says")


def _redis(settings: Settings) -> Finding:
    try:
        with Redis.from_url(
            settings.redis_url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            decode_responses=True,
        ) as client:
            told = client.info("server")
    except RedisError as error:
        todo = "`nivaran local up` starts one here; set NIVARAN_REDIS_URL to it."
        return Finding("redis", _away("REDIS_URL"), f"does not answer: {str(error)[:200]}", todo)
    return Finding("redis", "ok", f"answers, speaks Redis {told.get('redis_version', '?')}")


def _away(setting: str) -> State:
    """What somebody named and is away is a fault; what nobody named yet is only not there."""
    return "fail" if os.environ.get(PREFIX + setting) else "warn"
