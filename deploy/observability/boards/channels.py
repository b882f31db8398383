"""What comes in, and who is told."""

from typing import Final

from deploy.observability.alerts import SUBSCRIBERS
from deploy.observability.boards.panels import lines, quantiles, rate
from deploy.observability.grafana import Board

INTAKE: Final = Board(
    "nivaran-intake",
    "Nivaran: Intake and channels",
    "What citizens and officers send, and whether it is taken.",
    (
        (
            "HTTP",
            (
                rate("Requests", "Answered, by status.", "reqps", "nivaran_gateway_requests_total", "status"),
                quantiles("Answer time", "From request to answer.", "s", "nivaran_gateway_request_seconds", "route"),
                quantiles(
                    "Durable after",
                    "Until all in-sync replicas have the record.",
                    "s",
                    "nivaran_gateway_durable_seconds",
                    "",
                ),
                rate(
                    "Not durable", "Refused with 503, by reason.", "ops", "nivaran_gateway_not_durable_total", "reason"
                ),
                rate("Refused", "By kind of problem.", "ops", "nivaran_gateway_problems_total", "kind"),
                rate(
                    "Without Redis",
                    "What went on without it, by use.",
                    "ops",
                    "nivaran_gateway_redis_away_total",
                    "use",
                ),
            ),
        ),
        (
            "Submissions",
            (
                rate("By channel", "Made durable.", "ops", "nivaran_gateway_submissions_total", "channel"),
                rate(
                    "Messages and calls",
                    "What a channel was told of, by what became of it.",
                    "ops",
                    "nivaran_gateway_messages_total",
                    "outcome",
                ),
                rate(
                    "Cases registered",
                    "By channel, as the read model counts them.",
                    "ops",
                    "nivaran_cases_registered_total",
                    "channel",
                ),
                rate(
                    "Became no case", "By reason the citizen is told.", "ops", "nivaran_intake_rejected_total", "reason"
                ),
                rate(
                    "Made durable", "Submissions, actions, receipts.", "ops", "nivaran_gateway_accepted_total", "kind"
                ),
                lines(
                    "In hand",
                    "Requests not answered, open feeds.",
                    "short",
                    ("sum(nivaran_gateway_in_hand{$S})", "requests"),
                    ("sum(nivaran_gateway_feed_clients{$S})", "feeds"),
                ),
                lines(
                    "Kafka reached",
                    "1 while the gateway can make something durable.",
                    "short",
                    ("min by (instance) (nivaran_gateway_kafka_up{$S})", "{{instance}}"),
                ),
            ),
        ),
    ),
)

SMS: Final = Board(
    "nivaran-sms",
    "Nivaran: SMS",
    "Whether citizens and officers are told.",
    (
        (
            "Messages",
            (
                rate("By state", "Facts in the lives of messages.", "ops", "nivaran_sms_total", "state"),
                rate("First calls", "Messages by step.", "ops", "nivaran_sms_first_calls_total", "step"),
                quantiles(
                    "Accepted after",
                    "From what a message tells of to its acceptance.",
                    "s",
                    "nivaran_sms_accepted_seconds",
                    "audience",
                ),
            ),
        ),
        (
            "Gateway",
            (
                rate("Calls", "By outcome.", "ops", "nivaran_sms_calls_total", "outcome"),
                quantiles("Call time", "One call.", "s", "nivaran_sms_call_seconds", ""),
                lines(
                    "Resting",
                    "1 while calls wait for an absent gateway.",
                    "short",
                    ("max by (instance) (nivaran_sms_gateway_resting{$S})", "{{instance}}"),
                ),
                rate(
                    "Without keys",
                    "Calls not made and outcomes not kept, where the gateway honours no idempotency key.",
                    "ops",
                    "nivaran_sms_lapses_total",
                    "lapse",
                ),
                rate(
                    "Delivery reports",
                    "In the gateways' own forms, by what became of them.",
                    "ops",
                    "nivaran_gateway_sms_reports_total",
                    "result",
                ),
            ),
        ),
        (
            "Stage and sender",
            (
                lines(
                    "Behind",
                    "Lag of the group in seconds.",
                    "s",
                    (
                        'max by (consumergroup) (nivaran_consumergroup_lag_seconds{$S,consumergroup=~".+-sms"})',
                        "{{consumergroup}}",
                    ),
                ),
                rate("Records", "Stage and sender.", "ops", "nivaran_records_total", "part", 'part=~"sms.*"'),
                quantiles(
                    "Age",
                    "Since arrival, when the stage's or sender's work was durable.",
                    "s",
                    "nivaran_event_age_seconds",
                    "part",
                    'part=~"sms.*"',
                ),
            ),
        ),
    ),
)

WEBHOOKS: Final = Board(
    "nivaran-webhooks",
    "Nivaran: Webhooks",
    "Whether subscribers without Kafka are told.",
    (
        (
            "Subscribers",
            (
                rate("Records", "By what became of them.", "ops", "nivaran_webhook_records_total", "fate"),
                rate("Calls", "By outcome.", "ops", "nivaran_webhook_calls_total", "outcome"),
                quantiles("Call time", "One call.", "s", "nivaran_webhook_call_seconds", "subscription"),
                quantiles("Age", "Of a record at its delivery.", "s", "nivaran_webhook_age_seconds", "subscription"),
                lines(
                    "Tried in vain",
                    "Since the first call for the oldest record that waits.",
                    "s",
                    ("max by (subscription) (nivaran_webhook_tried_seconds{$S})", "{{subscription}}"),
                ),
                lines(
                    "Gone",
                    "1 after an answer 410.",
                    "short",
                    ("max by (subscription) (nivaran_webhook_gone{$S})", "{{subscription}}"),
                ),
                lines(
                    "Behind",
                    "Age of the oldest record a subscriber has not been given, also while nobody calls it.",
                    "s",
                    (
                        f"max by (consumergroup) (nivaran_consumergroup_lag_seconds{{$S,{SUBSCRIBERS}}})",
                        "{{consumergroup}}",
                    ),
                ),
                lines(
                    "Called by nobody",
                    "Partitions that no process reads for a subscriber; after an answer 410 that is meant.",
                    "short",
                    (
                        f"max by (consumergroup) (nivaran_consumergroup_unowned_partitions{{$S,{SUBSCRIBERS}}})",
                        "{{consumergroup}}",
                    ),
                ),
            ),
        ),
    ),
)
