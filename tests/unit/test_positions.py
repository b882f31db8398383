"""Positions of a group are asked for again where its coordinator has just moved, for as long as told."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from agents.positions import MOVED, committed


class Asked:
    """A client whose first answers are errors."""

    def __init__(self, *codes: int) -> None:
        self.codes, self.times = list(codes), 0

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.times += 1
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop(0)))
        return [TopicPartition(place.topic, place.partition, 7 - 8 * place.partition) for place in places]


def ask(client: Any, timeout: float) -> dict[int, int]:
    return committed(client, "a", range(2), timeout)


@pytest.mark.parametrize("code", sorted(MOVED))
def test_a_coordinator_that_moves_is_asked_again(code: int) -> None:
    client = Asked(code)
    assert ask(client, 10) == {0: 7}, "nothing is committed of the other partition"
    assert client.times == 2


def test_not_for_longer_than_told() -> None:
    with pytest.raises(KafkaException):
        ask(Asked(*[KafkaError.NOT_COORDINATOR] * 100), 0.0)


def test_other_errors_are_told_at_once() -> None:
    client = Asked(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException):
        ask(client, 10)
    assert client.times == 1
