"""What the sender counts; subscriptions by their names, never an address, a case or a citizen."""

from typing import Literal

from agents.telemetry import catalogue as c
from agents.telemetry.families import counters, gauges, histograms, registry
from agents.webhooks.calling import Answer
from agents.webhooks.message import Skip
from agents.webhooks.subscriptions import Subscription

Fate = Skip | Literal["delivered", "put-aside"]
FATES: tuple[Fate, ...] = ("delivered", "put-aside", "not-wanted", "restricted")


class Meters:
    """The metrics of the process."""

    def __init__(self) -> None:
        self._calls, self._call = counters(c.WEBHOOK_CALLS), histograms(c.WEBHOOK_CALL)
        self._records, self._age = counters(c.WEBHOOK_RECORDS), histograms(c.WEBHOOK_AGE)
        self._tried, self._gone = gauges(c.WEBHOOK_TRIED), gauges(c.WEBHOOK_GONE)
        self.registry = registry(self._calls, self._call, self._records, self._age, self._tried, self._gone)

    def begin(self, subscription: Subscription) -> None:
        """There from the start: what begins at 1 has no increase."""
        for fate in FATES:
            self._records.labels(subscription.name, fate)
        self.state(subscription, tried_s=0.0, gone=False)

    def called(self, subscription: Subscription, answer: Answer, took_s: float) -> None:
        self._calls.labels(subscription.name, answer.outcome).inc()
        self._call.labels(subscription.name).observe(took_s)

    def record(self, subscription: Subscription, fate: Fate) -> None:
        self._records.labels(subscription.name, fate).inc()

    def delivered(self, subscription: Subscription, age_ms: int) -> None:
        self.record(subscription, "delivered")
        self._age.labels(subscription.name).observe(max(0, age_ms) / 1000)

    def state(self, subscription: Subscription, *, tried_s: float, gone: bool) -> None:
        self._tried.labels(subscription.name).set(tried_s)
        self._gone.labels(subscription.name).set(gone)
