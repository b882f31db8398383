"""For every alert: series with which it fires, and series near to them with which it does not."""

from typing import NamedTuple

from deploy.observability.slo import OBJECTIVES

Series = dict[str, str]
"""Series -> its samples, in promtool's notation, one a minute."""


class Case(NamedTuple):
    """After `minutes` of `series` the alert fires with this severity, or does not."""

    alert: str
    severity: str
    fires: bool
    minutes: int
    series: Series


def _pair(alert: str, severity: str, minutes: int, fires: Series, quiet: Series) -> tuple[Case, Case]:
    return Case(alert, severity, True, minutes, fires), Case(alert, severity, False, minutes, quiet)


def const(value: float | str) -> str:
    return f"{value}x1600"


def grows(by: float, minutes: int = 1600) -> str:
    return f"0+{by}x{minutes}"


LAG, AT = "kafka_consumergroup_lag", "kafka_consumergroup_current_offset"
PLACE = '{consumergroup="g",topic="t",partition="0"}'
SECONDS = "nivaran_consumergroup_lag_seconds"

CAUSES: tuple[Case, ...] = (
    Case("Watchdog", "none", True, 1, {}),
    *_pair(
        "NivaranTargetDown",
        "page",
        5,
        {'up{job="nivaran-worker",instance="a"}': const(0)},
        {'up{job="nivaran-worker",instance="a"}': "0 1x60", 'up{job="other",instance="a"}': const(0)},
    ),
    *_pair("NivaranExporterAbsent", "page", 7, {}, {'nivaran_exporter_up{source="kafka"}': const(0)}),
    *_pair(
        "NivaranExporterBlind",
        "ticket",
        4,
        {'nivaran_exporter_up{source="redis"}': const(0)},
        {'nivaran_exporter_up{source="redis"}': "0 1 0 1 0 1"},
    ),
    *_pair(
        "NivaranLabelOverflow",
        "ticket",
        20,
        {'nivaran_label_overflow_total{metric="m"}': grows(1)},
        {'nivaran_label_overflow_total{metric="m"}': const(7)},
    ),
    *_pair(
        "NivaranClockAbsent",
        "page",
        4,
        {'nivaran_clock_behind_seconds{part="sla"}': const(0)},
        {'nivaran_clock_behind_seconds{part="case"}': const(0)},
    ),
    *_pair(
        "NivaranClockStopped",
        "page",
        4,
        {'nivaran_clock_behind_seconds{part="case"}': grows(60)},
        {'nivaran_clock_behind_seconds{part="case"}': const(59)},
    ),
    *_pair(
        "NivaranTimersOverdue",
        "page",
        4,
        {'nivaran_timer_overdue_seconds{part="case"}': const(61)},
        {'nivaran_timer_overdue_seconds{part="case"}': "70 10x60"},
    ),
    *_pair(
        "NivaranPartitionsUnowned",
        "page",
        4,
        {'nivaran_consumergroup_unowned_partitions{consumergroup="g"}': const(3)},
        {'nivaran_consumergroup_unowned_partitions{consumergroup="g"}': "3 0x60"},
    ),
    *_pair(
        "NivaranStandbyLost",
        "ticket",
        30,
        {'kafka_consumergroup_members{consumergroup="g"}': "2x10 1x60"},
        {
            'kafka_consumergroup_members{consumergroup="g"}': const(1),
            'kafka_consumergroup_members{consumergroup="h"}': const(2),
        },
    ),
    *_pair(
        "NivaranLagSeconds",
        "page",
        5,
        {SECONDS + PLACE: const(61)},
        {
            SECONDS + PLACE: "90 20x60",
            SECONDS + '{consumergroup="g-webhooks-desk",topic="t",partition="0"}': const(9000),
        },
    ),
    *_pair(
        "NivaranLagStuck",
        "page",
        12,
        {LAG + PLACE: const(5), AT + PLACE: const(10), SECONDS + PLACE: grows(60)},
        {LAG + PLACE: const(5), AT + PLACE: grows(1), SECONDS + PLACE: const(400)},
    ),
    *_pair(
        "NivaranWorkerNotReady",
        "page",
        6,
        {'nivaran_ready{instance="a"}': const(0)},
        {'nivaran_ready{instance="a"}': "0 0 1x60"},
    ),
    *_pair(
        "NivaranRecoveryStalled",
        "ticket",
        8,
        {'nivaran_recovery_remaining_records{instance="a"}': const(900)},
        {'nivaran_recovery_remaining_records{instance="a"}': "9000-100x60"},
    ),
    *_pair(
        "NivaranTransactionOpen",
        "ticket",
        2,
        {'nivaran_commit_age_seconds{part="case",instance="a"}': const(12)},
        {'nivaran_commit_age_seconds{part="case",instance="a"}': const(9)},
    ),
    *_pair(
        "NivaranRestarts",
        "ticket",
        20,
        {'process_start_time_seconds{job="nivaran-worker",instance="a"}': grows(60)},
        {'process_start_time_seconds{job="nivaran-worker",instance="a"}': "100x10 200x60"},
    ),
    *_pair(
        "NivaranRebalancing",
        "ticket",
        15,
        {'nivaran_rebalances_total{job="w",instance="a"}': grows(1)},
        {'nivaran_rebalances_total{job="w",instance="a"}': "1x5 4x60"},
    ),
    *_pair(
        "NivaranDeadLetters",
        "ticket",
        15,
        {'nivaran_dead_letters_kept{topic="t.dlq"}': "0x5 2x60"},
        {'nivaran_dead_letters_kept{topic="t.dlq"}': const(7)},
    ),
    *_pair(
        "NivaranGatewayKafkaAway",
        "page",
        3,
        {'nivaran_gateway_kafka_up{instance="a"}': const(0)},
        {'nivaran_gateway_kafka_up{instance="a"}': "0 1x60"},
    ),
    *_pair(
        "NivaranGatewayWithoutRedis",
        "ticket",
        15,
        {'nivaran_gateway_redis_away_total{use="idempotency",instance="a"}': grows(3)},
        {'nivaran_gateway_redis_away_total{use="idempotency",instance="a"}': const(3)},
    ),
    *_pair(
        "NivaranNoIntake",
        "ticket",
        1540,
        {'nivaran_gateway_submissions_total{channel="call"}': "0+1x1440 1440x200"},
        {'nivaran_gateway_submissions_total{channel="call"}': "0x1450 0+1x200"},
    ),
    *_pair(
        "NivaranSubscriberAway",
        "ticket",
        12,
        {'nivaran_webhook_tried_seconds{subscription="desk",instance="a"}': const(3700)},
        {
            'nivaran_webhook_tried_seconds{subscription="desk",instance="a"}': const(3000),
            SECONDS + PLACE: const(9000),
        },
    ),
    *_pair(
        "NivaranSubscriberAway",
        "ticket",
        12,
        {SECONDS + '{consumergroup="g-webhooks-desk",topic="t",partition="0"}': const(3700)},
        {SECONDS + '{consumergroup="g-webhooks-desk",topic="t",partition="0"}': const(3000)},
    ),
    *_pair(
        "NivaranSmsGatewayAway",
        "page",
        4,
        {"nivaran_sms_gateway_resting": const(1)},
        {"nivaran_sms_gateway_resting": "1 0 1 0 1 0 1 0"},
    ),
    *_pair(
        "NivaranSmsRefused",
        "ticket",
        25,
        {
            'nivaran_sms_calls_total{outcome="refused"}': grows(1),
            'nivaran_sms_calls_total{outcome="accepted"}': grows(9),
        },
        {
            'nivaran_sms_calls_total{outcome="refused"}': grows(0.5),
            'nivaran_sms_calls_total{outcome="accepted"}': grows(0.5),
        },
    ),
    *_pair(
        "NivaranSmsUnknown",
        "ticket",
        30,
        {'nivaran_sms_total{system="s",state="unknown"}': "0x10 1x60"},
        {
            'nivaran_sms_total{system="s",state="unknown"}': const(4),
            'nivaran_sms_total{system="s",state="failed"}': grows(1),
        },
    ),
    *_pair(
        "NivaranBoardRedisAway", "page", 3, {"nivaran_board_redis_up": const(0)}, {"nivaran_board_redis_up": "0 1x60"}
    ),
    *_pair(
        "NivaranBoardRebuilt",
        "ticket",
        20,
        {"nivaran_board_rebuilds_total": "0x10 1x60"},
        {"nivaran_board_rebuilds_total": const(1)},
    ),
    *_pair(
        "NivaranBoardUnreadable",
        "ticket",
        1,
        {"nivaran_board_unreadable_records": const(2)},
        {"nivaran_board_unreadable_records": const(0)},
    ),
    *_pair(
        "NivaranFallbackRouting",
        "ticket",
        20,
        {'nivaran_cases_total{system="s",step="routed-to-fallback"}': grows(1)},
        {
            'nivaran_cases_total{system="s",step="routed-to-fallback"}': const(4),
            'nivaran_cases_total{system="s",step="routed"}': grows(9),
        },
    ),
    *_pair("NivaranBrokerMissing", "page", 15, {"kafka_brokers": "3x5 2x60"}, {"kafka_brokers": const(1)}),
    *_pair(
        "NivaranPartitionWithoutLeader",
        "page",
        3,
        {'kafka_topic_partition_leader{topic="t",partition="0"}': const(-1)},
        {'kafka_topic_partition_leader{topic="t",partition="0"}': const(1)},
    ),
    *_pair(
        "NivaranUnderReplicated",
        "ticket",
        4,
        {'kafka_topic_partition_under_replicated_partition{topic="t"}': const(1)},
        {'kafka_topic_partition_under_replicated_partition{topic="t"}': "1 0x60"},
    ),
    *_pair(
        "NivaranDiskAlmostFull",
        "page",
        8,
        {"nivaran_disk_free_ratio": const(0.09)},
        {"nivaran_disk_free_ratio": const(0.11)},
    ),
    *_pair(
        "NivaranDiskFilling",
        "ticket",
        460,
        {"nivaran_disk_free_ratio": "0.39-0.0001x600"},
        {"nivaran_disk_free_ratio": "0.39-0.00001x600"},
    ),
)


def _burnt(slo: str, bad: float, good: float) -> Series:
    """`bad` and `good` events a minute, as the processes count them."""
    total = bad + good
    match slo:
        case "intake-durable":
            post = 'nivaran_gateway_requests_total{{method="POST",route="/v1/complaints",status="{}"}}'
            return {post.format(503): grows(bad), post.format(202): grows(good), post.format(422): grows(50)}
        case "event-processed":
            return {
                'nivaran_late_records_total{part="case"}': grows(bad),
                'nivaran_records_total{part="case"}': grows(total),
                'nivaran_late_records_total{part="board"}': grows(99),
                'nivaran_records_total{part="board"}': grows(99),
            }
        case "escalation-on-time":
            labels = '{part="case",led_to="case.became-defaulter"}'
            return {f"nivaran_late_timers_total{labels}": grows(bad), f"nivaran_timers_total{labels}": grows(total)}
        case "officer-sms":
            labels = 'audience="officer",step="registered"'
            accepted = f'nivaran_sms_accepted_seconds_bucket{{{labels},le="60.0"}}'
            return {f"nivaran_sms_first_calls_total{{{labels}}}": grows(total), accepted: grows(good)}
        case "dead-letters":
            return {
                'nivaran_dead_letters_total{part="case",error="invalid"}': grows(bad),
                'nivaran_records_total{part="case"}': grows(total),
            }
        case "read-model-fresh":
            group = '{consumergroup="nivaran-board"}'
            return {
                f"nivaran_lag_stale_looks_total{group}": grows(bad),
                f"nivaran_lag_looks_total{group}": grows(total),
            }
        case _:
            raise KeyError(slo)


def _burns() -> list[Case]:
    cases = []
    for objective in OBJECTIVES:
        budget = 1 - objective.percent / 100
        rate = 100.0
        fast, slow, even = ((budget * factor * rate) for factor in (20, 4, 0.5))
        burnt, name = objective.slo, objective.alert
        cases += [
            Case(name, "page", True, 90, _burnt(burnt, fast, rate - fast)),
            Case(name, "page", False, 500, _burnt(burnt, slow, rate - slow)),
            Case(name, "page", False, 90, _burnt(burnt, 0.02, 0)),  # all of very little
            Case(name, "ticket", True, 1500, _burnt(burnt, slow, rate - slow)),
            Case(name, "ticket", False, 1500, _burnt(burnt, even, rate - even)),
        ]
    return cases


CASES: tuple[Case, ...] = (*CAUSES, *_burns())
