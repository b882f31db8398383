"""How far a consumer group has come, asked without joining it, and where partitions begin and end."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

MOVED: Final = frozenset({
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
})  # fmt: skip
"""Answers that another broker would not give, or this one soon."""
MOVED_S: Final = 0.2
Place = tuple[str, int]
"""Topic and partition."""


def onlooker(config: Mapping[str, Any], group: str) -> Consumer:
    """Make a client that may ask for the positions of `group`; it joins nothing and commits nothing.

    A consumer, because the admin client's own question (`list_consumer_group_offsets`, librdkafka 2.16) ends the
    process with a segmentation fault when the group's coordinator has just moved or is still being made.
    """
    return Consumer({**config, "group.id": group, "enable.auto.commit": False})


def committed(asking: Consumer, topic: str, partitions: Iterable[int], timeout: float) -> dict[int, int]:
    """Return the next offset the group will read of each partition it has committed; raises KafkaException.

    Waits up to `timeout` seconds for a coordinator that is still being made, or has just moved to another broker.
    """
    places, deadline = [TopicPartition(topic, partition) for partition in partitions], time.monotonic() + timeout
    while True:
        try:
            found = asking.committed(places, max(MOVED_S, deadline - time.monotonic()))
        except KafkaException as error:
            if error.args[0].code() not in MOVED or time.monotonic() > deadline:
                raise
            time.sleep(MOVED_S)  # the client asks meanwhile who it is now
        else:
            return {place.partition: place.offset for place in found if place.offset >= 0}


def offsets(
    admin: AdminClient,
    places: Iterable[Place],
    which: OffsetSpec,
    timeout: float,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[Place, int]:
    """Return the offset that `which` names of each partition; raises KafkaException, TimeoutError.

    After that the client has asked anew who leads: else it would repeat a question that a new leader's epoch has made
    wrong.
    """
    asked = {TopicPartition(*place): which for place in places}
    answered = admin.list_offsets(asked, isolation_level=isolation, request_timeout=timeout)
    try:
        return {(place.topic, place.partition): future.result(timeout).offset for place, future in answered.items()}
    except (KafkaException, TimeoutError):
        with suppress(KafkaException):
            admin.list_topics(timeout=timeout)
        raise
