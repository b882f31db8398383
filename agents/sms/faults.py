"""What the sandbox gateway does wrong when told to: seeded, and the same for a message in whatever order it comes."""

import random
from typing import Annotated, Literal

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Fault = Literal["none", "fail", "throttle", "silent"]


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares are of requests, 0 to 1; they are drawn per id and how often it came."""

    seed: int = 1
    fail: Share = 0.0
    """Answered 503, nothing taken."""
    throttle: Share = 0.0
    """Answered 429, nothing taken."""
    silent: Share = 0.0
    """Taken, and never answered."""
    delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    """Longest wait before an answer; each waits a drawn part of it."""
    undelivered: Share = 0.0
    """Taken and answered, and the receipt says that it did not arrive."""

    def drawn(self, id: str, times: int) -> tuple[Fault, float]:  # noqa: A002 - the message's own field name
        """The fault of the `times`-th request with this id, and its delay in seconds."""
        draw = random.Random(f"{self.seed}/{id}/{times}")  # noqa: S311 - made to be repeatable, not secret
        share, delay = draw.random(), draw.random() * self.delay_ms / 1000
        if share < self.fail:
            return "fail", delay
        if share < self.fail + self.throttle:
            return "throttle", delay
        return ("silent" if share < self.fail + self.throttle + self.silent else "none"), delay

    def delivered(self, id: str) -> bool:  # noqa: A002 - the message's own field name
        """What the receipt of this message says."""
        draw = random.Random(f"{self.seed}/{id}/receipt")  # noqa: S311 - made to be repeatable, not secret
        return draw.random() >= self.undelivered
