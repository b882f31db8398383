"""How far a consumer group has come, asked without joining it, and where partitions begin and end."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

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

    Waits up to `timeout` seconds for a coordinator that is still being made.
    """
    places = [TopicPartition(topic, partition) for partition in partitions]
    return {place.partition: place.offset for place in asking.committed(places, timeout) if place.offset >= 0}


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
