"""One line per decision, at level debug only: what was decided, on which case, in which trace; never what it says."""

import logging
from typing import TYPE_CHECKING

from agents.telemetry.trace import TRACEPARENT, trace_id

if TYPE_CHECKING:
    from agents.runtime.fold import Batch

log = logging.getLogger("nivaran.decisions")


def told(stage: str, batch: "Batch") -> None:
    """Log the outputs of a committed batch; costs one look where nobody asked for it."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    for written in batch.outputs:
        headers = dict(written.headers)
        kind = headers.get("ce_type", b"").decode()
        log.debug(
            "%s wrote %s", stage, kind or written.topic,
            extra={
                "stage": stage,
                "topic": written.topic,
                "record": headers.get("ce_id", b"").decode(),
                "key": (written.key or b"").decode("utf-8", "replace"),
                "trace_id": trace_id(headers.get(TRACEPARENT)),
            },
        )  # fmt: skip
