"""A department's own reader of escalations: copy this file, and put your work where `Desk.take` is.

    pip install kafka-python
    python escalations.py --kafka kafka.example:9092 --group health-desk --department health

What it keeps to, and you should:
- Read committed: what an aborted transaction wrote is no fact.
- Positions are committed after the work: a crash repeats records and loses none.
- A repeat is known by its `ce_id`, which is noted in the same database transaction as the work itself.
- What cannot be read is put aside with its reason, and the rest goes on.
"""

import argparse
import json
import logging
import signal
import sqlite3
import threading
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import CommitFailedError

TYPES = {"escalation.raised.v1", "escalation.sent-up.v1"}

log = logging.getLogger("escalations")


class Unreadable(Exception):  # noqa: N818 - it says what the record is
    """A record that no repetition makes better; the message says why and repeats nothing of it."""


class Desk:
    """Your database: here SQLite with one table. Each escalation is taken once, however often it comes."""

    def __init__(self, path: str, department: str | None) -> None:
        self._department = department
        self._database = sqlite3.connect(path)
        self._database.executescript("""
            create table if not exists seen (ce_id text primary key);
            create table if not exists escalations (
                case_id text, seq integer, level integer, office text, due_at integer  -- UTC milliseconds, or null
            );
        """)

    def take(self, ce_id: str, record: dict[str, Any]) -> bool:
        """Do the work and note the id, both or neither; False for a repeat."""
        try:
            told = (record["case"], record["seq"], record["to_level"], record["to_office"], record["due_at"])
            wanted = self._department in (None, record["department"])
        except KeyError as missing:
            raise Unreadable(f"has no field {missing}") from None
        with self._database:  # commits at the end, rolls back on an exception
            if not self._database.execute("insert or ignore into seen values (?)", (ce_id,)).rowcount:
                return False
            if wanted:
                self._database.execute("insert into escalations values (?, ?, ?, ?, ?)", told)
        return True

    def close(self) -> None:
        self._database.close()


def read(record: Any) -> tuple[str, dict[str, Any] | None]:
    """The id and the content of a record; None for a type that this program does not know, which it skips."""
    headers = dict(record.headers)
    try:
        content = json.loads(record.value)
        kind = content["type"]
    except (TypeError, ValueError, KeyError):
        raise Unreadable("is not one JSON object with a type") from None
    if "ce_id" not in headers:
        raise Unreadable("has no header ce_id")
    return headers["ce_id"].decode(), content if kind in TYPES else None


def put_aside(letters: KafkaProducer, topic: str, record: Any, reason: str) -> None:
    """Keep a record with where it was and why it was not taken, for people; returns when Kafka has it."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    log.warning("%s %s: put aside", place, reason)  # never the record itself: it may speak of a citizen
    headers = [*record.headers, ("x-error", reason.encode()), ("x-place", place.encode())]
    letters.send(topic, key=record.key, value=record.value, headers=headers).get(timeout=30)


def run(consumer: KafkaConsumer, letters: KafkaProducer, dead: str, desk: Desk, stop: threading.Event) -> None:
    """Take records until `stop` is set. Any other fault ends the program: started again, it begins where it was."""
    while not stop.is_set():
        for records in consumer.poll(timeout_ms=500, max_records=100).values():
            for record in records:
                try:
                    ce_id, content = read(record)
                    if content is not None and not desk.take(ce_id, content):
                        log.info("%s/%d: seen before", record.partition, record.offset)
                except Unreadable as fault:
                    put_aside(letters, dead, record, str(fault))
        try:
            consumer.commit()  # of all that poll has given out: everything before it is done
        except CommitFailedError:
            log.info("the partition has another owner now, who will meet some of these again")


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep the escalations of a department in a database of its own.")
    parser.add_argument("--kafka", required=True, help="host:port, comma separated")
    parser.add_argument("--group", required=True, help="your consumer group; start several to share the work")
    parser.add_argument("--topic", default="grievance.escalation.raised.v1")
    parser.add_argument("--dead", help="topic of your own for what cannot be read; default: <group>.dead")
    parser.add_argument("--department", help="keep only this department's; default: all")
    parser.add_argument("--database", default="escalations.sqlite")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.WARNING)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())  # what is in hand is finished and committed first
    servers = given.kafka.split(",")
    consumer = KafkaConsumer(
        given.topic,
        bootstrap_servers=servers,
        group_id=given.group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        session_timeout_ms=10_000,  # how long the records of one that was killed wait until another gets them
        auto_offset_reset="earliest",  # a new group begins with the oldest escalation that is kept
    )
    letters = KafkaProducer(bootstrap_servers=servers, acks="all")
    desk = Desk(given.database, given.department)
    log.info("reading %s as group %s", given.topic, given.group)
    try:
        run(consumer, letters, given.dead or f"{given.group}.dead", desk, stop)
    finally:
        consumer.close(autocommit=False)
        letters.close(timeout=10)
        desk.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
