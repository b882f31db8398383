"""Whom a transaction belongs to, in librdkafka's own words."""

import pytest
from confluent_kafka import Consumer

from agents.runtime.checks import check_metadata_bytes
from agents.runtime.transactions import group_metadata
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
