"""Lag, throughput, transactions, rebalances, recovery."""

from typing import Final

from deploy.observability.boards.panels import RATE, lines, quantiles, rate
from deploy.observability.grafana import Board

STREAM: Final = Board(
    "nivaran-stream",
    "Nivaran: Stream",
    "Lag, throughput, transactions, rebalances, recovery.",
    (
        (
            "Groups",
            (
                lines(
                    "Lag in records",
                    "Offsets not committed; transaction markers at the end do not count.",
                    "short",
                    ("sum by (consumergroup) (kafka_consumergroup_lag{$S})", "{{consumergroup}}"),
                ),
                lines(
                    "Lag in seconds",
                    "Age of the oldest record not committed.",
                    "s",
                    ("max by (consumergroup) (nivaran_consumergroup_lag_seconds{$S})", "{{consumergroup}}"),
                ),
                lines(
                    "Members and unowned partitions",
                    "A group without members processes nothing.",
                    "short",
                    ("max by (consumergroup) (kafka_consumergroup_members{$S})", "members {{consumergroup}}"),
                    (
                        "max by (consumergroup) (nivaran_consumergroup_unowned_partitions{$S})",
                        "unowned {{consumergroup}}",
                    ),
                ),
            ),
        ),
        (
            "Throughput",
            (
                rate(
                    "Records taken", "Durable with all that followed from them.", "ops", "nivaran_records_total", "part"
                ),
                rate("Records written", "Outputs of stages.", "ops", "nivaran_outputs_total", "part"),
                rate(
                    "Dead letters",
                    "Records that could not be taken, by class of error.",
                    "ops",
                    "nivaran_dead_letters_total",
                    "error",
                ),
                quantiles(
                    "Records of a transaction",
                    "Small when idle, large when behind.",
                    "short",
                    "nivaran_batch_records",
                    "part",
                ),
                lines(
                    "Fold time of a record",
                    "Pure work of a stage, divided by its records.",
                    "s",
                    (
                        (
                            f"sum by (part) (rate(nivaran_fold_seconds_sum{{$S}}{RATE}))"
                            f" / sum by (part) (rate(nivaran_batch_records_sum{{$S}}{RATE}))"
                        ),
                        "{{part}}",
                    ),
                ),
                quantiles(
                    "Transaction time", "From a folded batch to its commit.", "s", "nivaran_transaction_seconds", "part"
                ),
            ),
        ),
        (
            "Age",
            (
                quantiles(
                    "Event age",
                    "Since arrival, when what followed was durable.",
                    "s",
                    "nivaran_event_age_seconds",
                    "part",
                ),
                rate(
                    "Records over 5 s old",
                    "What the objective counts as late.",
                    "ops",
                    "nivaran_late_records_total",
                    "part",
                ),
                quantiles("Slices of sinks and senders", "Time with one slice.", "s", "nivaran_slice_seconds", "part"),
            ),
        ),
        (
            "In hand",
            (
                lines(
                    "Outputs awaiting acknowledgement",
                    "Given to a producer, not acknowledged.",
                    "short",
                    ("sum by (part) (nivaran_unacknowledged_outputs{$S})", "{{part}}"),
                ),
                lines(
                    "Commit age",
                    "How long the longest transaction under way is open.",
                    "s",
                    ("max by (part) (nivaran_commit_age_seconds{$S})", "{{part}}"),
                ),
                lines(
                    "Slices in flight",
                    "Handed over and not acknowledged; at the bound nothing more is fetched.",
                    "short",
                    ("sum by (instance) (nivaran_slices_in_flight{$S})", "{{instance}}"),
                ),
            ),
        ),
        (
            "Membership and recovery",
            (
                lines(
                    "Rebalances",
                    "Rebalances a second, by worker.",
                    "ops",
                    (f"sum by (instance) (rate(nivaran_rebalances_total{{$S}}{RATE}))", "{{instance}}"),
                ),
                lines(
                    "Mean duration of rebalances",
                    "From losing partitions to processing again, since the start.",
                    "s",
                    (
                        (
                            "sum by (instance) (nivaran_rebalance_seconds_sum{$S})"
                            " / sum by (instance) (nivaran_rebalance_seconds_count{$S})"
                        ),
                        "{{instance}}",
                    ),
                ),
                lines(
                    "Recovery",
                    "Changelog records still to read, and ready workers.",
                    "short",
                    ("sum by (instance) (nivaran_recovery_remaining_records{$S})", "left {{instance}}"),
                    ("sum(nivaran_ready{$S})", "ready"),
                ),
                lines(
                    "States held",
                    "Keys, in memory or on disk.",
                    "short",
                    ("sum by (part) (nivaran_table_states{$S})", "{{part}}"),
                ),
                lines(
                    "Partitions owned",
                    "Adds up to the partitions of the topics.",
                    "short",
                    ("sum by (part) (nivaran_assigned_partitions{$S})", "{{part}}"),
                ),
                lines(
                    "Mean time of recovery",
                    "From an assignment to its states, and to all their due instants, since the start.",
                    "s",
                    (
                        (
                            "sum by (part) (nivaran_recovery_seconds_sum{$S})"
                            " / sum by (part) (nivaran_recovery_seconds_count{$S})"
                        ),
                        "states {{part}}",
                    ),
                    (
                        (
                            "sum by (part) (nivaran_indexing_seconds_sum{$S})"
                            " / sum by (part) (nivaran_indexing_seconds_count{$S})"
                        ),
                        "due instants {{part}}",
                    ),
                ),
                rate(
                    "States restored",
                    "Changelog records read in recovery.",
                    "ops",
                    "nivaran_restored_states_total",
                    "part",
                ),
            ),
        ),
    ),
)
