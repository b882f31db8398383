"""Alerts that are no objective: causes that need hands, and the watch over the watch itself."""

from typing import Any, Final, Literal, NamedTuple

Severity = Literal["page", "ticket", "none"]
RUNBOOK: Final = "{{{{ $externalLabels.runbooks }}}}/{alert}.md"
"""Where the runbook is: the external label `runbooks` of deploy/prometheus/prometheus.yml names its address."""


WORKERS: Final = 'consumergroup!~".+-webhooks-.+"'
"""Groups of ours: a subscriber who is away is no reason to call somebody at night."""
SUBSCRIBERS: Final = 'consumergroup=~".+-webhooks-.+"'


class Alert(NamedTuple):
    """One alert; `hold` is how long its expression must hold."""

    name: str
    severity: Severity
    hold: str
    expr: str
    summary: str
    description: str


GROUPS: Final[dict[str, tuple[Alert, ...]]] = {
    "nivaran-watch": (
        Alert(
            "Watchdog", "none", "0m", "vector(1)",
            "Always firing: proves that alerts reach somebody.",
            "Whoever receives this must raise the alarm when it stops coming.",
        ),
        Alert(
            "NivaranTargetDown", "page", "2m", 'up{job=~"nivaran-.+"} == 0',
            "{{ $labels.job }} at {{ $labels.instance }} does not answer.",
            "Prometheus has not been able to scrape it for two minutes: it is down, hangs, or cannot be reached.",
        ),
        Alert(
            "NivaranExporterAbsent", "page", "5m", "absent(nivaran_exporter_up)",
            "No exporter runs: nobody sees lag.",
            "Lag, partitions without owner and the state of the helpline are watched by `nivaran exporter` alone.",
        ),
        Alert(
            "NivaranExporterBlind", "ticket", "2m", "nivaran_exporter_up == 0",
            "The exporter cannot read {{ $labels.source }}.",
            "What it showed of {{ $labels.source }} is gone from the dashboards until that answers.",
        ),
        Alert(
            "NivaranLabelOverflow", "ticket", "0m",
            "sum by (metric) (increase(nivaran_label_overflow_total[15m])) > 0",
            "Label values of {{ $labels.metric }} are shown as `other`.",
            "A value was no plain word, or one more than is kept: a new kind of fault, or input where it must not be.",
        ),
    ),
    "nivaran-time": (
        Alert(
            "NivaranClockAbsent", "page", "2m", 'absent(nivaran_clock_behind_seconds{part="case"})',
            "Nobody watches the deadlines of cases.",
            "No worker of role `case` owns a partition and tells its clock. Nothing is escalated on time-out.",
        ),
        Alert(
            "NivaranClockStopped", "page", "1m",
            "max by (part) (nivaran_clock_behind_seconds) > 60",
            "The clock of {{ $labels.part }} stands still.",
            "A worker of {{ $labels.part }} has not looked at what is due for {{ $value | humanizeDuration }}.",
        ),
        Alert(
            "NivaranTimersOverdue", "page", "1m", "max by (part) (nivaran_timer_overdue_seconds) > 60",
            "Due instants of {{ $labels.part }} wait for their wakes.",
            "The earliest has been due for {{ $value | humanizeDuration }}: more falls due than is folded.",
        ),
    ),
    "nivaran-workers": (
        Alert(
            "NivaranPartitionsUnowned", "page", "1m",
            f"max by (consumergroup) (nivaran_consumergroup_unowned_partitions{{{WORKERS}}}) > 0",
            "Nobody reads {{ $value }} partitions of {{ $labels.consumergroup }}.",
            "The group has no member for them: its workers are down, or a rebalance does not end.",
        ),
        Alert(
            "NivaranStandbyLost", "ticket", "10m",
            "kafka_consumergroup_members == 1 and max_over_time(kafka_consumergroup_members[1d]) > 1",
            "{{ $labels.consumergroup }} is down to one member.",
            "It had more within the last day; with the last one, its partitions stop.",
        ),
        Alert(
            "NivaranLagSeconds", "page", "2m",
            f"max by (consumergroup) (nivaran_consumergroup_lag_seconds{{{WORKERS}}}) > 60",
            "{{ $labels.consumergroup }} is {{ $value | humanizeDuration }} behind.",
            "The oldest record it has not committed arrived that long ago.",
        ),
        Alert(
            "NivaranLagStuck", "page", "2m",
            "kafka_consumergroup_lag > 0 and changes(kafka_consumergroup_current_offset[5m]) == 0"
            f" and nivaran_consumergroup_lag_seconds{{{WORKERS}}} > 300",
            "{{ $labels.consumergroup }} does not move on {{ $labels.topic }}/{{ $labels.partition }}.",
            "Records wait there, and nothing has been committed for five minutes.",
        ),
        Alert(
            "NivaranWorkerNotReady", "page", "3m", "nivaran_ready == 0",
            "{{ $labels.instance }} is not ready.",
            "It recovers, rebalances, or has no assignment; `/readyz` says which.",
        ),
        Alert(
            "NivaranRecoveryStalled", "ticket", "1m",
            "nivaran_recovery_remaining_records > 0 and changes(nivaran_recovery_remaining_records[2m]) == 0",
            "{{ $labels.instance }} does not get on with its recovery.",
            "{{ $value }} changelog records are left, and none was read for two minutes.",
        ),
        Alert(
            "NivaranTransactionOpen", "ticket", "0m", "max by (instance, part) (nivaran_commit_age_seconds) > 10",
            "A transaction of {{ $labels.part }} on {{ $labels.instance }} has been open for {{ $value }} s.",
            "Kafka does not acknowledge it; after NIVARAN_TRANSACTION_TIMEOUT the worker ends itself.",
        ),
        Alert(
            "NivaranRestarts", "ticket", "0m", 'changes(process_start_time_seconds{job=~"nivaran-.+"}[15m]) >= 3',
            "{{ $labels.instance }} was started {{ $value }} times in a quarter of an hour.",
            "A worker that doubts what is durable ends itself; its exit code and last line say why.",
        ),
        Alert(
            "NivaranRebalancing", "ticket", "0m",
            "sum by (job, instance) (increase(nivaran_rebalances_total[10m])) > 6",
            "{{ $labels.instance }} rebalances again and again.",
            "Members come and go, or heartbeats do not reach the coordinator in NIVARAN_SESSION_TIMEOUT.",
        ),
        Alert(
            "NivaranDeadLetters", "ticket", "0m", "max by (topic) (delta(nivaran_dead_letters_kept[30m])) > 0",
            "New dead letters in {{ $labels.topic }}.",
            "Records could not be taken in the last half hour; each has its reason with it.",
        ),
    ),
    "nivaran-gateway": (
        Alert(
            "NivaranGatewayKafkaAway", "page", "30s", "nivaran_gateway_kafka_up == 0",
            "The gateway at {{ $labels.instance }} refuses everything.",
            "It does not reach Kafka, or Kafka has not the topics it needs.",
        ),
        Alert(
            "NivaranGatewayWithoutRedis", "ticket", "2m",
            "sum by (instance) (increase(nivaran_gateway_redis_away_total[5m])) > 0",
            "The gateway at {{ $labels.instance }} goes on without Redis.",
            "Intake is taken; repeats are found by their ids only, limits are not kept, cases cannot be asked for.",
        ),
        Alert(
            "NivaranNoIntake", "ticket", "10m",
            "sum(increase(nivaran_gateway_submissions_total[1h])) == 0"
            " and sum(increase(nivaran_gateway_submissions_total[1h] offset 1d)) > 20",
            "No submission for an hour.",
            "At this hour of yesterday there were some: a channel in front of the gateway is broken.",
        ),
    ),
    "nivaran-sms": (
        Alert(
            "NivaranSubscriberAway", "ticket", "10m",
            "max by (subscription) (nivaran_webhook_tried_seconds) > 3600"
            " or max by (subscription) (nivaran_webhook_gone) == 1"
            f" or max by (subscription) (label_replace(nivaran_consumergroup_lag_seconds{{{SUBSCRIBERS}}},"
            ' "subscription", "$1", "consumergroup", ".+-webhooks-(.+)")) > 3600',
            "The subscriber {{ $labels.subscription }} is not reached.",
            "Its endpoint has not taken a record for an hour, has answered 410, or is called by nobody. Others are not"
            " held up.",
        ),
        Alert(
            "NivaranSmsGatewayAway", "page", "2m", "max(nivaran_sms_gateway_resting) == 1",
            "The SMS gateway does not answer.",
            "Calls rest and are tried again; messages wait and none is lost.",
        ),
        Alert(
            "NivaranSmsRefused", "ticket", "5m",
            'sum(rate(nivaran_sms_calls_total{outcome="refused"}[15m]))'
            " / sum(rate(nivaran_sms_calls_total[15m])) > 0.05"
            " and on() sum(increase(nivaran_sms_calls_total[15m])) >= 20",
            "The SMS gateway refuses {{ $value | humanizePercentage }} of the messages.",
            "Refused messages are not tried again: a template, a header or numbers are wrong.",
        ),
        Alert(
            "NivaranSmsUnknown", "ticket", "0m",
            'sum by (system) (increase(nivaran_sms_total{state="unknown"}[1h])) > 0',
            "Of messages of {{ $labels.system }} nobody knows whether they were sent.",
            "The gateway took too long to answer, and the profile allows no second try.",
        ),
    ),
    "nivaran-board": (
        Alert(
            "NivaranBoardRedisAway", "page", "1m", "nivaran_board_redis_up == 0",
            "The board cannot write the read model.",
            "Nothing is acknowledged until Redis is back; cases are decided all the same.",
        ),
        Alert(
            "NivaranBoardRebuilt", "ticket", "0m", "increase(nivaran_board_rebuilds_total[1h]) > 0",
            "The read model was lost and is made anew.",
            "Redis was flushed or restarted without its data; idempotency keys of the gateway are gone with it.",
        ),
        Alert(
            "NivaranBoardUnreadable", "ticket", "0m", "nivaran_board_unreadable_records > 0",
            "{{ $value }} records cannot be shown.",
            "The board is older than what writes to its topics; they stay in the log.",
        ),
        Alert(
            "NivaranFallbackRouting", "ticket", "0m",
            'sum by (system) (increase(nivaran_cases_total{step="routed-to-fallback"}[1h])) > 0',
            "Cases of {{ $labels.system }} go to the fallback office.",
            "No rule of the profile names an office for their department and place.",
        ),
    ),
    "nivaran-kafka": (
        Alert(
            "NivaranBrokerMissing", "page", "1m", "kafka_brokers < max_over_time(kafka_brokers[1d])",
            "A broker is missing: {{ $value }} are there.",
            "Within the last day there were more.",
        ),
        Alert(
            "NivaranPartitionWithoutLeader", "page", "30s", "count(kafka_topic_partition_leader < 0) > 0",
            "{{ $value }} partitions have no leader.",
            "Nothing can be written to them or read from them.",
        ),
        Alert(
            "NivaranUnderReplicated", "ticket", "2m",
            "sum(kafka_topic_partition_under_replicated_partition) > 0",
            "{{ $value }} partitions have too few copies in sync.",
            "One more broker away, and what needs all in-sync replicas is refused.",
        ),
        Alert(
            "NivaranDiskAlmostFull", "page", "5m", "nivaran_disk_free_ratio < 0.1",
            "{{ $value | humanizePercentage }} of the disk is free.",
            "A broker whose disk is full stops.",
        ),
        Alert(
            "NivaranDiskFilling", "ticket", "30m",
            "nivaran_disk_free_ratio < 0.4 and predict_linear(nivaran_disk_free_ratio[6h], 3 * 86400) < 0",
            "The disk will be full within three days.",
            "At the pace of the last six hours.",
        ),
    ),
}  # fmt: skip


def groups() -> list[dict[str, Any]]:
    """The rule groups as Prometheus reads them."""
    return [{"name": name, "rules": [_rule(alert) for alert in alerts]} for name, alerts in GROUPS.items()]


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": alert.hold} if alert.hold != "0m" else {}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": RUNBOOK.format(alert=alert.name),
        },
    }
