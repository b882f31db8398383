"""Changelogs before a worker takes states from them: made with their settings, refused when states are missing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from agents.positions import committed, offsets, onlooker
from agents.runtime.exits import Exit, NotReadyError
from agents.runtime.producers import client_config
from agents.settings import Settings

T = TypeVar("T")
RETRY_S = 0.2
SEEN_S = 0.05
"""A broker hears of a new topic some milliseconds after it has been made, a busy one some hundred."""
COMING = frozenset({
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
})  # fmt: skip
CHANGELOG = {
    "cleanup.policy": "compact",
    # recovery reads the whole changelog: compacted early, it stays near one record per state
    "min.cleanable.dirty.ratio": "0.3",
    "segment.ms": "3600000",
}


@dataclass(frozen=True, slots=True)
class Changelog:
    """Where a stage keeps its states; as many partitions as the topic it reads."""

    name: str
    reads: str
    partitions: int


def when_there(ask: Callable[[], T], timeout: float) -> T:
    """Ask the coordinator of a group, again while the one of a cluster's first group is still being made."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in COMING or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def prepare(
    admin: AdminClient, settings: Settings, group: str, wanted: Sequence[Changelog], found: Mapping[str, int]
) -> None:
    """Make the changelogs that are missing, where none can have been lost; raises NotReadyError, KafkaException.

    `found`: topic -> its partitions. To start from an empty or a cut changelog would be to forget states in silence.
    """
    for changelog in wanted:
        if changelog.name in found:
            _check_kept(admin, changelog, settings.start_timeout)
            _check_whole(admin, changelog, settings.start_timeout)
        else:
            _check_new(admin, settings, changelog, group)
    _make([each for each in wanted if each.name not in found], admin, settings)


def _check_kept(admin: AdminClient, changelog: Changelog, timeout: float) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, changelog.name)
    try:
        policy = admin.describe_configs([resource])[resource].result(timeout)["cleanup.policy"].value
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
        return  # a worker needs no right to see it
    if policy != CHANGELOG["cleanup.policy"]:
        raise NotReadyError(
            Exit.NOT_SET_UP,
            f"states would be lost: changelog {changelog.name} has cleanup.policy={policy} and must have compact",
        )


def _check_whole(admin: AdminClient, changelog: Changelog, timeout: float) -> None:
    # compaction leaves the log's start where it is; only retention and deletion move it
    places = [(changelog.name, each) for each in range(changelog.partitions)]
    first = offsets(admin, places, OffsetSpec.earliest(), timeout)
    gone = {partition: offset for (_, partition), offset in sorted(first.items()) if offset > 0}
    if gone:
        raise NotReadyError(
            Exit.NOT_SET_UP,
            f"states are missing: changelog {changelog.name} has been cut at its beginning (first offset by partition: "
            f"{gone}). Bring it back from a copy, or fold all input again under another NIVARAN_GROUP_PREFIX",
        )


def _folded(settings: Settings, changelog: Changelog, group: str) -> list[int]:
    """Partitions of which the group has folded records."""
    timeout, partitions = settings.start_timeout, range(changelog.partitions)
    asking = onlooker(client_config(settings), group)
    try:
        positions = when_there(lambda: committed(asking, changelog.reads, partitions, timeout), timeout)
    finally:
        asking.close()
    return sorted(partition for partition, offset in positions.items() if offset > 0)


def _check_new(admin: AdminClient, settings: Settings, changelog: Changelog, group: str) -> None:
    folded = _folded(settings, changelog, group)
    # looked for after the group's positions: another worker may have made it and begun meanwhile
    if folded and changelog.name not in admin.list_topics(timeout=settings.start_timeout).topics:
        raise NotReadyError(
            Exit.NOT_SET_UP,
            f"states are missing: there is no changelog {changelog.name}, but group {group} has folded records of "
            f"{changelog.reads}, partitions {folded}. Bring it back from a copy, or fold all input again under another "
            "NIVARAN_GROUP_PREFIX",
        )


def _make(missing: Sequence[Changelog], admin: AdminClient, settings: Settings) -> None:
    """Raises KafkaException, and TimeoutError when they cannot be seen: who joins then is given nothing to fold on."""
    if not missing:
        return
    new = [NewTopic(each.name, each.partitions, settings.replication, config=CHANGELOG) for each in missing]
    for future in admin.create_topics(new, operation_timeout=settings.start_timeout).values():
        try:
            future.result(settings.start_timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    deadline = time.monotonic() + settings.start_timeout
    while not all(_seen(admin, each, settings.start_timeout) for each in missing):
        if time.monotonic() > deadline:
            raise TimeoutError(f"changelogs are made and cannot be seen: {[each.name for each in missing]}")
        time.sleep(SEEN_S)


def _seen(admin: AdminClient, changelog: Changelog, timeout: float) -> bool:
    found = admin.list_topics(changelog.name, timeout=timeout).topics[changelog.name].partitions
    return len(found) == changelog.partitions and all(each.leader >= 0 for each in found.values())
