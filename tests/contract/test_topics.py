"""The registry of topics, the constants of the code and the records agree; a cluster is compared with it exactly."""

import re
from typing import Any, get_args

import pytest

from agents.kafka_admin import Spec, compare, specs
from schemas import access, base, clusters, commands, events, intake, officers, review, sla, sms
from schemas import topics as names
from schemas.assignments import DepartmentAssigned
from schemas.codec import tag
from schemas.publish import records
from schemas.registry import DEPARTMENT_FEED, dead_letters, declared, department_feed, topics
from streams.profiles.load import departments
from streams.stage import Stage
from streams.topology import EFFECTS, STAGES

MAY_BE_ON = {
    names.INTAKE_SUBMITTED: intake.IntakeInput,
    names.INTAKE_REJECTED: intake.IntakeOutcome,
    names.CASE_COMMANDS: commands.CaseCommand,
    names.CASE_EVENTS: events.Event,
    names.ESCALATION_RAISED: events.EscalationRaised | events.EscalationSentUp,
    names.CLUSTER_SIGHTED: clusters.ClusterInput,
    names.CLUSTER_SUGGESTED: clusters.ClusterSuggested,
    DEPARTMENT_FEED: DepartmentAssigned,
    names.SMS_REQUESTED: sms.SmsInput,
    names.SMS_OUTBOX: sms.SmsHandover,
    names.SMS_TURNS: sms.TurnInput,
    names.SMS_DELIVERY: sms.SmsFact,
    names.SLA_FACTS: sla.SlaInput,
    names.SLA_WINDOW: sla.SlaWindow,
    names.OFFICE_ACTIVITY: officers.OfficeInput,
    names.DIRECTORY: officers.OfficeEntry,
    names.OFFICER_ACTIVITY: officers.OfficerInput,
    names.OFFICER_EVENTS: officers.OfficerFact,
    names.REVIEW_OUTCOMES: review.ReviewOutcome,
    names.ACCESS_READ: access.AccessRead,
    names.WEBHOOK_UNDELIVERED: (events.EscalationRaised | events.EscalationSentUp | DepartmentAssigned | sla.SlaWindow),
    names.CLOCK: base.Wake,
}
STAGE_NAMES = {stage.name for stage in STAGES}
ROLES = STAGE_NAMES | {"gateway", "load", "board", "downstream", "demo", "review", "webhooks"}
CONSTANTS = {value for key, value in vars(names).items() if key.isupper()}


def tags(kind: Any) -> set[str]:
    return {tag(each) for each in get_args(kind) or (kind,)}


def test_every_constant_stands_in_the_registry_and_the_other_way_round() -> None:
    assert CONSTANTS | {DEPARTMENT_FEED} == set(declared())


@pytest.mark.parametrize("topic", declared())
def test_a_topic_holds_exactly_the_records_it_may(topic: str) -> None:
    values = declared()[topic].values
    assert set(values) == tags(MAY_BE_ON[topic])
    assert len(values) == len(set(values))


def test_every_record_type_has_a_topic() -> None:
    assert {value for topic in declared().values() for value in topic.values} == set(records())


@pytest.mark.parametrize("topic", declared())
def test_names_follow_the_convention(topic: str) -> None:
    assert re.fullmatch(r"grievance(\.([a-z]+|\{department\}))+\.v[1-9][0-9]*", topic)


@pytest.mark.parametrize("topic", declared())
def test_writers_and_readers_are_known_roles(topic: str) -> None:
    assert set(declared()[topic].writers) <= ROLES
    assert set(declared()[topic].readers) <= ROLES


def test_one_input_topic_per_stage() -> None:
    for stage in STAGES:
        read = [name for name, topic in declared().items() if stage.name in topic.readers and name != names.CLOCK]
        # the sms role's sender is named as its stage is
        assert [name for name in read if name != names.SMS_OUTBOX] == [stage.reads]


def test_what_a_worker_cannot_take_has_somewhere_to_go() -> None:
    for name, topic in declared().items():
        if STAGE_NAMES & set(topic.readers) and name != names.CLOCK:
            assert topic.dlq, name


def test_every_department_has_a_feed_of_its_own() -> None:
    existing = topics(departments())
    assert {department_feed(department) for department in departments()} <= set(existing)
    assert DEPARTMENT_FEED not in existing


def test_co_partitioned_topics_have_one_count() -> None:
    wanted = specs(departments(), partitions=6, replication=3)
    assert {spec.partitions for name, spec in wanted.items() if name != names.CLOCK} == {6}
    assert wanted[names.CLOCK].partitions == 1


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_a_partition_can_lose_a_copy_and_still_be_written(copies: int, in_sync: str) -> None:
    for spec in specs((), partitions=1, replication=copies).values():
        assert spec.config["min.insync.replicas"] == in_sync


def test_state_can_always_be_rebuilt() -> None:
    for name in (names.CASE_COMMANDS, names.CASE_EVENTS, names.SLA_FACTS):
        assert topics(())[name].config["retention.ms"] == "-1"


def test_dead_letters_stay_until_somebody_deals_with_them() -> None:
    assert topics(())[dead_letters(names.CASE_COMMANDS)].config["retention.ms"] == "-1"


def test_with_simulated_time_nothing_is_deleted_by_age() -> None:
    for spec in specs(departments(), partitions=1, replication=1, expire=False).values():
        assert spec.config["retention.ms"] == "-1"


def test_comparison_names_each_difference() -> None:
    wanted = Spec("t", 12, 3, {"retention.ms": "-1"})
    found = Spec("t", 4, 1, {"retention.ms": "1000", "other": "whatever"})
    assert compare(wanted, found).differences == (
        "partitions: 4, wanted 12",
        "replication: 1, wanted 3",
        "retention.ms: 1000, wanted -1",
    )
    assert compare(wanted, wanted).good
    assert compare(wanted, None).state == "missing"


def feeds(topic: str) -> str:
    """Every department's feed is one entry of the registry."""
    return DEPARTMENT_FEED if topic.startswith(DEPARTMENT_FEED.partition("{")[0]) else topic


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_stages_and_registry_say_the_same(stage: Stage[Any]) -> None:
    registry = declared()
    assert stage.name in registry[stage.reads].readers
    assert set(registry[stage.reads].values) == tags(stage.records)
    for topic in map(feeds, stage.writes):
        assert stage.name in registry[topic].writers


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.name)
def test_effects_and_registry_say_the_same(effect: Any) -> None:
    registry = declared()
    assert all(effect.role in registry[topic].readers for topic in effect.reads)
    assert all(effect.role in registry[topic].writers for topic in effect.writes)


def test_nobody_reads_or_writes_what_the_registry_does_not_know() -> None:
    """The other way round: who is named as reader or writer in the registry and is a stage, is one of that topic."""
    reads = {(stage.name, stage.reads) for stage in STAGES} | {(e.role, t) for e in EFFECTS for t in e.reads}
    writes = {(stage.name, feeds(topic)) for stage in STAGES for topic in stage.writes}
    writes |= {(effect.role, topic) for effect in EFFECTS for topic in effect.writes}
    # the runtime writes a stage's wakes to the topic it reads
    writes |= {(stage.name, stage.reads) for stage in STAGES if base.Wake in get_args(stage.records)}
    roles = {stage.name for stage in STAGES} | {effect.role for effect in EFFECTS}
    for name, topic in declared().items():
        if name != names.CLOCK:
            assert {(role, name) for role in roles & set(topic.readers)} == {pair for pair in reads if pair[1] == name}
            assert {(role, name) for role in roles & set(topic.writers)} == {pair for pair in writes if pair[1] == name}
