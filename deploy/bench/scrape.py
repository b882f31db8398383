"""What a worker's own metrics say of a stretch of time: how many transactions, how big, how long."""

import urllib.request
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

ANSWER_S: Final = 10.0


class Effort(Struct, frozen=True):
    """Means over a stretch of time: transactions a second, records of one, milliseconds of fold and of transaction."""

    transactions: float
    records: float
    fold_ms: float
    transaction_ms: float

    def __str__(self) -> str:
        return (
            f"{self.transactions:.0f} transactions/s of {self.records:.1f} records, "
            f"fold {self.fold_ms:.2f} ms, transaction {self.transaction_ms:.1f} ms"
        )


def scraped(url: str, part: str) -> dict[str, float]:
    """The samples of one part (a stage, a sink) of a worker by name; raises OSError when it does not answer."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_S) as answer:  # noqa: S310 - our own http address
        families = text_string_to_metric_families(answer.read().decode())
        return {
            sample.name: sample.value
            for family in families
            for sample in family.samples
            if sample.labels == {"part": part}
        }


def taken(url: str) -> int:
    """Records that all parts of a worker have taken; raises OSError when it does not answer."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_S) as answer:  # noqa: S310 - our own http address
        families = text_string_to_metric_families(answer.read().decode())
        return round(sum(s.value for family in families for s in family.samples if s.name == "nivaran_records_total"))


def taken_so_far(url: str) -> int:
    """The same, 0 while nobody answers."""
    try:
        return taken(url)
    except OSError:
        return 0


def efforts(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> Effort:
    """What happened between two looks."""

    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    count = grown("nivaran_batch_records_count") or 1.0
    return Effort(
        round(count / seconds, 1),
        round(grown("nivaran_batch_records_sum") / count, 2),
        round(grown("nivaran_fold_seconds_sum") / count * 1000, 3),
        round(grown("nivaran_transaction_seconds_sum") / count * 1000, 2),
    )
