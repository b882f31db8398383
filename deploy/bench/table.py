"""A table as it stands before a measurement: a stage's changelog filled with cases, as lanes write it."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec
from confluent_kafka import Producer

from agents.runtime.producers import give, producer_config
from agents.settings import Settings
from streams.case.state import Case

BATCH: Final = 4000
"""Records of a transaction, the most a worker writes."""
ANSWER_S: Final = 60.0


def fill(settings: Settings, changelog: str, cases: Iterable[Case]) -> int:
    """Write these states in transactions; answers how many bytes. Raises KafkaException."""
    producer = Producer({**producer_config(settings), "transactional.id": f"{changelog}-fill"})
    size, left = 0, _encoded(cases)
    producer.init_transactions(ANSWER_S)
    while batch := list(islice(left, BATCH)):
        producer.begin_transaction()
        for key, state in batch:
            size += len(state)
            give(producer, changelog, state, key)
        producer.commit_transaction(ANSWER_S)
    return size


def _encoded(cases: Iterable[Case]) -> Iterator[tuple[bytes, bytes]]:
    encoded = msgspec.msgpack.Encoder().encode
    return ((case.id.encode(), encoded(case)) for case in cases)
