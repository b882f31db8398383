"""What the flow costs, as `nivaran bench flow --costs` measured it: read from one place, `measured.json`."""

from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from deploy.bench.meter import Machine

FILE = "measured.json"


class Costs(Struct, frozen=True, forbid_unknown_fields=True):
    """Medians over runs of one deployment; per complaint unless the name says otherwise."""

    machine: Machine
    load: float
    """Load average before the runs: where it was above the cores, others worked as well, and costs are upper bounds."""
    complaints: int
    runs: int
    events: float
    """Records that came in from outside: submissions, actions."""
    records: dict[str, float]
    """Taken by each role, wakes among them."""
    cpu_us_per_record: dict[str, float]
    """Of each role; user and system time of the whole process."""
    rss_mib: dict[str, float]
    """Of one worker of each role, with next to nothing in its tables."""
    broker_cpu_us: float
    redis_cpu_us: float
    log_bytes: float
    """On one replica, compressed as producers compress, changelogs among them."""
    redis_bytes: float
    bytes_per_open_case: float
    """Of the case worker's memory."""


@cache
def costs() -> Costs:
    """The figures that come with this version."""
    return msgspec.json.decode(files("deploy.sizing").joinpath(FILE).read_bytes(), type=Costs)
