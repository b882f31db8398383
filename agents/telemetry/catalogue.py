"""Every metric of every process, once: name, kind, unit, meaning, labels, buckets.

Names are what Prometheus shows: prefix `nivaran_`, base units, `_total` on counters. The `kafka_` ones are named as
kafka_exporter names them, so that dashboards and rules of others work unchanged.
"""

from typing import Final

from agents.telemetry.metric import AGES, FAST, SIZES, WAITS, Metric, count, level, spread

# every process
BUILD: Final = Metric(
    "nivaran_build_info",
    "gauge",
    "info",
    "1; the version that runs.",
    ("version",),
    by=("worker", "gateway", "exporter", "webhooks"),
)
OVERFLOW: Final = Metric(
    "nivaran_label_overflow_total",
    "counter",
    "values",
    "Label values replaced by `other`: not a plain word, or one too many.",
    ("metric",),
    by=("worker", "gateway", "exporter", "webhooks"),
)

# workers; a part is a stage, a sink or a sender
RECORDS: Final = count("nivaran_records_total", "records", "Records taken and durable.", "part")
LATE_RECORDS: Final = count(
    "nivaran_late_records_total",
    "records",
    "Records that were over 5 s old when what followed from them was durable.",
    "part",
)
OUTPUTS: Final = count("nivaran_outputs_total", "records", "Records written by a stage.", "part")
DEAD: Final = count("nivaran_dead_letters_total", "records", "Records kept in a dead-letter topic.", "part", "error")
WAKES: Final = count("nivaran_wakes_total", "records", "Wakes written: time, as records.", "part")
TIMERS: Final = count(
    "nivaran_timers_total",
    "timers",
    "Due instants that led to something durable, by the first record they led to.",
    "part",
    "led_to",
)
LATE_TIMERS: Final = count(
    "nivaran_late_timers_total",
    "timers",
    "Due instants whose consequence was durable over 60 s late.",
    "part",
    "led_to",
)
BATCH: Final = spread("nivaran_batch_records", "records", "Records of one transaction.", SIZES, "part")
FOLD: Final = spread("nivaran_fold_seconds", "seconds", "Folding one batch: pure work, no waiting.", FAST, "part")
TRANSACTION: Final = spread(
    "nivaran_transaction_seconds", "seconds", "From a folded batch to its commit.", WAITS, "part"
)
SLICE: Final = spread("nivaran_slice_seconds", "seconds", "A sink or sender with one slice.", WAITS, "part")
AGE: Final = spread(
    "nivaran_event_age_seconds",
    "seconds",
    "Age of a batch's oldest end when what followed from it was durable.",
    AGES,
    "part",
)
LATENESS: Final = spread(
    "nivaran_wake_lateness_seconds",
    "seconds",
    "From the earliest due instant of a firing to the writing of its wake.",
    AGES,
    "part",
)
TIMER_DELAY: Final = spread(
    "nivaran_timer_delay_seconds",
    "seconds",
    "From a batch's earliest due instant to the commit of what it led to.",
    AGES,
    "part",
    "led_to",
)
PENDING_WAKES: Final = level("nivaran_wakes_pending", "records", "Wakes written and not yet folded.", "part")
OVERDUE: Final = level(
    "nivaran_timer_overdue_seconds",
    "seconds",
    "Time since the earliest due instant that has no wake yet; 0 when there is none.",
    "part",
)
CLOCK: Final = level(
    "nivaran_clock_behind_seconds",
    "seconds",
    "How far a stage's clock is behind: not everything that fell due since has its wake.",
    "part",
)
STATES: Final = level("nivaran_table_states", "states", "States held, in memory or on disk.", "part")
PARTITIONS: Final = level("nivaran_assigned_partitions", "partitions", "Partitions this worker owns.", "part")
RESTORED: Final = count("nivaran_restored_states_total", "records", "Changelog records read in recovery.", "part")
REMAINING: Final = level(
    "nivaran_recovery_remaining_records", "records", "Changelog records recovery has still to read."
)
REBALANCES: Final = count("nivaran_rebalances_total", "rebalances", "Rebalances this worker went through.")
REBALANCE: Final = spread(
    "nivaran_rebalance_seconds", "seconds", "From losing partitions to processing again, recovery included.", WAITS
)
RECOVERY: Final = spread(
    "nivaran_recovery_seconds", "seconds", "From an assignment to states as the log has them.", WAITS, "part"
)
INDEXING: Final = spread(
    "nivaran_indexing_seconds", "seconds", "From an assignment to all due instants of its states.", WAITS, "part"
)
READY: Final = level("nivaran_ready", "boolean", "1 when assigned, recovered and not rebalancing.")
AWAITING: Final = level(
    "nivaran_unacknowledged_outputs", "records", "Records given to a producer that Kafka has not acknowledged.", "part"
)
COMMIT_AGE: Final = level(
    "nivaran_commit_age_seconds",
    "seconds",
    "How long the longest transaction under way has been open; 0 when none is.",
    "part",
)
IN_FLIGHT: Final = level("nivaran_slices_in_flight", "slices", "Slices handed over and not acknowledged.")
BOARD_UP: Final = level("nivaran_board_redis_up", "boolean", "1 while Redis answers the board.")
BOARD_WAITS: Final = count("nivaran_board_redis_waits_total", "tries", "Tries of the board that found Redis away.")
BOARD_REBUILDS: Final = count("nivaran_board_rebuilds_total", "rebuilds", "Times Redis had lost the read model.")
BOARD_UNREADABLE: Final = level("nivaran_board_unreadable_records", "records", "Records the board could not show.")
SMS_CALLS: Final = count(
    "nivaran_sms_calls_total",
    "calls",
    "Calls to the SMS gateway; refused: those too that could not be made for want of a number.",
    "outcome",
)
SMS_FIRST: Final = count(
    "nivaran_sms_first_calls_total", "messages", "Messages whose first call is to be made.", "audience", "step"
)
SMS_ACCEPTED: Final = spread(
    "nivaran_sms_accepted_seconds",
    "seconds",
    "From what a message tells of to its acceptance by the gateway.",
    AGES,
    "audience",
    "step",
)
SMS_CALL: Final = spread("nivaran_sms_call_seconds", "seconds", "One call to the SMS gateway.", WAITS)
SMS_LAPSES: Final = count(
    "nivaran_sms_lapses_total",
    "messages",
    "Calls not made, and outcomes not kept, by the memory for a gateway without idempotency keys.",
    "lapse",
)
SMS_RESTING: Final = level("nivaran_sms_gateway_resting", "boolean", "1 while calls wait for an absent gateway.")

# webhooks
WEBHOOK_CALLS: Final = count(
    "nivaran_webhook_calls_total", "calls", "Calls to subscribers.", "subscription", "outcome", by="webhooks"
)
WEBHOOK_CALL: Final = spread(
    "nivaran_webhook_call_seconds", "seconds", "One call to a subscriber.", WAITS, "subscription", by="webhooks"
)
WEBHOOK_RECORDS: Final = count(
    "nivaran_webhook_records_total", "records", "Records dealt with.", "subscription", "fate", by="webhooks"
)
WEBHOOK_AGE: Final = spread(
    "nivaran_webhook_age_seconds", "seconds", "Age of a record at its delivery.", AGES, "subscription", by="webhooks"
)
WEBHOOK_TRIED: Final = level(
    "nivaran_webhook_tried_seconds", "seconds", "Time since the first vain call.", "subscription", by="webhooks"
)
WEBHOOK_GONE: Final = level(
    "nivaran_webhook_gone", "boolean", "1 after an answer 410: nothing is sent.", "subscription", by="webhooks"
)

# gateway
SMS_REPORTS: Final = count(
    "nivaran_gateway_sms_reports_total",
    "reports",
    "Delivery reports in an SMS gateway's own form; unmatched: no message is known by its id.",
    "form",
    "result",
    by="gateway",
)
REQUESTS: Final = count(
    "nivaran_gateway_requests_total", "requests", "Requests answered.", "route", "method", "status", by="gateway"
)
REQUEST: Final = spread(
    "nivaran_gateway_request_seconds", "seconds", "From request to answer.", WAITS, "route", by="gateway"
)
DURABLE: Final = spread(
    "nivaran_gateway_durable_seconds",
    "seconds",
    "From handing a record to the producer to the acknowledgement of all in-sync replicas.",
    WAITS,
    by="gateway",
)
NOT_DURABLE: Final = count(
    "nivaran_gateway_not_durable_total", "records", "Records Kafka did not acknowledge.", "reason", by="gateway"
)
ACCEPTED: Final = count("nivaran_gateway_accepted_total", "records", "Records made durable.", "kind", by="gateway")
BY_CHANNEL: Final = count(
    "nivaran_gateway_submissions_total", "submissions", "Submissions made durable.", "system", "channel", by="gateway"
)
MESSAGES: Final = count(
    "nivaran_gateway_messages_total",
    "messages",
    "Messages and calls a channel was told of, by what became of them.",
    "channel",
    "outcome",
    by="gateway",
)
PROBLEMS: Final = count("nivaran_gateway_problems_total", "requests", "Requests refused.", "kind", by="gateway")
REDIS_AWAY: Final = count(
    "nivaran_gateway_redis_away_total", "uses", "Times something went on without Redis.", "use", by="gateway"
)
IN_HAND: Final = level("nivaran_gateway_in_hand", "requests", "Requests not yet answered.", by="gateway")
FEEDS: Final = level("nivaran_gateway_feed_clients", "clients", "Open escalation feeds.", by="gateway")
KAFKA_UP: Final = level(
    "nivaran_gateway_kafka_up", "boolean", "1 while Kafka is reached and its topics exist.", by="gateway"
)

# exporter: Kafka, named as kafka_exporter does
BROKERS: Final = level("kafka_brokers", "brokers", "Brokers of the cluster.", by="exporter")
TOPIC_PARTITIONS: Final = level(
    "kafka_topic_partitions", "partitions", "Partitions of a topic.", "topic", by="exporter"
)
NEWEST: Final = level(
    "kafka_topic_partition_current_offset", "offset", "Next offset to be written.", "topic", "partition", by="exporter"
)
OLDEST: Final = level(
    "kafka_topic_partition_oldest_offset", "offset", "Oldest offset that is kept.", "topic", "partition", by="exporter"
)
LEADER: Final = level(
    "kafka_topic_partition_leader", "broker", "Broker that leads; -1 for none.", "topic", "partition", by="exporter"
)
REPLICAS: Final = level(
    "kafka_topic_partition_replicas", "replicas", "Copies there shall be.", "topic", "partition", by="exporter"
)
IN_SYNC: Final = level(
    "kafka_topic_partition_in_sync_replica", "replicas", "Copies in sync.", "topic", "partition", by="exporter"
)
UNDER_REPLICATED: Final = level(
    "kafka_topic_partition_under_replicated_partition",
    "boolean",
    "1 while fewer copies are in sync than there shall be.",
    "topic",
    "partition",
    by="exporter",
)
GROUP_OFFSET: Final = level(
    "kafka_consumergroup_current_offset",
    "offset",
    "Next offset after what is committed.",
    "consumergroup",
    "topic",
    "partition",
    by="exporter",
)
GROUP_LAG: Final = level(
    "kafka_consumergroup_lag",
    "records",
    "Offsets not committed yet; 0 where only transaction markers are left.",
    "consumergroup",
    "topic",
    "partition",
    by="exporter",
)
GROUP_MEMBERS: Final = level(
    "kafka_consumergroup_members", "members", "Members of a group.", "consumergroup", by="exporter"
)
LAG_SECONDS: Final = level(
    "nivaran_consumergroup_lag_seconds",
    "seconds",
    "Age of the oldest record that is not committed yet; 0 when there is none.",
    "consumergroup",
    "topic",
    "partition",
    by="exporter",
)
UNOWNED: Final = level(
    "nivaran_consumergroup_unowned_partitions",
    "partitions",
    "Partitions of the group's topics that no member owns.",
    "consumergroup",
    by="exporter",
)
LOOKS: Final = count(
    "nivaran_lag_looks_total", "looks", "Looks of the exporter at a group's lag.", "consumergroup", by="exporter"
)
STALE_LOOKS: Final = count(
    "nivaran_lag_stale_looks_total",
    "looks",
    "Looks that found the group over 5 s behind.",
    "consumergroup",
    by="exporter",
)
DEAD_KEPT: Final = level(
    "nivaran_dead_letters_kept", "records", "Offsets kept in a dead-letter topic.", "topic", by="exporter"
)
DEAD_OLDEST: Final = level(
    "nivaran_dead_letters_oldest_seconds",
    "seconds",
    "Age of the oldest record kept in a dead-letter topic, written back or not.",
    "topic",
    by="exporter",
)

# exporter: the helpline, from the read model
OPEN_CASES: Final = level(
    "nivaran_open_cases",
    "cases",
    "Cases open at an office, by how long they are at its level.",
    "system",
    "department",
    "level",
    "age",
    by="exporter",
)
OPEN_DISTRICT: Final = level(
    "nivaran_district_open_cases",
    "cases",
    "Cases open at the offices of a district.",
    "system",
    "district",
    "department",
    by="exporter",
)
OLDEST_CASE: Final = level(
    "nivaran_oldest_open_case_seconds",
    "seconds",
    "How long the oldest open case is at its level.",
    "system",
    "level",
    by="exporter",
)
DEFAULTERS: Final = level(
    "nivaran_defaulters_today", "cases", "Cases whose due instant passed today, India time.", "system", by="exporter"
)
PRESENT: Final = level(
    "nivaran_officers_present_today",
    "officers",
    "Officers who had a login today, by the system's own day.",
    "system",
    by="exporter",
)
CASES: Final = count("nivaran_cases_total", "cases", "Steps of cases, by step.", "system", "step", by="exporter")
CASES_BY_CHANNEL: Final = count(
    "nivaran_cases_registered_total", "cases", "Cases registered.", "system", "channel", by="exporter"
)
ESCALATIONS: Final = count(
    "nivaran_escalations_total", "escalations", "Cases sent up.", "system", "cause", by="exporter"
)
FEEDBACK: Final = count(
    "nivaran_feedback_total", "calls", "Feedback, by what came of it.", "system", "outcome", by="exporter"
)
CLOSED: Final = count("nivaran_closed_total", "cases", "Cases closed.", "system", "outcome", by="exporter")
REJECTED: Final = count(
    "nivaran_intake_rejected_total",
    "submissions",
    "Submissions that became no case.",
    "system",
    "reason",
    by="exporter",
)
COMMANDS_REJECTED: Final = count(
    "nivaran_commands_rejected_total", "commands", "Commands a case could not take.", "system", "reason", by="exporter"
)
SMS: Final = count("nivaran_sms_total", "messages", "Facts in the lives of messages.", "system", "state", by="exporter")

# of the exporter itself
EXPORTER_UP: Final = level(
    "nivaran_exporter_up", "boolean", "1 when the last look at a source succeeded.", "source", by="exporter"
)
EXPORTER_LOOKED: Final = level(
    "nivaran_exporter_looked_timestamp_seconds", "seconds", "When a source last answered, UTC.", "source", by="exporter"
)
EXPORTER_LOOK: Final = spread(
    "nivaran_exporter_look_seconds", "seconds", "One look at a source.", WAITS, "source", by="exporter"
)
DISK_FREE: Final = level(
    "nivaran_disk_free_ratio", "ratio", "Free share of the file system of the data folder.", by="exporter"
)

CATALOGUE: Final[dict[str, Metric]] = {each.name: each for each in list(globals().values()) if isinstance(each, Metric)}
