"""The formula: complaints a day to cores, workers, memory, disk and partitions; every figure with its source."""

import math
import tomllib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec
from msgspec import Struct

from deploy.sizing.costs import FILE, Costs
from schemas.registry import topics
from streams.profiles.load import profiles

DAY_S: Final = 86_400
MIB: Final = 1 << 20
GIB: Final = 1 << 30
Mark = Literal["M", "S", "I", "D"]
"""Measured by `nivaran bench`, stated in a public page, inferred from one, a default of ours."""


class Marked(Struct, frozen=True, forbid_unknown_fields=True):
    """A figure that is taken as given."""

    value: float
    mark: Mark
    source: str


class Figures(Struct, frozen=True, forbid_unknown_fields=True):
    peak_factor: Marked
    utilisation: Marked
    mean_age_days: Marked
    retention_days: Marked
    replication: Marked
    least_partitions: Marked
    room_to_grow: Marked


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A load that somebody has or may have; without systems, all that are shipped."""

    name: str
    systems: tuple[str, ...]
    complaints_per_day: Marked


class Assumptions(Struct, frozen=True, forbid_unknown_fields=True):
    figures: Figures
    scenarios: tuple[Scenario, ...]


class Role(Struct, frozen=True):
    """A role of workers at the peak: records and cores of work a second, workers to start."""

    name: str
    records_per_second: float
    cores: float
    workers: int
    memory_mib: float


class Size(Struct, frozen=True):
    """What a deployment needs. `cores` and `memory_gib` are of workers, brokers and Redis together."""

    complaints_per_day: float
    events_per_second: float
    """At the peak, from outside."""
    roles: list[Role]
    broker_cores: float
    redis_cores: float
    cores: int
    cases_in_table: int
    redis_gib: float
    memory_gib: float
    disk_gib: float
    """Of all brokers together."""
    partitions: int
    """NIVARAN_PARTITIONS: of every topic a stage reads."""
    broker_partitions: int
    """Of all topics, on all brokers together."""


class Used(Struct, frozen=True):
    """A figure that went into it."""

    name: str
    value: float
    mark: Mark
    source: str


@cache
def assumptions() -> Assumptions:
    """What is taken as given; raises msgspec.ValidationError naming the figure that cannot be."""
    raw = tomllib.loads(files("deploy.sizing").joinpath("assumptions.toml").read_text("utf-8"))
    return msgspec.convert(raw, Assumptions)


def sized(complaints_per_day: float, systems: Collection[str], costs: Costs, figures: Figures) -> Size:
    """Reckon what so many complaints a day of these systems need; without systems, of all that are shipped."""
    rate = complaints_per_day / DAY_S * figures.peak_factor.value
    busy = figures.utilisation.value
    standing = complaints_per_day * (figures.mean_age_days.value + kept_days(systems))
    state_mib = standing * costs.bytes_per_open_case / MIB
    roles = [_role(name, rate, costs, busy, state_mib if name == "case" else 0.0) for name in costs.records]
    replication = round(figures.replication.value)
    # a follower fetches and writes what its leader does: an upper bound
    broker = rate * costs.broker_cpu_us * replication / 1e6 / busy
    redis = rate * costs.redis_cpu_us / 1e6 / busy
    redis_gib = standing * costs.redis_bytes / GIB
    partitions = _partitions(max(role.workers for role in roles), figures)
    return Size(
        complaints_per_day,
        rate * costs.events,
        roles,
        broker,
        redis,
        math.ceil(sum(role.cores for role in roles) + broker + redis),
        round(standing),
        redis_gib,
        sum(role.memory_mib for role in roles) / 1024 + redis_gib,
        complaints_per_day * costs.log_bytes * figures.retention_days.value * replication / GIB,
        partitions,
        _broker_partitions(systems, partitions, replication),
    )


def kept_days(systems: Collection[str]) -> int:
    """How long a case stays in the tables after its end: the longest of the systems."""
    return max(profile.forget_after_days for name, profile in profiles().items() if not systems or name in systems)


def _role(name: str, rate: float, costs: Costs, busy: float, state_mib: float) -> Role:
    records = rate * costs.records[name]
    cores = records * costs.cpu_us_per_record[name] / 1e6 / busy
    workers = max(2, math.ceil(cores))  # one may be lost
    return Role(name, records, cores, workers, workers * costs.rss_mib[name] + state_mib)


def _partitions(workers: int, figures: Figures) -> int:
    """Enough for the largest role to grow, in whole dozens, which many numbers of workers divide."""
    least = figures.least_partitions.value
    return math.ceil(max(least, workers * figures.room_to_grow.value) / least) * round(least)


def _broker_partitions(systems: Collection[str], partitions: int, replication: int) -> int:
    departments = {
        department
        for name, profile in profiles().items()
        if not systems or name in systems
        for department in profile.departments
    }
    return sum(topic.partitions or partitions for topic in topics(departments).values()) * replication


def used(costs: Costs, figures: Figures, systems: Collection[str]) -> list[Used]:
    """Every figure that goes into a size, with its mark and source."""
    measured = (
        f"nivaran bench flow, {costs.complaints:,} complaints x {costs.runs}, load average {costs.load:.0f} ({FILE})"
    )
    found = [Used("events per complaint", costs.events, "M", measured)]
    for name in costs.records:
        found.append(Used(f"records per complaint, {name}", costs.records[name], "M", measured))
        found.append(Used(f"CPU us per record, {name}", costs.cpu_us_per_record[name], "M", measured))
        found.append(Used(f"MiB of an empty worker, {name}", costs.rss_mib[name], "M", measured))
    found += [
        Used("CPU us per complaint, broker", costs.broker_cpu_us, "M", measured),
        Used("CPU us per complaint, Redis", costs.redis_cpu_us, "M", measured),
        Used("bytes per complaint in the log", costs.log_bytes, "M", measured),
        Used("bytes per complaint in Redis", costs.redis_bytes, "M", measured),
        Used("bytes per case in the table", costs.bytes_per_open_case, "M", measured),
        Used("days a case is kept after its end", kept_days(systems), "D", "the profiles' forget_after_days"),
    ]
    given = ((each.name, getattr(figures, each.name)) for each in msgspec.structs.fields(Figures))
    return found + [Used(name.replace("_", " "), each.value, each.mark, each.source) for name, each in given]
