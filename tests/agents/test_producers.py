"""What librdkafka is told must be what the rest of the world means, and what it reports must be heard."""

import threading
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from kafka.partitioner.default import murmur2

from agents.runtime.producers import Lot, producer_config
from agents.settings import Settings


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
