"""What librdkafka is told must be what the rest of the world means: group membership, partitioning."""

import threading
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from kafka.partitioner.default import murmur2

from agents.runtime.checks import check_metadata_bytes
from agents.runtime.producers import Lot, group_metadata, producer_config
from agents.settings import Settings


@pytest.mark.parametrize("instance", ["", "worker-1"])
def test_group_metadata_is_what_the_client_itself_serialises(instance: str) -> None:
    static = {"group.instance.id": instance} if instance else {}
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "a-group", "log_level": 0, **static})
    try:
        assert group_metadata("a-group", -1, "", instance) == consumer.consumer_group_metadata()
    finally:
        consumer.close()


def test_the_check_at_start_passes_with_the_pinned_client() -> None:
    check_metadata_bytes(Settings(kafka="127.0.0.1:1", instance="w"), "a-group")


def test_generation_and_member_are_part_of_it() -> None:
    assert group_metadata("g", 7, "m") == b"CGMDv2:\x07\0\0\0g\0m\0\x01"
    assert group_metadata("g", 7, "m", "i") == b"CGMDv2:\x07\0\0\0g\0m\0\0i\0"


def test_keys_are_spread_as_by_the_java_client() -> None:
    assert producer_config(Settings())["partitioner"] == "murmur2_random"
    # published test values of Kafka's own murmur2
    assert [murmur2(text) - (1 << 32) if murmur2(text) >> 31 else murmur2(text) for text in (b"21", b"foobar")] == [
        -973932308,
        -790332482,
    ]


def reports(lot: Lot, *errors: KafkaError | None) -> None:
    """As librdkafka does: in a thread of its own."""
    for error in errors:
        thread = threading.Thread(target=lot.heard, args=(error, cast("Any", None)))
        thread.start()
        thread.join()


async def test_a_lot_is_there_when_each_of_its_records_is() -> None:
    lot = Lot(2)
    reports(lot, None)
    assert not lot.all_there.done()
    reports(lot, None)
    await lot.all_there
    await Lot(0).all_there


async def test_a_lot_of_which_one_record_was_not_taken_fails_with_what_was_said_of_it() -> None:
    lot = Lot(3)
    reports(lot, None, KafkaError(KafkaError._MSG_TIMED_OUT), None)
    with pytest.raises(KafkaException) as told:
        await lot.all_there
    assert told.value.args[0].code() == KafkaError._MSG_TIMED_OUT


async def test_nobody_may_wait_for_a_lot_any_more() -> None:
    lot = Lot(1)
    lot.all_there.cancel()
    reports(lot, None)
    await Lot(0).all_there
