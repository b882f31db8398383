"""A gateway as its own process, on real Kafka and Redis, for the tests that are about them."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from agents.kafka_admin import connected, specs
from streams.profiles.load import departments
from tests.gateway.conftest import KEY, TOKENS
from tests.waiting import until

PARTITIONS = 4


def make_topics(bootstrap: str) -> None:
    """Those of the registry; where another test made them before, they stay as they are."""
    with connected(bootstrap) as admin:
        admin.apply(specs(departments(), partitions=PARTITIONS, replication=1))


def environment(bootstrap: str, redis_url: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "NIVARAN_KAFKA": bootstrap,
        "NIVARAN_REDIS_URL": redis_url,
        "NIVARAN_CITIZEN_KEY": KEY,
        "NIVARAN_CONTACT_KEY": KEY,
        "NIVARAN_API_TOKENS": ",".join(f"{role}:{token}" for role, token in TOKENS.items()),
        "NIVARAN_RATE": "0",
        "NIVARAN_REPLICATION": "1",
        "NIVARAN_REDIS_TIMEOUT": "10",  # longer than a busy machine's hiccup
        "NIVARAN_DELIVERY_TIMEOUT": "30",
        **more,
    }


class Running:
    """A gateway process that listens."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def ask(self, path: str, body: Any = None, *, role: str = "call-centre", timeout: float = 30, **headers: str):
        """Status, body and headers of the answer."""
        data = None if body is None else msgspec.json.encode(body)
        sent = {"Authorization": f"Bearer {TOKENS[role]}", "Content-Type": "application/json"} | headers
        request = urllib.request.Request(self.url + path, data, {k.replace("_", "-"): v for k, v in sent.items()})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, _json(answer.read()), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read()), error.headers

    def ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def _json(raw: bytes) -> Any:
    return msgspec.json.decode(raw) if raw else None


@contextmanager
def running(bootstrap: str, redis_url: str, folder: Path, **more: str) -> Iterator[Running]:
    log = folder / f"gateway-{len(list(folder.iterdir()))}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "gateway", "--port", "0"],
            env=environment(bootstrap, redis_url, **more),
            stdout=file,
            stderr=file,
        )
    try:
        found = until(lambda: re.search(r"http://\S+", log.read_text()), 20, what="the gateway listens")
        gateway = Running(process, found[0], log)
        yield gateway
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Next offset of each partition, once each has a leader."""
    with _consumer(bootstrap) as consumer:

        def found() -> dict[int, int]:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            return {each: consumer.get_watermark_offsets(TopicPartition(topic, each), 10)[1] for each in partitions}

        return until(found, 20, what=f"{topic} has leaders")


def since(bootstrap: str, topic: str, start: dict[int, int]) -> list[Message]:
    """What has been written to a topic since `start`."""
    goal = ends(bootstrap, topic)
    found: list[Message] = []
    with _consumer(bootstrap) as consumer:
        consumer.assign([TopicPartition(topic, each, offset) for each, offset in start.items()])
        wanted = sum(goal[each] - offset for each, offset in start.items())
        until(lambda: found.extend(consumer.consume(1000, 0.2)) or len(found) >= wanted, 20, what=f"{wanted} records")
    assert all(message.error() is None for message in found)
    return found


@contextmanager
def _consumer(bootstrap: str) -> Iterator[Consumer]:
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "looks-only",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
    })  # fmt: skip
    try:
        yield consumer
    finally:
        consumer.close()
