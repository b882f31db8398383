"""The gateway's metrics: which of the catalogue it keeps."""

from typing import Final, Literal, get_args

from agents.gateway.log import KAFKA_AWAY
from agents.gateway.problems import Kind
from agents.gateway.remembering import Use
from agents.telemetry import catalogue as c
from agents.telemetry.exposition import exposed
from agents.telemetry.families import counters, gauge, histogram, histograms, registry

TOLD: Final = ("ivr", "pull-sms", "whatsapp")
"""Channels that count what they are told of."""
ReportForm = Literal["nic", "mobile-seva", "smpp"]
"""Of SMS gateways' delivery reports."""


class Metrics:
    """One gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.requests, self.seconds = counters(c.REQUESTS), histograms(c.REQUEST)
        self.durable, self.not_durable = histogram(c.DURABLE), counters(c.NOT_DURABLE)
        self.accepted, self.submissions, self.problems = (
            counters(c.ACCEPTED),
            counters(c.BY_CHANNEL),
            counters(c.PROBLEMS),
        )
        self.redis_away, self.in_hand, self.feed_clients = counters(c.REDIS_AWAY), gauge(c.IN_HAND), gauge(c.FEEDS)
        self.messages, self.kafka = counters(c.MESSAGES), gauge(c.KAFKA_UP)
        self.sms_reports = counters(c.SMS_REPORTS)
        self.registry = registry(*vars(self).values())
        # there from the start: what begins at 1 has no increase
        self.not_durable.labels(KAFKA_AWAY)
        for channel in TOLD:
            self.messages.labels(channel, "lodged")
        for form in get_args(ReportForm):
            self.sms_reports.labels(form, "unmatched")
        for use in get_args(Use):
            self.redis_away.labels(use)
        for kind in Kind:
            self.problems.labels(kind.name.lower())

    def redis_was_away(self, use: Use) -> None:
        self.redis_away.labels(use).inc()

    def exposition(self, accept: str | None) -> tuple[bytes, str]:
        """The present values, and the content type they are in."""
        return exposed(self.registry, accept)
