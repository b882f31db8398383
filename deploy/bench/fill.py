"""A changelog filled with cases as lanes would have written them."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec
from confluent_kafka import Producer

from agents.runtime.producers import producer_config
from deploy.bench.lab import Lab
from streams.case.state import Case

BATCH: Final = 4000
"""Records of a transaction, the most a worker writes."""
ANSWER_S: Final = 30.0


def fill(lab: Lab, changelog: str, cases: Iterable[Case]) -> int:
    """Write the states as lanes do, in transactions; answers how many bytes."""
    producer = Producer({**producer_config(lab.settings), "transactional.id": changelog, "linger.ms": 5})
    encoded, size, left = msgspec.msgpack.Encoder().encode, 0, iter(cases)
    producer.init_transactions(ANSWER_S)
    while batch := list(islice(left, BATCH)):
        producer.begin_transaction()
        for case in batch:
            state = encoded(case)
            size += len(state)
            producer.produce(changelog, state, case.id.encode())
        producer.commit_transaction(ANSWER_S)
    return size
