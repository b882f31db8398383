"""Topics as they shall be and as the cluster has them: reading, creating, comparing."""

import logging
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from msgspec import Struct

from schemas.registry import defaults, topics

CONNECT_TIMEOUT_S: Final = 5.0
VISIBLE_TIMEOUT_S: Final = 15.0
FOREVER: Final = str(2**63 - 1)
ABSENT: Final = 3
"""Kafka's error code of a topic that does not exist."""


class ClusterError(RuntimeError):
    """The cluster cannot be reached or refuses; the message says what to do."""


class Spec(Struct, frozen=True):
    """A topic as it shall be, or as it is."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


class Outcome(Struct, frozen=True):
    """What was found or done for one topic; `differences` says how the cluster's topic is not the registry's."""

    name: str
    state: Literal["same", "created", "changed", "missing", "differs"]
    partitions: int
    differences: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.state in ("same", "created", "changed")


def specs(departments: Iterable[str], *, partitions: int, replication: int, expire: bool = True) -> dict[str, Spec]:
    """Every topic of a deployment, dead letters included.

    `expire=False` keeps all records for ever and takes any timestamp: with simulated time a record is soon older than
    its retention, and the broker would delete it under its readers.
    """
    shared = {
        "min.insync.replicas": str(min(defaults().min_insync_replicas, max(1, replication - 1))),
        "max.message.bytes": str(defaults().max_message_bytes),
    }
    endless = {} if expire else {"retention.ms": "-1", "message.timestamp.after.max.ms": FOREVER}
    return {
        name: Spec(name, topic.partitions or partitions, replication, {**topic.config, **shared, **endless})
        for name, topic in topics(departments).items()
    }


def compare(wanted: Spec, found: Spec | None) -> Outcome:
    """How the cluster's topic stands to the one of the registry."""
    if found is None:
        return Outcome(wanted.name, "missing", 0, ("does not exist",))
    differences = [
        f"{what}: {there}, wanted {here}"
        for what, here, there in (
            ("partitions", wanted.partitions, found.partitions),
            ("replication", wanted.replication, found.replication),
            *((key, value, found.config.get(key, "unset")) for key, value in sorted(wanted.config.items())),
        )
        if here != there
    ]
    return Outcome(wanted.name, "differs" if differences else "same", found.partitions, tuple(differences))


class Admin:
    """The cluster, seen by one who may create topics; from `connected`."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def version(self) -> str:
        """Kafka's version, as far as its interfaces tell (`4.3`)."""
        node = self.client.describe_cluster()["brokers"][0]["broker_id"]
        major, minor, *_ = self.client.get_broker_version_data(node).broker_version
        return f"{major}.{minor}"

    def brokers(self) -> int:
        return len(self.client.describe_cluster()["brokers"])

    def found(self, names: Iterable[str]) -> dict[str, Spec]:
        """Those of `names` that exist, as they are."""
        answered = self.client.describe_topics(sorted(names))
        there = {each["name"]: each["partitions"] for each in answered if each["error_code"] != ABSENT}
        config = self._config(there)
        return {
            name: Spec(name, len(partitions), min(len(each["replica_nodes"]) for each in partitions), config[name])
            for name, partitions in there.items()
        }

    def verify(self, wanted: Mapping[str, Spec]) -> list[Outcome]:
        """Compare every topic of `wanted`; change nothing."""
        found = self.found(wanted)
        return [compare(spec, found.get(name)) for name, spec in wanted.items()]

    def apply(self, wanted: Mapping[str, Spec], *, dry_run: bool = False) -> list[Outcome]:
        """Create what is missing and set what may be set.

        Partitions and replication of a topic that exists stay as they are and are reported: more partitions would give
        keys another place than their history has.
        """
        seen = self.verify(wanted)
        if missing := [wanted[each.name] for each in seen if each.state == "missing"]:
            self._create(missing, dry_run=dry_run)
        if not dry_run and (loose := [wanted[each.name] for each in seen if each.state == "differs"]):
            self._alter(loose)
        return [_settled(each, wanted[each.name]) for each in seen]

    def _create(self, missing: Iterable[Spec], *, dry_run: bool) -> None:
        wanted = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replication,
                "configs": spec.config,
            }
            for spec in missing
        }
        answer = self.client.create_topics(wanted, validate_only=dry_run, raise_errors=False, wait_for_metadata=False)
        refused = [f"{each['name']}: {each['error_message']}" for each in answer["topics"] if each["error_code"]]
        if refused:
            raise ClusterError("Kafka refuses to create " + "; ".join(refused[:3]))
        if not dry_run:
            self.client.wait_for_topics(list(wanted))

    def _alter(self, specs: Iterable[Spec]) -> None:
        wanted = {spec.name: spec.config for spec in specs}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, config) for name, config in wanted.items()]
        answer = self.client.alter_configs(resources)["topic"]
        if refused := [f"{name}: {result}" for name, result in answer.items() if result != "OK"]:
            raise ClusterError("Kafka refuses to change " + "; ".join(refused[:3]))
        deadline = time.monotonic() + VISIBLE_TIMEOUT_S
        # the controller has answered; the brokers follow it a moment later
        while not all(config.items() <= self._config([name])[name].items() for name, config in wanted.items()):
            if time.monotonic() > deadline:
                raise ClusterError("Kafka took the new settings, and its brokers do not show them")
            time.sleep(0.05)

    def _config(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        if not asked:
            return {}
        told = self.client.describe_configs(asked, config_filter="all")["topic"]
        return {name: {key: entry["value"] for key, entry in entries.items()} for name, entries in told.items()}


def _settled(seen: Outcome, spec: Spec) -> Outcome:
    """What became of a topic by `apply`."""
    fixed = any(each.startswith(("partitions:", "replication:")) for each in seen.differences)
    match seen.state:
        case "missing":
            return Outcome(seen.name, "created", spec.partitions)
        case "differs" if not fixed:
            return Outcome(seen.name, "changed", seen.partitions, seen.differences)
        case _:
            return seen


@contextmanager
def connected(kafka: str, timeout_s: float = CONNECT_TIMEOUT_S) -> Iterator[Admin]:
    """Yield the admin of the cluster at `kafka`; raises ClusterError when it is away or refuses."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what went wrong is in the exception
    knock(kafka, timeout_s)
    client = None
    try:
        client = KafkaAdminClient(bootstrap_servers=kafka.split(","), bootstrap_timeout_ms=int(1000 * timeout_s))
        yield Admin(client)
    except KafkaError as error:
        raise ClusterError(_away(kafka, str(error).partition("\n")[0][:300] or type(error).__name__)) from error
    finally:
        if client is not None:
            client.close()


def knock(kafka: str, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Refuse early when no server answers, with ClusterError: clients try for long and do not say what to do."""
    faults = []
    for server in kafka.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
        except OSError as error:
            faults.append(error.strerror or str(error))
        else:
            return
    raise ClusterError(_away(kafka, ", ".join(faults)))


def _away(kafka: str, reason: str) -> str:
    return f"Kafka at {kafka}: {reason}. Is it up (`nivaran local status`), is NIVARAN_KAFKA right?"
