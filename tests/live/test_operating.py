"""The operator's commands on a real broker: topics, dead letters."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka import KafkaAdminClient

from deploy.cli import cli
from deploy.local.kafka import KafkaCluster
from schemas.registry import dead_letters
from schemas.topics import CASE_COMMANDS, CASE_EVENTS, INTAKE_SUBMITTED

pytestmark = pytest.mark.live
DEAD = dead_letters(CASE_COMMANDS)
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker of its own: the commands work on the topics of the registry, which other tests use as well."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture
def nivaran(own_kafka: KafkaCluster) -> Command:
    settings = {"NIVARAN_KAFKA": own_kafka.bootstrap, "NIVARAN_PARTITIONS": "2", "NIVARAN_REPLICATION": "1"}

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(cli, arguments, env={**settings, **more}, catch_exceptions=False)

    return run


@pytest.fixture
def topics(nivaran: Command) -> None:
    assert nivaran("topics", "apply").exit_code == 0


def states(result: Result) -> set[str]:
    return {topic["state"] for topic in json.loads(result.stdout)["topics"]}


def test_topics_are_created_once_and_differences_told(nivaran: Command, own_kafka: KafkaCluster) -> None:
    missing = nivaran("topics", "verify", "--json")
    assert (missing.exit_code, states(missing)) == (1, {"missing"})

    dry = nivaran("topics", "apply", "--dry-run", "--json")
    assert (dry.exit_code, states(dry)) == (0, {"created"})
    assert states(nivaran("topics", "verify", "--json")) == {"missing"}

    assert states(nivaran("topics", "apply", "--json")) == {"created"}
    again = nivaran("topics", "apply", "--json")
    assert (again.exit_code, states(again)) == (0, {"same"})
    assert nivaran("topics", "verify").exit_code == 0

    other_count = nivaran("topics", "verify", "--partitions", "3")
    assert other_count.exit_code == 1
    assert "partitions: 2, wanted 3" in other_count.stdout
    assert "NIVARAN_PARTITIONS=2" in other_count.stderr
    assert nivaran("topics", "apply", "--partitions", "3").exit_code == 1

    admin = KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap)
    partitions = {each["name"]: len(each["partitions"]) for each in admin.describe_topics([CASE_COMMANDS])}
    admin.close()
    assert partitions == {CASE_COMMANDS: 2}


def test_a_setting_somebody_changed_by_hand_is_told_and_put_right(nivaran: Command, topics: None) -> None:
    simulated = nivaran("topics", "apply", NIVARAN_CLOCK="simulated")
    assert simulated.exit_code == 0
    told = nivaran("topics", "verify")
    assert told.exit_code == 1
    assert "retention.ms: -1, wanted 31536000000" in told.stdout
    assert nivaran("topics", "apply").exit_code == 0
    assert nivaran("topics", "verify").exit_code == 0


def test_more_copies_than_brokers_are_refused_with_the_reason(own_kafka: KafkaCluster, nivaran: Command) -> None:
    refused = nivaran("topics", "apply", "--replication", "3", "--dry-run")
    assert refused.exit_code == 1


def test_kafka_away_is_said_so() -> None:
    away = CliRunner().invoke(cli, ["topics", "verify"], env={"NIVARAN_KAFKA": "127.0.0.1:1"})
    assert away.exit_code == 1
    assert "127.0.0.1:1" in away.output
    assert "nivaran local" in away.output


def dead(error: str, number: int, origin: str = CASE_COMMANDS) -> dict[str, Any]:
    headers = {
        "ce_id": f"id-{number}", "x-dlq-original-topic": origin, "x-dlq-original-partition": "0",
        "x-dlq-original-offset": str(number), "x-dlq-original-timestamp": str(1_787_000_000_000 + number),
        "x-dlq-error-class": error, "x-dlq-error-message": "Object missing required field `recording`",
        "x-dlq-attempts": "1", "x-dlq-consumer-group": "nivaran-case", "x-dlq-failed-at": "1787000001000",
    }  # fmt: skip
    return {
        "key": b"109763405948883359", "value": f'{{"n": {number}, "text": "असंतुष्ट"}}'.encode(),
        "headers": [(name, value.encode()) for name, value in headers.items()],
    }  # fmt: skip


def written_back(kafka: str) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "t", "isolation.level": "read_committed",
                         "enable.partition.eof": True})  # fmt: skip
    consumer.assign([TopicPartition(CASE_COMMANDS, each, 0) for each in range(2)])
    found: list[Any] = []
    ends = 0
    while ends < 2:
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            ends += 1
        else:
            found.append(message)
    consumer.close()
    return found


@pytest.fixture
def three_dead(own_kafka: KafkaCluster, topics: None) -> None:
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "partitioner": "murmur2_random"})
    for number, error in enumerate(["invalid", "malformed", "invalid"]):
        producer.produce(DEAD, **dead(error, number))
    assert producer.flush(10) == 0


def test_dead_letters_go_back_once_and_unchanged(nivaran: Command, own_kafka: KafkaCluster, three_dead: None) -> None:
    listed = nivaran("dlq", "list", "--json")
    assert listed.exit_code == 1
    assert {(pile["error_class"], pile["waiting"]) for pile in json.loads(listed.stdout)["dead_letters"]} == {
        ("invalid", 2),
        ("malformed", 1),
    }

    shown = json.loads(nivaran("dlq", "show", "--error-class", "malformed", "--json").stdout)["dead_letters"]
    assert len(shown) == 1
    assert "value" not in shown[0]
    whole = nivaran("dlq", "show", shown[0]["place"], "--value")
    assert "असंतुष्ट" in whole.stdout
    assert "missing required field" in whole.stdout

    dry = nivaran("dlq", "redrive", "--error-class", "invalid", "--dry-run", "--json")
    assert json.loads(dry.stdout)["total"] == 2
    assert written_back(own_kafka.bootstrap) == []

    first = nivaran("dlq", "redrive", "--error-class", "invalid", "--limit", "1", "--json")
    second = nivaran("dlq", "redrive", "--error-class", "invalid", "--rate", "500", "--json")
    third = nivaran("dlq", "redrive", "--error-class", "invalid", "--json")
    assert [json.loads(each.stdout)["total"] for each in (first, second, third)] == [1, 1, 0]

    back = written_back(own_kafka.bootstrap)
    assert [message.value() for message in back] == [dead("invalid", number)["value"] for number in (0, 2)]
    headers = dict(back[0].headers())
    assert headers["ce_id"] == b"id-0"
    assert headers["x-dlq-attempts"] == b"1"
    assert headers["x-dlq-redriven"].startswith(DEAD.encode())
    assert "x-dlq-error-class" not in headers
    assert back[0].timestamp()[1] == 1_787_000_000_000

    assert json.loads(nivaran("dlq", "list", "--json").stdout)["waiting"] == 1
    assert json.loads(nivaran("dlq", "redrive", "--json").stdout)["total"] == 1
    assert nivaran("dlq", "list").exit_code == 0


def test_a_letter_that_names_a_foreign_topic_is_not_sent_there(
    nivaran: Command, own_kafka: KafkaCluster, topics: None
) -> None:
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap})
    producer.produce(DEAD, **dead("strange", 9, origin=INTAKE_SUBMITTED))
    producer.flush(10)
    refused = nivaran("dlq", "redrive", "--error-class", "strange")
    assert refused.exit_code == 1
    assert INTAKE_SUBMITTED in refused.output


def test_a_place_that_is_none_is_wrong_usage(nivaran: Command) -> None:
    assert nivaran("dlq", "show", "grievance.nowhere/1").exit_code == 2


@pytest.mark.usefixtures("topics")
def test_the_audit_says_that_it_is_older_than_what_wrote_the_log(nivaran: Command, own_kafka: KafkaCluster) -> None:
    later = Producer({"bootstrap.servers": own_kafka.bootstrap})
    later.produce(CASE_EVENTS, b'{"type": "case.from-a-later-release.v1"}', b"109763405948883359")
    assert later.flush(20) == 0
    told = nivaran("audit", "--no-redis", "--processes", "1")
    assert told.exit_code == 1
    assert "a later release wrote it" in told.stderr
    assert "case.from-a-later-release" not in told.stderr, "nothing of what a record says"
