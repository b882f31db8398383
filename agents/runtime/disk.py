"""The store of states on disk: partitions are opened when they come and closed when they go."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec
from faust.types.tuples import TP

from agents.positions import offsets
from agents.runtime.changelogs import RETRY_S
from agents.runtime.exits import Exit, fatal
from agents.runtime.producers import client_config
from agents.runtime.rocks import Folder, Log, Part, Source
from agents.runtime.stopping import aside
from agents.runtime.store import Store
from agents.settings import Settings

DAY_MS = 24 * 3_600_000
"""For how long Kafka keeps deletions in a compacted topic where nothing else is set."""
Ask = Callable[[str, set[int]], dict[int, Log]]


class DiskStore(Store):
    """`Store` over a RocksDB for each partition; of what outlives the process only the tail is read again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder: Folder = self.options["folder"]
        self._ask: Ask = self.options["ask"]
        self._disk: dict[int, Part] = {}
        self._taking_over = threading.Lock()

    def part(self, partition: int) -> Part:  # type: ignore[override]  # what lanes ask of a dict
        return self._disk.setdefault(partition, Part(self._folder.of(self.table.name, partition), self._folder))

    def standing(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        return self.part(partition).items()

    def adopt(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]], last: int | None) -> None:
        with fatal(Exit.UNKNOWN_FAULT, "%s: changes cannot be kept", self.table.changelog_topic_name):
            if last is not None:  # else nothing changed
                self.part(partition).adopt(changes, last)

    async def _take_over(self, mine: set[int]) -> None:
        await aside(lambda: self._open(mine))

    def _open(self, mine: set[int]) -> None:
        # after the fencing: nothing is added to the changelog any more, so its end is the end
        with self._taking_over:
            for gone in set(self._disk) - mine:
                self._disk.pop(gone).close()
            new = {partition for partition in mine if not self.part(partition).opened}
            if not new:
                return
            with fatal(Exit.UNAVAILABLE, "%s: Kafka does not tell where it ends", self.table.changelog_topic_name):
                found = self._ask(self.table.changelog_topic_name, new)
            for partition, log in found.items():
                self.part(partition).open(log)

    def _restore(self, partition: int, latest: dict[bytes, bytes | None], last: int) -> None:
        self.part(partition).restore(latest, last)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        with fatal(Exit.UNKNOWN_FAULT, "%s: its states cannot be kept", self.table.changelog_topic_name):
            for partition in self._mine:
                self.part(partition).caught_up()
        await super().on_recovery_completed(active_tps, standby_tps)

    def _reached(self, partition: int) -> int:
        return self.part(partition).offset

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: an offset is written with the changes it is of."""

    def close(self) -> None:
        with self._taking_over:
            while self._disk:
                self._disk.popitem()[1].close()

    def __getitem__(self, key: bytes) -> bytes:
        for part in self._disk.values():
            if (state := part.get(key)) is not None:
                return state
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return any(key in part for part in self._disk.values())

    def __len__(self) -> int:
        return sum(map(len, list(self._disk.values())))

    def __iter__(self) -> Iterator[bytes]:
        return (key for part in self._disk.values() for key, _ in part.items())

    def _clear(self) -> None:
        """Keep everything: what is on disk is the log's."""


def logs(settings: Settings, topic: str, partitions: set[int]) -> dict[int, Log]:
    """Ask Kafka which log a changelog is, and where it ends; raises KafkaException, TimeoutError.

    Asked again for `start_timeout`: partitions come to us when brokers or workers go, and leaders may be moving then.
    """
    deadline = time.monotonic() + settings.start_timeout
    while True:
        try:
            return _logs(settings, topic, partitions)
        except (KafkaException, TimeoutError):
            if time.monotonic() > deadline:
                raise
        time.sleep(RETRY_S)


def _logs(settings: Settings, topic: str, partitions: set[int]) -> dict[int, Log]:
    timeout, asked_at = settings.start_timeout / 3, time.time_ns() // 1_000_000
    admin = AdminClient({**client_config(settings), "socket.connection.setup.timeout.ms": 5000})
    cluster = admin.list_topics(timeout=timeout).cluster_id
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout)[topic].result(timeout)
    ends = offsets(admin, [(topic, each) for each in partitions], OffsetSpec.latest(), timeout)
    kept = _keeps_deletions_ms(admin, topic, timeout)
    return {
        partition: Log(Source(cluster, topic, str(described.topic_id or ""), partition), end, kept, asked_at)
        for (_, partition), end in ends.items()
    }


def _keeps_deletions_ms(admin: AdminClient, topic: str, timeout: float) -> int:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        return int(admin.describe_configs([resource])[resource].result(timeout)["delete.retention.ms"].value)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
        return DAY_MS  # a worker needs no right to see it
