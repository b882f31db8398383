"""The exporter's process: looks at Kafka and at the read model every few seconds, and shows what it saw."""

import asyncio
import contextlib
import logging
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final

from confluent_kafka import KafkaException
from kafka.errors import KafkaError
from msgspec import Meta
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.app import ROLES, consumed
from agents.clock import ClockNotSetError, clock_of
from agents.exporter import helpline, kafka
from agents.readmodel.reader import Reader
from agents.runtime.exits import Exit
from agents.runtime.http import Endpoints
from agents.settings import Settings
from agents.telemetry import catalogue as c
from agents.telemetry.exposition import exposed
from agents.telemetry.families import Snapshot, gauge, gauges, histograms, registry
from agents.telemetry.metric import Metric
from agents.webhooks.letters import group_of
from agents.webhooks.subscriptions import subscriptions

ANSWER_S: Final = 10.0
AWAY: Final = (KafkaError, KafkaException, RedisError, OSError, TimeoutError, ClockNotSetError)

log = logging.getLogger("nivaran.exporter")


class ExporterSettings(Settings, frozen=True, kw_only=True):
    """Settings of the exporter."""

    exporter_interval: Annotated[float, Meta(ge=0.2, le=300)] = 5.0
    """Seconds between two looks; an objective in seconds is watched no finer than this."""
    webhooks: str = ""
    """TOML file of the subscriptions: their groups are then shown as those of the workers are."""


def groups_of(settings: ExporterSettings) -> dict[str, tuple[str, ...]]:
    """The consumer groups of this deployment, and the topics each shall read; raises SettingsError."""
    workers = {f"{settings.group_prefix}-{role}": consumed(role) for role in ROLES}
    called = subscriptions(settings.webhooks) if settings.webhooks else ()
    return workers | {group_of(settings.group_prefix, each.name): each.topics for each in called}


class Exporter:
    """Two sources, each looked at on its own: one that is away does not hide the other. Raises SettingsError."""

    def __init__(self, settings: ExporterSettings) -> None:
        self._settings, self._clock = settings, clock_of(settings)
        self._groups = groups_of(settings)
        self._shown = Snapshot()
        self._up, self._looked, self._took = (
            gauges(c.EXPORTER_UP),
            gauges(c.EXPORTER_LOOKED),
            histograms(c.EXPORTER_LOOK),
        )
        self._disk = gauge(c.DISK_FREE)
        self._registry = registry(self._shown, self._up, self._looked, self._took, self._disk)
        self._kafka: kafka.KafkaLook | None = None
        self._stop = asyncio.Event()
        self._seen: set[str] = set()

    async def run(self) -> Exit:
        """Serve until SIGTERM or Ctrl-C. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what went wrong is in the exception
        endpoints = Endpoints(self._exposition, self._waiting_for, self._state)
        port = await endpoints.start(self._settings.http_host, self._settings.http_port)
        print(f"exporter listens on http://{self._settings.http_host}:{port}", flush=True)
        self._clock.start()
        redis = Redis.from_url(self._settings.redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)
        try:
            await asyncio.gather(
                self._watch("kafka", kafka.METRICS, lambda: asyncio.to_thread(self._look_at_kafka)),
                self._watch("redis", helpline.METRICS,
                            lambda: helpline.look(Reader(redis), self._shown, self._clock.now())),
            )  # fmt: skip
        finally:
            await redis.aclose()
            await asyncio.to_thread(self._let_kafka_go)
            await asyncio.to_thread(self._clock.stop)
            await endpoints.stop()
        return Exit.CLEAN

    async def _watch(self, source: str, metrics: Iterable[Metric], look: Callable[[], Any]) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                await look()
            except AWAY as error:
                self._lost(source, metrics, error)
            else:
                self._up.labels(source).set(1)
                self._looked.labels(source).set(time.time())
                self._took.labels(source).observe(time.perf_counter() - began)
                self._seen.add(source)
            rest = self._settings.exporter_interval - (time.perf_counter() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.05, rest))

    def _lost(self, source: str, metrics: Iterable[Metric], error: BaseException) -> None:
        if source in self._seen:
            log.warning("%s does not answer (%s): nothing is shown of it until it does", source, type(error).__name__)
        self._seen.discard(source)
        self._up.labels(source).set(0)
        self._shown.forget(metrics)

    def _look_at_kafka(self) -> None:
        try:
            if self._kafka is None:
                self._kafka = kafka.KafkaLook(self._settings, self._groups)
            self._kafka.look(self._shown, self._clock.now())
        except ClockNotSetError:
            raise
        except BaseException:
            self._let_kafka_go()
            raise

    def _let_kafka_go(self) -> None:
        gone, self._kafka = self._kafka, None
        if gone is not None:
            with contextlib.suppress(KafkaError, OSError):
                gone.close()

    def _exposition(self, accept: str | None) -> tuple[bytes, str]:
        folder = Path(self._settings.data_dir).resolve()
        while not folder.exists():
            folder = folder.parent
        usage = shutil.disk_usage(folder)
        self._disk.set(usage.free / usage.total)
        return exposed(self._registry, accept)

    def _waiting_for(self) -> str:
        return ", ".join(sorted({"kafka", "redis"} - self._seen))

    def _state(self) -> dict[str, Any]:
        return {"role": "exporter", "ready": not self._waiting_for(), "sees": sorted(self._seen)}
