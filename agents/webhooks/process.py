"""The process `nivaran webhooks run`: a feed per subscription, endpoints, and an end that loses nothing."""

import asyncio
import logging
import signal
from typing import Annotated, Any, Final

from confluent_kafka import KafkaException
from msgspec import Meta

from agents.kafka_admin import ClusterError, connected
from agents.runtime.exits import Exit
from agents.runtime.http import Endpoints
from agents.settings import Settings
from agents.telemetry.exposition import exposed
from agents.webhooks.calling import Caller, Pace
from agents.webhooks.feed import Feed
from agents.webhooks.guard import Guard, networks
from agents.webhooks.letters import KafkaLetters
from agents.webhooks.meters import Meters
from agents.webhooks.subscriptions import Subscriber
from schemas.topics import WEBHOOK_UNDELIVERED

log: Final = logging.getLogger("nivaran.webhooks")


class WebhookSettings(Settings, frozen=True, kw_only=True):
    """Settings of the process that calls subscribers."""

    webhooks: str
    """TOML file of the subscriptions."""
    webhook_plain_http: bool = False
    """`true` allows http:// beside https://: signed still, but read by everybody on the way."""
    webhook_networks: str = ""
    """Networks that are not public and may be called all the same, e.g. `10.20.0.0/16`; separated by commas."""
    webhook_first_pause: Annotated[float, Meta(gt=0, le=3600)] = 5.0
    """Seconds after the first vain call; doubles with each."""
    webhook_longest_pause: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    """Seconds; the pauses grow no further."""


def guard_of(settings: WebhookSettings) -> Guard:
    """Raises SettingsError."""
    return Guard(networks(settings.webhook_networks), plain_http=settings.webhook_plain_http)


async def serve(settings: WebhookSettings, found: tuple[Subscriber, ...]) -> Exit:
    """Call subscribers until SIGTERM or Ctrl-C. Raises OSError when the port is taken."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await asyncio.to_thread(_require_topics, settings, found)
    except ClusterError as error:
        log.critical("cannot start: %s", error)
        return Exit.UNAVAILABLE
    meters, caller = Meters(), Caller(guard_of(settings))
    letters = KafkaLetters(settings)
    pace = Pace(settings.webhook_first_pause, settings.webhook_longest_pause)
    feeds = {each.subscription.name: Feed(each, settings, caller, letters, meters, pace, stop) for each in found}
    for each in found:
        meters.begin(each.subscription)

    def waiting() -> str:
        return ", ".join(sorted(name for name, feed in feeds.items() if not feed.ready and not feed.gone))

    def state() -> dict[str, Any]:
        return {"role": "webhooks", "ready": not waiting(), "subscriptions": sorted(feeds)}

    endpoints = Endpoints(lambda accept: exposed(meters.registry, accept), waiting, state)
    port = await endpoints.start(settings.http_host, settings.http_port)
    print(f"webhooks: endpoints http://{settings.http_host}:{port}", flush=True)
    code = Exit.CLEAN
    try:
        async with asyncio.TaskGroup() as group:
            for feed in feeds.values():
                group.create_task(feed.run())
    except* (KafkaException, TimeoutError) as faults:
        # what was delivered and not committed is called again under the same id: better than to guess
        log.critical("leaving: %s", faults.exceptions[0])
        code = Exit.NOT_DURABLE
    finally:
        await caller.close()
        await letters.close()
        await endpoints.stop()
    return code


def _require_topics(settings: Settings, found: tuple[Subscriber, ...]) -> None:
    wanted = {WEBHOOK_UNDELIVERED, *(topic for each in found for topic in each.subscription.topics)}
    with connected(settings.kafka) as admin:
        if missing := sorted(wanted - admin.found(wanted).keys()):
            raise ClusterError(f"no topic {missing[0]}: `nivaran topics apply` creates it")
