"""What an embedded broker is told: its properties, its logging, and the Java command that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deploy.local.java import Java

FOR_EVER = "-1"
_LONG_MAX = str(2**63 - 1)

# ClusterControlManager tells of each registration it reads or writes: what `missed.py` waits for
LOGGING = """\
Configuration:
  Appenders:
    Console:
      name: console
      PatternLayout: {pattern: "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %m (%c{1})%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: console}}
    Logger:
      - {name: kafka.server.KafkaRaftServer, level: INFO}
      - {name: org.apache.kafka.controller.ClusterControlManager, level: INFO}
"""

QUICK_START = ("-XX:TieredStopAtLevel=1",)
"""A broker of a test or a demo lives for minutes: a quick start is worth more than peak speed."""

JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # no shared-memory file in the temporary folder, which a killed JVM leaves behind
    "-XX:-UsePerfData",
)

SETTINGS = {
    "auto.create.topics.enable": "false",
    # events carry simulated and historical instants: a broker that deletes by them would delete the input of a run,
    # and one that bounds them would refuse it
    "log.retention.ms": FOR_EVER,
    "log.message.timestamp.before.max.ms": _LONG_MAX,
    "log.message.timestamp.after.max.ms": _LONG_MAX,
    # ten years: a kept run resumed after a pause must not lose its place
    "offsets.retention.minutes": "5256000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "3000",
    # no transaction may hide the records behind it for longer than this
    "transaction.max.timeout.ms": "120000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "broker.heartbeat.interval.ms": "1000",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.index.size.max.bytes": "1048576",
}


@dataclass(frozen=True, slots=True)
class NodePorts:
    client: int
    controller: int


def properties(node_id: int, layout: Mapping[int, NodePorts], data: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of node `node_id` of the cluster `layout`; `extra` wins over everything here."""
    own = layout[node_id]
    copies = str(min(3, len(layout)))
    in_sync = "2" if len(layout) > 1 else "1"
    # a killed broker is missed after this: writes to its partitions wait that long, and its restart among others; a
    # lone one has nobody to stand in for it, so that to take it for dead while it stands still on a busy machine only
    # does harm, and before its restart it is missed at once (`missed.py`)
    missed_after = "3000" if len(layout) > 1 else "3600000"
    voters = (f"{voter}@{LOOPBACK}:{ports.controller}" for voter, ports in layout.items())
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"CLIENT://{LOOPBACK}:{own.client},CONTROLLER://{LOOPBACK}:{own.controller}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{own.client}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "log.dirs": str(data),
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "broker.session.timeout.ms": missed_after,
        **SETTINGS,
        **extra,
    }


def java_command(
    java: Java,
    jars: Path,
    logging: Path,
    heap_mb: int,
    main: Sequence[str],
    *,
    lasting: bool = False,
    start: Sequence[str] = (),
) -> list[str]:
    """Return the command that runs Kafka's class `main[0]` with the arguments after it; `lasting`: for peak speed.

    `start` is what Java is told of a kept start: `from_kept` or `to_keep`.
    """
    heap = (f"-Xms{min(heap_mb, 128)}m", f"-Xmx{heap_mb}m")
    return [
        str(java.executable),
        *heap,
        *JVM_FLAGS,
        *(() if lasting else QUICK_START),
        *start,
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        f"{jars}/*",
        *main,
    ]


def from_kept(start: Path | None) -> tuple[str, ...]:
    """Flags to start from that cache.

    One that does not fit is passed over by Java, which warns at length of what it lacks: nothing to be told.
    """
    return () if start is None else (f"-XX:AOTCache={start}", "-Xlog:aot*=error")


def to_keep(start: Path) -> tuple[str, ...]:
    """Flags to write that cache when Kafka has ended."""
    return (f"-XX:AOTCacheOutput={start}", "-Xlog:aot*=error")
