"""Metrics over HTTP: OpenMetrics with exemplars for who asks for it, Prometheus' text format for the others."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


def exposed(registry: CollectorRegistry, accept: str | None) -> tuple[bytes, str]:
    """The body, and the content type it is in, for an `Accept` header."""
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type
