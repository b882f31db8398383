"""What the gateway takes a second and a core, beside a bare handler that does one durable write: both under wrk."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from deploy.bench import mix
from deploy.bench.lab import BenchError
from deploy.bench.meter import Load, Spread, cores, cpu_s, load, spread
from deploy.demo.secrets import drawn
from deploy.fleet import Fleet
from deploy.fleet.service import Service
from deploy.local.ports import PortLease
from schemas.topics import INTAKE_SUBMITTED

PORTS: Final = range(23_560, 23_580)
CONNECTIONS: Final = 64
WARM_S: Final = 5
PATIENCE_S: Final = 10
"""For an answer: the first ones wait for a broker that has compiled nothing yet."""
START_S: Final = 30.0
LOOK_S: Final = 0.05
BODIES: Final = 2000
Who = Literal["gateway", "bare handler"]
Tell = Callable[[str], None]
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT: Final = re.compile(r"(\d+) requests in")
_P99: Final = re.compile(r"99%\s+([\d.]+)(us|ms|s)\b")
_REFUSED: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BROKEN: Final = re.compile(r"Socket errors: (.*)")
MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}
# every request has a key of its own: none is answered from memory
SCRIPT: Final = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local run, sent = os.getenv("RUN"), 0
request = function()
  sent = sent + 1
  return wrk.format("POST", "/v1/complaints", {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. os.getenv("TOKEN"),
    ["Idempotency-Key"] = run .. "-" .. sent,
  }, bodies[sent % #bodies + 1])
end
"""


class Run(Struct, frozen=True):
    """One run: requests answered 2xx once durable, and what they cost the process that answered."""

    who: Who
    requests: int
    per_second: float
    p99_ms: float
    cpu_us: float
    """Of the process, per request."""
    load: Load


class Side(Struct, frozen=True):
    who: Who
    per_second: Spread
    p99_ms: Spread
    cpu_us: Spread


class Result(Struct, frozen=True):
    seconds: float
    connections: int
    sides: list[Side]
    runs: list[Run]


class Target(NamedTuple):
    who: Who
    url: str
    pid: int


def measure(home: Path, seconds: float, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError where wrk is missing, or an answer was other than 2xx; FleetError."""
    if shutil.which("wrk") is None:
        raise BenchError("wrk is not on this machine (Debian package wrk)")
    secrets, (others, own) = drawn(), cores()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {others})
    try:
        environ = {**secrets.environ, "NIVARAN_RATE": "0"}
        with Fleet(home, roles={}, lasting=True, gateway=True, environ=environ) as fleet, PortLease(1, PORTS) as lease:
            bodies = home / "bodies.ndjson"
            bodies.write_text("".join(f"{json.dumps(each)}\n" for each in mix.complaints(BODIES, seed)))
            bare = _bare(home, fleet.kafka.bootstrap, lease.ports[0])
            bare.start()
            try:
                _wait(bare)
                targets = [_target("gateway", fleet.services["gateway"]), _target("bare handler", bare)]
                for target in targets:
                    os.sched_setaffinity(target.pid, {own})
                wrk = Wrk(bodies, secrets.tokens["citizen-channel"])
                for target in targets:
                    wrk.run(target, WARM_S, "first", connections=1)
                    wrk.run(target, WARM_S, "warm")
                done = []
                for number in range(1, runs + 1):
                    for target in targets:
                        done.append(wrk.run(target, seconds, f"run-{number}"))
                        tell(f"run {number}, {target.who}: {done[-1].per_second:,.0f}/s, p99 {done[-1].p99_ms:.1f} ms")
            finally:
                bare.ask_to_stop()
                bare.see_out()
    finally:
        os.sched_setaffinity(0, before)
    return Result(seconds, CONNECTIONS, [_side(target.who, done) for target in targets], done)


def _bare(home: Path, kafka: str, port: int) -> Service:
    folder = home / "bare"
    command = (sys.executable, "-X", f"bench={folder}", "-m", "deploy.bench.bare", kafka, str(port), INTAKE_SUBMITTED)
    return Service("bare", folder, command, port, {}, "/readyz")


def _wait(bare: Service) -> None:
    deadline = time.monotonic() + START_S
    while not bare.ready:
        if time.monotonic() > deadline or bare.process.ended_with is not None:
            raise BenchError(f"the bare handler is not ready: {bare.process.tail(5)}")
        time.sleep(LOOK_S)


def _target(who: Who, service: Service) -> Target:
    pid = service.process.pid
    if pid is None:
        raise BenchError(f"the {who} has ended: {service.process.tail(5)}")
    return Target(who, service.url, pid)


class Wrk:
    """Runs wrk, one thread, against a target."""

    def __init__(self, bodies: Path, token: str) -> None:
        self._script = bodies.with_suffix(".lua")
        self._script.write_text(SCRIPT)
        self._environ = {**os.environ, "BODIES": str(bodies), "TOKEN": token}

    def run(self, target: Target, seconds: float, name: str, connections: int = CONNECTIONS) -> Run:
        busy, before = load(), cpu_s(target.pid)
        of = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", f"--timeout={PATIENCE_S}s", "--latency"]
        command = ["wrk", *of, "-s", str(self._script), target.url]
        environ = self._environ | {"RUN": f"{name}-{target.pid}"}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        used = cpu_s(target.pid) - before
        found = told(ended.stdout, ended.stderr)
        cpu_us = round(used / found.requests * 1e6, 1)
        return Run(target.who, found.requests, found.per_second, found.p99_ms, cpu_us, busy)


class Told(NamedTuple):
    requests: int
    per_second: float
    p99_ms: float


def told(output: str, errors: str = "") -> Told:
    """Return what wrk says; raises BenchError where an answer was other than 2xx, or a connection broke."""
    counted, rate, p99 = _COUNT.search(output), _RATE.search(output), _P99.search(output)
    if counted is None or rate is None or p99 is None or not int(counted[1]):
        raise BenchError(f"wrk said nothing of use: {errors or output}")
    if wrong := _REFUSED.search(output) or _BROKEN.search(output):
        raise BenchError(f"void: {wrong[0]}")
    return Told(int(counted[1]), float(rate[1]), float(p99[1]) * MS[p99[2]])


def _side(who: Who, runs: Iterable[Run]) -> Side:
    mine = [run for run in runs if run.who == who]
    return Side(
        who,
        spread([run.per_second for run in mine]),
        spread([run.p99_ms for run in mine]),
        spread([run.cpu_us for run in mine]),
    )
