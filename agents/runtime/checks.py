"""What must hold before a worker starts: topics with the right partitions, rights, changelogs, librdkafka's bytes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient
from msgspec.structs import replace

from agents.runtime.changelogs import Changelog, prepare, when_there
from agents.runtime.exits import Exit, NotReadyError
from agents.runtime.producers import client_config
from agents.runtime.transactions import group_metadata
from agents.settings import Settings, SettingsError

NEEDS_A_HAND = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - the client's public names begin so
    KafkaError._SSL,  # noqa: SLF001
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.INVALID_CONFIG,
    KafkaError.POLICY_VIOLATION,
})  # fmt: skip
"""Answers that time does not change. Others pass, such as those of a broker that is still taking up its partitions."""
UNANSWERED = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001
ATTEMPTS = 3
"""Within `start_timeout`."""
APPLY = "`nivaran topics apply` makes what is missing"


WITHOUT = "NIVARAN_STORE: rocksdb needs the extra `rocksdb` (pip install 'nivaran[rocksdb]')"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a role touches. Topics map to the partitions they must have, None where any number will do."""

    group: str
    reads: Mapping[str, int | None]
    writes: frozenset[str]
    changelogs: tuple[Changelog, ...]


def take_folder(settings: Settings, group: str) -> Mapping[str, Any]:
    """Take the folder of a worker whose states are on disk, and answer what its stores need; else nothing.

    Raises SettingsError, and NotReadyError when it cannot be written or another process has it.
    """
    if settings.store == "memory":
        return {}
    if not settings.store_dir:
        raise SettingsError("NIVARAN_STORE_DIR is not set: NIVARAN_STORE=rocksdb needs a folder on a disk that lasts")
    try:
        from agents.runtime.disk import logs  # noqa: PLC0415 - an optional extra
        from agents.runtime.rocks import Folder  # noqa: PLC0415
    except ImportError:
        raise SettingsError(WITHOUT) from None
    return {"folder": Folder(Path(settings.store_dir) / group, settings.store_cache_mb), "ask": partial(logs, settings)}


def check_metadata_bytes(settings: Settings, group: str) -> None:
    """Compare our serialised group membership with the client's own, for a member that has not joined."""
    instance = {"group.instance.id": settings.instance} if settings.instance else {}
    consumer = Consumer({**client_config(settings), "group.id": group, **instance})
    try:
        theirs = consumer.consumer_group_metadata()
    finally:
        consumer.close()
    if theirs != group_metadata(group, -1, "", settings.instance):
        raise NotReadyError(
            Exit.NOT_SET_UP, "this confluent-kafka serialises group metadata in another way; install the pinned version"
        )


def check_kafka(settings: Settings, needs: Needs) -> None:
    """Check topics, rights and changelogs, and make the changelogs of a new group; raises NotReadyError.

    What is not answered is asked again, by a new client: while a cluster's first groups were being made, librdkafka's
    admin client (2.16) was seen without an answer for 30 s, and one begun after it had its own at once.
    """
    attempt = replace(settings, start_timeout=settings.start_timeout / ATTEMPTS)
    for left in reversed(range(ATTEMPTS)):
        try:
            _check(attempt, needs)
        except (KafkaException, TimeoutError) as error:
            fault = error.args[0] if isinstance(error, KafkaException) else None
            if fault is not None and (not left or fault.code() not in UNANSWERED):
                raise NotReadyError(_code(fault), f"Kafka at {settings.kafka}: {_text(fault)}") from None
            if not left:
                silent = f"Kafka at {settings.kafka}: no answer in {settings.start_timeout:.0f} s"
                raise NotReadyError(Exit.UNAVAILABLE, silent) from None
        else:
            return


def _check(settings: Settings, needs: Needs) -> None:
    admin = AdminClient({**client_config(settings), "socket.connection.setup.timeout.ms": 5000})
    found = _partitions(admin, settings.start_timeout)
    _check_topics(found, needs)
    _check_rights(admin, needs, found, settings.start_timeout)
    prepare(admin, settings, needs.group, needs.changelogs, found)


def _partitions(admin: AdminClient, timeout: float) -> dict[str, int]:
    found = admin.list_topics(timeout=timeout).topics
    return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}


def _check_topics(found: Mapping[str, int], needs: Needs) -> None:
    named = sorted(set(needs.reads) | needs.writes)
    missing = [topic for topic in named if topic not in found]
    if missing:
        raise NotReadyError(Exit.NOT_SET_UP, f"no such topic (or no right to see it): {', '.join(missing)}; {APPLY}")
    for topic, wanted in {**needs.reads, **{each.name: each.partitions for each in needs.changelogs}}.items():
        if wanted is not None and found.get(topic, wanted) != wanted:
            raise NotReadyError(
                Exit.NOT_SET_UP,
                f"topic {topic} has {found[topic]} partitions and must have {wanted} (NIVARAN_PARTITIONS); the count "
                "is fixed for life, so either the setting or the topic is another deployment's",
            )


def _check_rights(admin: AdminClient, needs: Needs, found: Mapping[str, int], timeout: float) -> None:
    changelogs = {each.name for each in needs.changelogs} & found.keys()
    topics = sorted(set(needs.reads) | needs.writes | changelogs)
    described = admin.describe_topics(TopicCollection(topics), include_authorized_operations=True)
    lacking: list[str] = []
    for topic, future in described.items():
        allowed = future.result(timeout).authorized_operations
        lacking += _lacking(f"topic {topic}", allowed, _topic_operations(topic, needs, changelogs))
    lacking += _lacking(f"group {needs.group}", _group_operations(admin, needs.group, timeout), (AclOperation.READ,))
    if lacking:
        raise NotReadyError(Exit.NOT_SET_UP, f"rights are missing: {'; '.join(lacking)}")


def _topic_operations(topic: str, needs: Needs, changelogs: set[str]) -> Iterable[AclOperation]:
    if topic in needs.reads or topic in changelogs:
        yield AclOperation.READ
    if topic in needs.writes or topic in changelogs:
        yield AclOperation.WRITE


def _group_operations(admin: AdminClient, group: str, timeout: float) -> Iterable[AclOperation] | None:
    def allowed() -> Iterable[AclOperation] | None:
        described = admin.describe_consumer_groups([group], include_authorized_operations=True)
        operations: Iterable[AclOperation] | None = described[group].result(timeout).authorized_operations
        return operations

    try:
        return when_there(allowed, timeout)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise
        return None


def _lacking(what: str, allowed: Iterable[AclOperation] | None, wanted: Iterable[AclOperation]) -> list[str]:
    if allowed is None:  # the broker does not say
        return []
    have = set(allowed)
    return [f"{operation.name} on {what}" for operation in wanted if operation not in have]


def _code(error: KafkaError) -> Exit:
    return Exit.NOT_SET_UP if error.code() in NEEDS_A_HAND else Exit.UNAVAILABLE


def _text(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"
