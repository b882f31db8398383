"""One run of a whole deployment, all roles, on a simulated helpline's input: what each process used, and what came."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from redis import Redis

from agents.settings import Settings
from agents.simulate.door import Door
from agents.simulate.generate import Simulation
from deploy.bench import mix, tally
from deploy.bench.lab import PATIENT, BenchError
from deploy.bench.meter import Load, cores, cpu_s, load, memory
from deploy.bench.scrape import taken
from deploy.bench.table import fill
from deploy.demo.secrets import Secrets, drawn
from deploy.fleet import Fleet
from deploy.fleet.fleet import Message
from schemas.codec import encode
from schemas.topics import INTAKE_SUBMITTED, SLA_WINDOW
from streams.case.stage import CASE
from streams.profiles.profile import DAY_MS

ROLES: Final = ("intake", "case", "sla", "sms", "officers", "board")
STEP_MS: Final = 7 * DAY_MS
"""Of simulated time: a week's input is there at once, then all that falls due in it."""
SETTLE_S: Final = 600.0
GROUP: Final = "nivaran-case"


class Setting(Struct, frozen=True):
    """A deployment and its input: complaints over days from districts; workers of each role, open cases beforehand."""

    complaints: int
    workers: int = 1
    partitions: int = 4
    open: int = 0
    days: int = 21
    districts: int = 75


class Run(Struct, frozen=True):
    """One run of one setting. CPU in microseconds per event, an event being a record that came in from outside."""

    setting: Setting
    complaints: int
    events: int
    windows: int
    """SLA windows that closed, revisions among them."""
    cpu_us: float
    """Of all workers."""
    by_role: dict[str, float]
    records: dict[str, int]
    """Records each role took, wakes among them."""
    beside: dict[str, float]
    """CPU of broker, Redis and SMS sandbox, as above."""
    rss_mib: dict[str, float]
    log_bytes: int
    """Of all topics on one replica, states' changelogs among them."""
    redis_bytes: int
    per_second: float
    """Events, by the wall clock, all workers on as many cores as there are workers of a role, the rest beside them."""
    load: Load


class Fed(NamedTuple):
    """What has been put in: complaints, and records of any kind."""

    complaints: int
    events: int


def carried_out(home: Path, setting: Setting, seed: int, *, lasting: bool) -> Run:
    """Bring it up, feed it, and look at it when nothing is left to do; raises BenchError, FleetError."""
    source, secrets = mix.helpline(setting.complaints, seed, setting.days, setting.districts), drawn()
    with Fleet(
        home,
        roles=dict.fromkeys(ROLES, setting.workers),
        begin=source.truth.start_at,
        partitions=setting.partitions,
        lasting=lasting,
        sandbox=(),
        environ={**secrets.environ, **PATIENT, "NIVARAN_OFFICES": "sandbox"},
    ) as fleet:
        if setting.open:
            _fill(fleet, setting.open, seed)
        fleet.settle(SETTLE_S)  # starting takes all the cores there are
        with _pinned(fleet):
            return _measured(fleet, setting, source, secrets)


def _measured(fleet: Fleet, setting: Setting, source: Simulation, secrets: Secrets) -> Run:
    busy, used, began = load(), _used(fleet), time.monotonic()
    log_bytes, redis_bytes = _log_bytes(fleet), _redis_bytes(fleet)
    fed = _feed(fleet, source, secrets)
    took, after = time.monotonic() - began, _used(fleet)
    spent = {name: (after[name] - used[name]) / fed.events * 1e6 for name in used}
    by_role = {role: _of_role(spent, role) for role in ROLES}
    records = {role: sum(taken(s.url) for s in fleet.workers if _role(s.name) == role) for role in ROLES}
    rss = {each.name: memory(each.process.pid).most for each in fleet.workers if each.process.pid is not None}
    return Run(
        setting,
        fed.complaints,
        fed.events,
        _windows(fleet),
        round(sum(by_role.values()), 1),
        {role: round(cost, 1) for role, cost in by_role.items()},
        records,
        {name: round(cost, 1) for name, cost in spent.items() if _role(name) not in ROLES},
        {role: round(_of_role(rss, role), 1) for role in ROLES},
        _log_bytes(fleet) - log_bytes,
        _redis_bytes(fleet) - redis_bytes,
        round(fed.events / took, 1),
        busy,
    )


def _fill(fleet: Fleet, count: int, seed: int) -> None:
    """Put open cases into the table of the case workers, while these are down; nothing of them falls due."""
    cases = [service for service in fleet.workers if _role(service.name) == "case"]
    for service in cases:
        service.stop()
    standing = mix.multiplied(mix.put_off(mix.open_cases(seed)), count)
    fill(
        Settings(kafka=fleet.kafka.bootstrap, partitions=fleet.partitions, replication=1),
        f"{GROUP}-{CASE.name}-changelog",
        standing,
    )
    for service in cases:
        service.start()


def _feed(fleet: Fleet, source: Simulation, secrets: Secrets) -> Fed:
    """Everything in, a step of time after the other, and all that follows from it."""
    complaints = events = 0
    at, waiting = source.truth.start_at + STEP_MS, list[Message]()
    for topic, message_at, message in _messages(source, secrets):
        while message_at > at:
            _step(fleet, waiting, at)
            waiting, at = [], at + STEP_MS
        waiting.append(message)
        events += 1
        complaints += topic == INTAKE_SUBMITTED
    _step(fleet, waiting, source.truth.end_at)
    return Fed(complaints, events)


def _messages(source: Simulation, secrets: Secrets) -> Iterator[tuple[str, int, Message]]:
    door = Door(secrets.identity)
    for line in source:
        entry = door.take(line).entry
        if entry is not None:
            body = entry.value if isinstance(entry.value, bytes) else encode(entry.value)
            yield entry.topic, line.at, (entry.topic, entry.key, body, entry.written_at)


def _step(fleet: Fleet, messages: Sequence[Message], at: int) -> None:
    fleet.produce(messages)
    fleet.settle(SETTLE_S)
    fleet.advance(at, SETTLE_S)


@contextmanager
def _pinned(fleet: Fleet) -> Iterator[None]:
    """The first worker of each role on one core, all else on another: a second worker shares the broker's."""
    before, (others, own) = os.sched_getaffinity(0), cores()
    for pid in (os.getpid(), *_pids(fleet).values()):
        _pin(pid, others)
    for service in fleet.workers:
        if service.name.endswith("-1"):
            _pin(service.process.pid or 0, own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _pin(pid: int, core: int) -> None:
    """With all its threads, and those to come."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # ended since it was listed
            os.sched_setaffinity(int(thread.name), {core})


def _pids(fleet: Fleet) -> dict[str, int]:
    """Processes by name; raises BenchError when one has ended."""
    pids = {name: service.process.pid for name, service in fleet.services.items()}
    pids |= {"kafka": fleet.kafka.nodes[0].pid, "redis": fleet.redis.process.pid}
    found = {name: pid for name, pid in pids.items() if pid is not None}
    if len(found) < len(pids):
        raise BenchError(f"a process has ended: {sorted(set(pids) - set(found))}")
    return found


def _used(fleet: Fleet) -> dict[str, float]:
    """CPU seconds of each process so far."""
    return {name: cpu_s(pid) for name, pid in _pids(fleet).items()}


def _role(name: str) -> str:
    """Of a worker `case-1`; what is no worker has its own name."""
    role, _, number = name.rpartition("-")
    return role if number.isdigit() else name


def _of_role(figures: Mapping[str, float], role: str) -> float:
    return sum(figure for name, figure in figures.items() if _role(name) == role)


def _windows(fleet: Fleet) -> int:
    """Records of the windows' topic; markers of transactions are none."""
    begin = {(SLA_WINDOW, partition): 0 for partition in range(fleet.partitions)}
    return sum(1 for _ in tally.read(fleet.kafka.bootstrap, fleet.admin, begin))


def _log_bytes(fleet: Fleet) -> int:
    return sum(file.stat().st_size for file in fleet.kafka.nodes[0].data.glob("*/*.log"))


def _redis_bytes(fleet: Fleet) -> int:
    with Redis.from_url(fleet.redis.url) as asking:
        return int(asking.info("memory")["used_memory"])
