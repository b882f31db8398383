"""Counts of one unit (system x district x department x level): single facts, and closed windows of them."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import Count, Instant, Record, Wake

Grain = Literal["hour", "day", "month"]
Measure = Literal[
    "received",  # came to this unit: registered, escalated or transferred to it
    "left",  # left it: escalated or transferred away, disposed
    "disposed",
    "returned",  # came back into pendency at the unit: re-examined or reopened at the same level
    "verified",  # citizen reached on the feedback call
    "satisfied",
    "dissatisfied",
    "closed_unknown",
    "escalated_timeout",
    "escalated_dissatisfied",
    "defaulters",
    # parts of the above, and closings that are none of them, each counted apart and never added to `satisfied`
    "partial",  # of `disposed`: settled in part
    "relief",  # of `disposed`: with relief to the citizen, where the system asks
    "no_relief",
    "special",  # closed as a matter that cannot be settled as asked, approved by a senior
    "forced",  # closed without a settlement
    "revived",  # of `returned`: not satisfied, the same office works on it again
    "breach_by_lapse",  # of `escalated_timeout`: reached by lapse a level that none may reach so
    "grade_a",  # quality of disposals, graded by seniors
    "grade_b",
    "grade_c",
]
Counts = dict[Measure, int]
Histogram = Annotated[
    dict[str, int], Meta(description="logarithmic age bucket -> disposals, see streams/sla/histogram.py")
]


class Unit(Record, frozen=True):
    """The unit a count belongs to."""

    system: str
    district: int
    department: str
    level: int


class SlaFact(Unit, frozen=True, tag="sla.fact.v1"):
    """What one decision adds to one unit, at its event time; key: `system|district|department|level`."""

    at: Instant
    counts: Counts
    """May be negative where a decision is taken back."""
    disposal_ms: Count | None = None
    """Age at disposal, where this fact is one."""


class SlaWindow(Unit, frozen=True, tag="sla.window.v1"):
    """A tumbling window of a unit in the profile's time zone: `final` once, then only differences (`revised`)."""

    grain: Grain
    start_at: Instant
    end_at: Instant
    """Exclusive."""
    result: Literal["final", "revised"]
    counts: Counts
    disposals: int = 0
    disposal_ms: int = 0
    """Sum of ages at disposal."""
    histogram: Histogram = {}  # noqa: RUF012 - msgspec gives every record a dict of its own
    open_change: int = 0
    """Cases that came minus cases that left: add up over windows for the pendency at an instant."""
    at: Instant = 0
    """When it was published."""


SlaInput = SlaFact | Wake
