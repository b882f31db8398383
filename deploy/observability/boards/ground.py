"""Kafka, Redis and the processes."""

from typing import Final

from deploy.observability.boards.panels import RATE, lines, now, quantiles
from deploy.observability.grafana import Board

KAFKA: Final = Board(
    "nivaran-kafka",
    "Nivaran: Kafka and Redis",
    "What everything stands on.",
    (
        (
            "Kafka",
            (
                now("Brokers", "Brokers of the cluster.", "short", "max(kafka_brokers{$S})"),
                now("Topics", "Topics of the cluster.", "short", "count(kafka_topic_partitions{$S})"),
                now("Partitions", "Partitions of all topics.", "short", "sum(kafka_topic_partitions{$S})"),
                now(
                    "Under-replicated",
                    "Partitions with too few copies in sync.",
                    "short",
                    "sum(kafka_topic_partition_under_replicated_partition{$S})",
                ),
                now(
                    "Least copies in sync",
                    "Of any partition.",
                    "short",
                    "min(kafka_topic_partition_in_sync_replica{$S})",
                ),
                now(
                    "Disk free",
                    "Of the file system the exporter watches.",
                    "percentunit",
                    "min(nivaran_disk_free_ratio{$S})",
                ),
                lines(
                    "Written",
                    "Offsets a second, the busiest topics; markers count.",
                    "ops",
                    (f"topk(10, sum by (topic) (rate(kafka_topic_partition_current_offset{{$S}}{RATE})))", "{{topic}}"),
                ),
                lines(
                    "Dead letters kept",
                    "Offsets in dead-letter topics.",
                    "short",
                    ("sum by (topic) (nivaran_dead_letters_kept{$S})", "{{topic}}"),
                ),
                lines(
                    "Oldest dead letter",
                    "Age of the oldest record that is kept, written back or not.",
                    "s",
                    ("max by (topic) (nivaran_dead_letters_oldest_seconds{$S})", "{{topic}}"),
                ),
                lines(
                    "Leaders",
                    "Partitions by the broker that leads them.",
                    "short",
                    ('count_values("broker", kafka_topic_partition_leader{$S})', "broker {{broker}}"),
                ),
            ),
        ),
        (
            "Redis",
            (
                lines(
                    "Reached",
                    "By the board, and by the exporter.",
                    "short",
                    ("min(nivaran_board_redis_up{$S})", "board"),
                    ('min(nivaran_exporter_up{$S,source="redis"})', "exporter"),
                ),
                lines(
                    "Waits and rebuilds",
                    "Tries that found it away; times it had lost the read model.",
                    "short",
                    (f"sum(rate(nivaran_board_redis_waits_total{{$S}}{RATE}))", "waits/s"),
                    (f"sum(rate(nivaran_board_rebuilds_total{{$S}}{RATE}))", "rebuilds/s"),
                ),
                lines(
                    "Not shown",
                    "Records the board could not read.",
                    "short",
                    ("sum(nivaran_board_unreadable_records{$S})", "records"),
                ),
            ),
        ),
        (
            "Processes",
            (
                lines(
                    "CPU",
                    "Cores used.",
                    "cores",
                    (f"sum by (job, instance) (rate(process_cpu_seconds_total{{$S}}{RATE}))", "{{instance}}"),
                ),
                lines(
                    "Memory",
                    "Resident.",
                    "bytes",
                    ("sum by (job, instance) (process_resident_memory_bytes{$S})", "{{instance}}"),
                ),
                quantiles(
                    "Looks of the exporter",
                    "Time of one look at a source.",
                    "s",
                    "nivaran_exporter_look_seconds",
                    "source",
                ),
            ),
        ),
    ),
)
