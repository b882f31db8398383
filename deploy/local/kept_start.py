"""Kafka's start, kept: the classes and methods it needs, recorded once and read by every later start.

Java's ahead-of-time cache (JEP 483, 514 and 515, complete in Java 25). A start then costs less than half of the CPU,
which is most of what a test with a cluster of its own costs. An older Java starts as it always does.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.local.errors import LocalError
from deploy.local.locks import hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local.java import Java

OLDEST: Final = 25
_LOCK: Final = "start.lock"
_TOPIC: Final = "exercise"
_ANSWER_S: Final = 60.0
_TRANSACTIONS: Final = 20
_RECORDS: Final = 500
"""In each of them."""


def kept_start(
    java: Java, jars: Path, record: Callable[[Path], None], tell: Callable[[str], None] = lambda _: None
) -> Path | None:
    """Return the cache of this Java for these jars; None where there is none.

    Where it is missing, `record` makes it in the folder it is given, some ten seconds, once; whoever comes meanwhile
    starts without. One that could not be made stands as an empty file and is not tried again.
    """
    if java.version < OLDEST:
        return None
    kept = jars / f"start-{hashlib.sha256(java.said.encode()).hexdigest()[:12]}.aot"
    try:
        if not kept.exists():
            _make(kept, record, tell)
        return kept if kept.stat().st_size else None
    except OSError:  # another makes it, or the folder takes no write: it is only a matter of speed
        return None


def _make(kept: Path, record: Callable[[Path], None], tell: Callable[[str], None]) -> None:
    lock = hold(kept.parent / _LOCK)
    if lock is None:
        return
    with lock, tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as scratch:
        if kept.exists():  # made meanwhile
            return
        tell(f"Recording a start of Kafka, once, so that later ones take half the time: {kept}")
        made = Path(scratch, kept.name)
        try:
            record(made)
            made.replace(kept)
        except (LocalError, FileNotFoundError) as error:
            tell(f"No start was recorded: {error}")
            kept.touch()


def exercise(bootstrap: str) -> None:
    """Transactions, a consumer in a group and its offsets: what is loaded by then is kept. Raises LocalError."""
    client = {"bootstrap.servers": bootstrap, "log_level": 2}
    try:
        admin = AdminClient(client)
        admin.create_topics([NewTopic(_TOPIC, 2, 1)])[_TOPIC].result(_ANSWER_S)
        consumer = Consumer({**client, "group.id": _TOPIC, "auto.offset.reset": "earliest"})
        producer = Producer({**client, "transactional.id": _TOPIC})
        consumer.subscribe([_TOPIC])
        producer.init_transactions(_ANSWER_S)
        for _ in range(_TRANSACTIONS):
            producer.begin_transaction()
            for number in range(_RECORDS):
                producer.produce(_TOPIC, str(number).encode(), str(number).encode())
            consumer.consume(_RECORDS, 0.2)
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), _ANSWER_S
            )
            producer.commit_transaction(_ANSWER_S)
        consumer.close()
    except KafkaException as error:
        raise LocalError(f"Kafka did not do as it was told: {error.args[0].str()}") from error
