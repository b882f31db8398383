"""Worker processes under test: started, watched through their endpoints, stopped or killed."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.waiting import until

ENDPOINTS = re.compile(r"endpoints (http://\S+)")
START_S = 120.0
"""A quiet machine needs 2 s; where sixty processes share two cores, importing alone takes most of a minute."""
QUICK = {
    "NIVARAN_REPLICATION": "1",
    "NIVARAN_SESSION_TIMEOUT": "4",
    "NIVARAN_HEARTBEAT": "0.3",
    "NIVARAN_HTTP_PORT": "0",
}


class WorkerProcess:
    """A worker as a process of its own; its log in a file."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size if log.exists() else 0
        self.store_dir = environ.get("NIVARAN_STORE_DIR", "")
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command], env={**os.environ, **QUICK, **environ}, stdout=sink, stderr=sink
            )

    def log(self) -> str:
        """What this process has logged."""
        return self._log.read_bytes()[self._seen :].decode(errors="replace")

    def get(self, path: str) -> Any:
        found = ENDPOINTS.search(self.log())
        assert found, f"no endpoints yet; log:\n{self.log()}"
        with urllib.request.urlopen(found[1] + path, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if answer.headers.get_content_type() == "application/json" else body.decode()

    @property
    def ready(self) -> bool:
        try:
            return bool(self.get("/readyz")["status"] == "ready")
        except urllib.error.HTTPError:
            return False

    def wait_ready(self) -> "WorkerProcess":
        def ready() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
            return self.ready

        until(ready, START_S, what="the worker is ready")
        return self

    def quiesced(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/quiesced")
        return answer

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to end and wait; answers the exit code."""
        self.signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(40)

    def wait(self, timeout: float = 40.0) -> int:
        """Wait until it ends by itself; answers the exit code."""
        return self.process.wait(timeout)


def make_topics(
    bootstrap: str, names: Iterable[str], partitions: int, copies: int = 1, config: Mapping[str, str] | None = None
) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    made = admin.create_topics(
        [NewTopic(name, partitions, copies, config=dict(config or {})) for name in names], operation_timeout=20
    )
    for future in made.values():
        future.result(20)


def producer(bootstrap: str) -> Producer:
    return Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 2, "log_level": 2})


def records(bootstrap: str, topic: str, *, committed: bool = True) -> Iterator[Any]:
    """Everything in a topic now, partition by partition as it comes."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader-of-tests",
            "enable.auto.commit": False,
            "log_level": 2,
            "enable.partition.eof": True,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
        }
    )
    try:
        partitions = consumer.list_topics(topic, 20).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        ended: set[int] = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(2000, 0.05):
                if message.error():
                    ended.add(message.partition())
                else:
                    yield message
    finally:
        consumer.close()


def ends(bootstrap: str, topic: str) -> dict[str, int]:
    """The next offset to be written of every partition, named as `/quiesced` names them."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader-of-tests"})
    try:
        return {
            f"{topic}-{partition}": consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)[1]
            for partition in consumer.list_topics(topic, 20).topics[topic].partitions
        }
    finally:
        consumer.close()
