"""The Faust application of a worker: membership, assignment, recovery; what it fetches it hands to lanes and queues."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import faust
import faust.stores
import mode
from faust.transport import drivers

from agents.runtime.exits import Exit, must_end
from agents.runtime.metrics import Metrics
from agents.runtime.recovery import SafeTableManager
from agents.runtime.store import Owner, Store
from agents.settings import Settings

log = logging.getLogger("nivaran.runtime")
TRANSPORT = "slices"
STORE = "states"
DISK = "disk"
COMMIT_S = 5.0
DRAIN_SHARE = 0.9
drivers.TRANSPORTS.aliases[TRANSPORT] = "agents.runtime.transport:Transport"
faust.stores.STORES.aliases[STORE] = "agents.runtime.store:Store"
faust.stores.STORES.aliases[DISK] = "agents.runtime.disk:DiskStore"


class SliceSchema(faust.Schema):  # type: ignore[misc]  # faust ships no types
    """A slice is what the agent wants already; nothing may fail before the agent sees it."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - Faust's signature
            return app.create_event(None, message.value, None, message)

        return decode


class Rebalances(faust.Sensor):  # type: ignore[misc]  # faust ships no types
    """Counts and times rebalances."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def on_rebalance_start(self, app: Any) -> dict[str, float]:  # noqa: ARG002 - Faust's signature
        self._metrics.rebalances.inc()
        self._metrics.ready.set(0)
        return {"began": time.perf_counter()}

    def on_rebalance_end(self, app: Any, state: dict[str, float]) -> None:
        took = time.perf_counter() - state["began"]
        self._metrics.rebalance.observe(took)
        self._metrics.ready.set(1)
        assigned = [tp for tp in app.consumer.assignment() if tp.topic not in app.tables.changelog_topics]
        log.info("ready: generation %s, %s partitions, after %.2f s", app.consumer_generation_id, len(assigned), took)


class Engine(faust.App):  # type: ignore[misc]  # faust ships no types
    """One Faust app per worker role.

    `drain` finishes what is in hand; `slices` gives the slice size of topics that differ from `slice_records`.
    """

    def __init__(
        self,
        group: str,
        settings: Settings,
        metrics: Metrics,
        *,
        drain: Callable[[], Coroutine[Any, Any, None]],
        slices: Mapping[str, int],
    ) -> None:
        super().__init__(group, **options(settings))
        self.most_in_flight = settings.in_flight
        self.fetch_wait_ms, self.fetch_least_bytes = settings.fetch_wait_ms, settings.fetch_least_bytes
        self._drain, self._slices, self._slice_records = drain, slices, settings.slice_records
        self._drain_limit = settings.session_timeout * DRAIN_SHARE
        self.sensors.add(Rebalances(metrics))
        self.on_before_shutdown.connect(self._give_back_at_stop)

    async def on_first_start(self) -> None:
        """Do nothing: the parent makes folders, and nothing here writes files."""

    def slice_size(self, topic: str) -> int:
        """Return how many records of `topic` make one message at most."""
        return self._slices.get(topic, self._slice_records)

    async def finish(self) -> None:
        """Finish what is in hand; nothing more is taken from these assignments.

        Ends the process when that takes as long as the group waits for a member: an open transaction is aborted by
        the next owner's fencing.
        """
        limit = self._drain_limit
        await must_end(self._drain(), limit, Exit.NOT_DRAINED, "work in hand did not end in %.1f s", limit)

    async def give_back(self) -> None:
        """Finish what is in hand, then commit what sinks and senders have acknowledged."""
        await self.finish()
        try:
            await asyncio.wait_for(self.consumer.commit(), COMMIT_S)
        except TimeoutError:
            log.warning("acknowledged slices not committed in %s s: they will be taken again", COMMIT_S)

    def read(self, topics: tuple[str, ...], name: str, submit: Callable[[Any], None], *, acks: bool) -> None:
        """Hand every slice of `topics` to `submit`; with `acks` Faust commits what is acknowledged."""
        channel = self.topic(*topics, schema=SliceSchema(), acks=acks)

        async def hand_over(stream: Any) -> None:
            async for event in stream.events():
                submit(event)

        self.agent(channel, name=name)(hand_over)

    def states(self, stage: str, partitions: int, owner: Owner, on_disk: Mapping[str, Any]) -> tuple[Store, str]:
        """Declare the table of a stage; answer its store and the name of its changelog.

        `on_disk` is what `DiskStore` needs; without it states are in memory.
        """
        table = self.Table(
            stage,
            # a URL without a host is falsy, and Faust would take its default store
            store=f"{DISK}://rocksdb" if on_disk else f"{STORE}://memory",
            options={"owner": owner, **on_disk},
            partitions=partitions,
            schema=SliceSchema(),
            recovery_buffer_size=4,  # slices; 1 would switch on the behaviour of global tables
        )
        store: Store = table.data
        return store, str(table.changelog_topic_name)

    async def _give_back_at_stop(self, *_: Any, **__: Any) -> None:
        await self.give_back()


def options(settings: Settings) -> dict[str, Any]:
    """Return Faust's settings for ours."""
    brokers = ";".join(f"{TRANSPORT}://{address}" for address in settings.kafka.split(","))
    return {
        "broker": brokers,
        "TableManager": SafeTableManager,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "topic_disable_leader": True,
        "topic_allow_declare": False,  # `changelogs.py` makes them
        "table_standby_replicas": 0,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance or None,
        "consumer_max_fetch_size": settings.fetch_bytes,
        "broker_max_poll_records": settings.transaction_records,
        "broker_session_timeout": settings.session_timeout,
        "broker_heartbeat_interval": settings.heartbeat,
        "broker_rebalance_timeout": max(15.0, settings.session_timeout + 5),
        "broker_request_timeout": max(30.0, settings.session_timeout + 5),
        "broker_commit_interval": 1.0,
        "stream_wait_empty": False,  # lanes and queues are drained by `give_back`, in bounded time
        "agent_supervisor": mode.CrashingSupervisor,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }
