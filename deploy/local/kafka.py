"""Real Apache Kafka brokers on this machine, one or three, in KRaft mode: `with KafkaCluster(folder) as kafka: ...`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.errors import LocalError, storage_fault
from deploy.local.jars import ensure_jars
from deploy.local.java import find_java
from deploy.local.kafka_config import LOGGING, NodePorts, from_kept, java_command, properties, to_keep
from deploy.local.kept_start import exercise, kept_start
from deploy.local.locks import own
from deploy.local.missed import controller_alone, died, let_be_missed
from deploy.local.paths import HOME_SETTING
from deploy.local.ports import KAFKA_PORTS, LOOPBACK, PortLease
from deploy.local.process import ServerProcess, stop_all
from deploy.local.storage import FEATURES, format_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S = 90.0
"""A quiet machine needs 3 s (one broker) or 7 s (three); a loaded one several times that."""
_STOP_TIMEOUT_S = 20.0
_RECORD_S = 120.0
"""A quiet machine needs 5 s to write what a start loaded."""
HEAP_MB = 256
"""Of a broker, for some hundred partitions."""
_FORMAT_HEAP_MB = 128
_CONTROLLER_HEAP_MB = 128
_BOTH, _ALONE = "server.properties", "controller.properties"
"""What a node is told as broker and controller, and as controller alone."""
BROKER_COUNTS = (1, 3)

_CAUSES = {
    "Address already in use": "a port it was given is in use by another program. End that program, or start again.",
    "No space left on device": "the disk is full. Make room, or set NIVARAN_HOME to a folder with room.",
    "File too large": "a file would be larger than this user may write (see `ulimit -f`).",
    "UnsupportedClassVersionError": "the Java runtime is too old. Set NIVARAN_JAVA to one of version 17 or newer.",
    "Could not reserve enough space": "there is not enough free memory for its heap.",
    "OutOfMemoryError": "its heap is too small for this load. Give KafkaCluster a larger heap_mb.",
}


@dataclass(kw_only=True, slots=True)
class KafkaNode(ServerProcess):
    """One broker, which is a controller as well. Its log is `kafka.log` in its folder."""

    node_id: int
    ports: NodePorts
    prepare: Callable[[], None]
    """What is done before it starts."""

    def start(self) -> None:
        """Start it unless it runs; does not wait until it serves. Raises LocalError."""
        if not self.alive:
            self.prepare()
        ServerProcess.start(self)

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.ports.client}"

    def sees(self) -> int:
        """Return how many brokers of the cluster it knows; 0 while it does not serve."""
        return brokers_seen(self.ports.client) if self.alive else 0

    @property
    def data(self) -> Path:
        return self.folder / "data"


class KafkaCluster:
    """`brokers` real brokers on 127.0.0.1: one, or three with replication 3 and min.insync.replicas 2.

    Data in `folder` is wiped at the stop unless `keep`. Brokers end with this process, however it ends, unless
    `detached`. `settings` are further broker properties; `lasting` brokers are at peak speed some
    minutes later, and start more slowly. `record` is where the first broker writes what its start loaded, once it has
    ended. Raises LocalError saying what is wrong and what to do.
    """

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int = 1,
        heap_mb: int = HEAP_MB,
        lasting: bool = False,
        settings: Mapping[str, str] | None = None,
        keep: bool = False,
        detached: bool = False,
        record: Path | None = None,
        first_ports: Sequence[int] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if brokers not in BROKER_COUNTS:
            raise LocalError(f"brokers: {brokers} is not possible, choose 1 or 3 (two cannot keep a majority)")
        java, jars = find_java(), ensure_jars(tell=tell)
        self._formatted = jars / FEATURES
        start = from_kept(None if record else kept_start(java, jars, _record, tell))
        self.folder = folder.resolve()
        self.keep = keep
        self._detached = detached
        self._lock = own(self.folder, HOME_SETTING)
        try:
            self._lease = PortLease(2 * brokers, KAFKA_PORTS, first_try=first_ports)
        except BaseException:
            self._lock.close()
            raise
        self._java = partial(java_command, java, jars, self.folder / "log4j2.yaml", lasting=lasting, start=start)
        self._broker_start = to_keep(record) if record else start
        ports = self._lease.ports
        pairs = zip(ports[::2], ports[1::2], strict=True)
        self.layout = {node_id: NodePorts(*pair) for node_id, pair in enumerate(pairs, start=1)}
        self._settings = dict(settings or {})
        self.nodes = tuple(self._node(node_id, heap_mb) for node_id in self.layout)

    @property
    def bootstrap(self) -> str:
        """Addresses for a client's `bootstrap.servers`."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def ports(self) -> tuple[int, ...]:
        """Client and controller port of each broker in turn."""
        return tuple(port for ports in self.layout.values() for port in (ports.client, ports.controller))

    def start(self, timeout: float = START_TIMEOUT_S) -> Self:
        """Format new storage, start every broker, wait until all serve."""
        try:
            self._write_configuration()
            self._format()
            for node in self.nodes:
                node.reap()
            for node in self.nodes:
                node.start()
            self.wait_ready(timeout)
        except BaseException:
            self.stop()
            raise
        if self._detached:  # from here on the brokers hold their ports
            self._let_go()
        return self

    def wait_ready(self, timeout: float = START_TIMEOUT_S, *, nodes: int | None = None) -> None:
        """Wait until `nodes` brokers (default: all) each serve and know each other; raises LocalError."""
        wanted = len(self.nodes) if nodes is None else nodes
        deadline = time.monotonic() + timeout
        while (serving := sum(node.sees() >= wanted for node in self.nodes)) < wanted:
            ended = [node for node in self.nodes if not node.alive]
            if len(self.nodes) - len(ended) < wanted:
                raise _failure(ended[0], f"broker {ended[0].node_id} ended")
            if time.monotonic() > deadline:
                raise _failure(self.nodes[0], f"Kafka: {serving} of {wanted} brokers serve after {timeout:.0f} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """End every broker; let the ports go; wipe the data unless `keep`."""
        if self.keep:
            # all at once: the last brokers of a quorum cannot take leave of a majority that has gone
            stop_all(self.nodes, _STOP_TIMEOUT_S)
        for node in self.nodes:
            node.kill()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._let_go()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _let_go(self) -> None:
        self._lease.release()
        self._lock.close()

    def _node(self, node_id: int, heap_mb: int) -> KafkaNode:
        home = self.folder / f"node{node_id}"
        return KafkaNode(
            name="kafka",
            folder=home,
            command=self._java(heap_mb, ("kafka.Kafka", str(home / _BOTH)), start=self._broker_start),
            detached=self._detached,
            inherit=self._lease.fds if self._detached else (),
            node_id=node_id,
            ports=self.layout[node_id],
            prepare=self._let_be_missed,
        )

    def _let_be_missed(self) -> None:
        """Where nobody runs and all died, let the controllers find that out first: see `missed.py`."""
        if any(node.alive for node in self.nodes) or not all(died(node.data) for node in self.nodes):
            return
        alone = {
            node.node_id: (node.folder, self._java(_CONTROLLER_HEAP_MB, ("kafka.Kafka", str(node.folder / _ALONE))))
            for node in self.nodes
        }
        let_be_missed(alone)

    def _write_configuration(self) -> None:
        try:
            (self.folder / "log4j2.yaml").write_text(LOGGING)
            for node in self.nodes:
                told = properties(node.node_id, self.layout, node.data, self._settings)
                node.folder.mkdir(exist_ok=True)
                for name, lines in ((_BOTH, told), (_ALONE, controller_alone(told))):
                    (node.folder / name).write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
        except OSError as error:
            raise storage_fault(error, self.folder, HOME_SETTING) or error from error

    def _format(self) -> None:
        data = {node.node_id: node.data for node in self.nodes}
        try:
            format_storage(data, self._formatted, self._format_node)
        except OSError as error:
            raise storage_fault(error, self.folder, HOME_SETTING) or error from error

    def _format_node(self, node_id: int, cluster_id: str) -> None:
        """Run Kafka's own tool."""
        node = self.nodes[node_id - 1]
        arguments = ("format", "--cluster-id", cluster_id, "--config", str(node.folder / _BOTH))
        command = self._java(_FORMAT_HEAP_MB, ("kafka.tools.StorageTool", *arguments, "--ignore-formatted"))
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise LocalError(
                f"formatting {node.data} took over {START_TIMEOUT_S:.0f} s: is the disk in trouble?"
            ) from None
        if done.returncode:
            raise LocalError(f"Kafka could not format {node.data}: {_cause(said := done.stdout + done.stderr)}\n{said}")


def _record(kept: Path) -> None:
    """Start a broker, give it a little of everything to do, and let it write what that loaded."""
    with KafkaCluster(kept.parent / "kafka", record=kept) as kafka:
        exercise(kafka.bootstrap)
        kafka.nodes[0].stop(_RECORD_S)


def brokers_seen(port: int) -> int:
    """Return how many brokers the one on `port` knows of; 0 while it does not answer or knows no controller.

    Asked of each by itself: its fellows list a killed broker as present until they miss it.
    """
    if not _listens(port):
        return 0
    # silent: that a broker does not answer yet is what is being asked
    admin = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0})
    try:
        found = admin.list_topics(timeout=3.0)
    except KafkaException:
        return 0
    return len(found.brokers) if found.controller_id >= 0 else 0


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def _cause(log: str) -> str:
    return next((cause for sign, cause in _CAUSES.items() if sign in log), "its last lines follow")


def _failure(node: KafkaNode, what: str) -> LocalError:
    said = node.tail(200)
    last = "\n".join(said.splitlines()[-15:])
    return LocalError(f"{what}: {_cause(said)}\nLog: {node.log_file}\n{last}")
