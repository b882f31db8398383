"""What a drill runs on: a fleet, the watch over it with shortened rules, a load, and hands that obey a page."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis import Redis

from deploy.demo.run import OWN_SETTINGS, ROLES
from deploy.demo.secrets import Secrets, drawn
from deploy.fleet import Fleet
from deploy.fleet.service import Service
from deploy.local.watch import Watch
from tests.builds import Change, built, environ
from tests.drills import scale
from tests.drills.disk import Disk
from tests.drills.firing import Firing
from tests.drills.load import Load
from tests.drills.yesterday import remember_yesterday
from tests.live.harness import WorkerProcess
from tests.live.stand import say
from tests.subscribing import ENVIRON, Endpoint, serving
from tests.waiting import until

PARTITIONS: Final = 2
PACKAGES: Final = ("schemas", "streams", "agents", "deploy")
EVERY_S: Final = 2
"""Between scrapes, evaluations and looks of the exporter."""
READY_S: Final = 150.0
SAY_WITH_1: Final = frozenset({("topics", "verify"), ("dlq", "list"), ("audit",)})
"""Commands that tell by exit code 1 of what is not as it should be."""
SUBSCRIBER: Final = (
    '[desk]\nurl = "{url}"\nsecrets = ["NIVARAN_WEBHOOK_SECRET_A"]\nbegin = "beginning"\nrevision = {revision}\n'
)
STARTS: Final = frozenset({"up", "start", "restart"})


@dataclass
class Ground:
    """One deployment under watch; what a strike leaves behind for the hands that mend it is kept here."""

    fleet: Fleet
    watch: Watch
    firing: Firing
    secrets: Secrets
    seed: int
    load: Load | None = None
    desk: Endpoint = field(default_factory=Endpoint)
    disk: Disk | None = None
    extras: list[WorkerProcess] = field(default_factory=list)
    revision: int = 1
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._usual = {
            name: (dict(each.process.environ or {}), tuple(each.process.command))
            for name, each in self.fleet.services.items()
        }

    # processes by the names they have in docker-compose.yml

    def service(self, name: str) -> Service:
        """`worker-case` is the first worker of the role."""
        return self.fleet.services[f"{name.removeprefix('worker-')}-1" if name.startswith("worker-") else name]

    def set(self, name: str, **environ: str) -> None:
        """Settings of a process, from its next start on."""
        process = self.service(name).process
        process.environ = {**(process.environ or {}), **environ}

    def put_right(self, name: str, variables: Iterable[str]) -> None:
        """These settings of a process are the usual ones again, from its next start on."""
        service = self.service(name)
        usual, _ = self._usual[service.name]
        told, named = service.process.environ or {}, set(variables)
        service.process.environ = {
            **{variable: value for variable, value in told.items() if variable not in named},
            **{variable: value for variable, value in usual.items() if variable in named},
        }

    def release(self, name: str, changes: Sequence[Change]) -> None:
        """From its next start on a process runs another release: this one with changes."""
        folder = Path(tempfile.mkdtemp(prefix="release-", dir=self.fleet.home))
        self.set(name, **environ(built(folder, changes, PACKAGES)))

    @contextmanager
    def redis(self) -> Iterator[Redis]:
        with closing(Redis.from_url(self.fleet.redis.url)) as redis:
            yield redis

    def carry_out(self, command: str) -> None:
        """Do what a runbook page says, on this machine instead of in Compose; wait until that has been done."""
        match command.split():
            case ["nivaran", "worker", role]:
                self.join(role, len(self.extras), instead=self.service(f"worker-{role}")).wait_ready()
            case ["nivaran", "exporter", "--port", _]:
                self._beside("exporter", ["exporter", "--port", str(self.service("exporter").port)])
            case ["nivaran", *words]:
                self.nivaran(*words)
            case ["docker", "compose", *words]:
                verb = next(word for word in words if word in STARTS | {"stop"})
                role, scaled, number = words[-1].removeprefix("worker-").partition("=")
                self._compose(verb, f"{role}-{number}" if scaled else words[-1])
            case _:
                raise ValueError(f"no hands for {command!r}")

    def _compose(self, verb: str, name: str) -> None:
        match name:
            case "kafka":
                for node in self.fleet.kafka.nodes:
                    if verb == "restart":
                        node.kill()
                    node.start()
                self.fleet.kafka.wait_ready()
            case "redis":
                self.fleet.redis.start()
            case "alertmanager" | "prometheus" | "-d":  # all of the profile
                for process in self.watch.processes.values():
                    process.start()
            case _:
                for service in self._named(name):
                    if verb in {"restart", "up"} and service.process.alive:
                        service.stop()
                    service.start()
                    until(lambda each=service: each.ready, READY_S, what=f"{service.name} is ready")

    def _named(self, name: str) -> list[Service]:
        """All workers of a role, or the one process of a name."""
        role = name.removeprefix("worker-")
        if role == name:
            return [self.service(name)]
        return [each for found, each in self.fleet.services.items() if found.rpartition("-")[0] == role]

    def nivaran(self, *words: str) -> str:
        """Run a command against this deployment; answers what it printed. Some say something with exit code 1."""
        command = [sys.executable, "-m", "deploy.cli", *words]
        done = subprocess.run(
            command, env={**os.environ, **self._environ()}, capture_output=True, text=True, timeout=300, check=False
        )
        say(f"nivaran {' '.join(words)}: exit {done.returncode}, {_last(done.stdout) or _last(done.stderr)}")
        assert done.returncode == 0 or (done.returncode == 1 and words[:2] in SAY_WITH_1), done.stdout + done.stderr
        return done.stdout

    def control(self, **faults: float) -> None:
        """Tell the SMS sandbox what to do wrong from now on."""
        self.service("sms-sandbox").post("/control", faults)

    def _environ(self) -> dict[str, str]:
        usual, _ = next(iter(self._usual.values()))
        return {**usual, "NIVARAN_WEBHOOKS": str(self.subscriptions)}

    # subscribers

    @property
    def subscriptions(self) -> Path:
        return self.fleet.home / "webhooks.toml"

    def subscribe(self) -> None:
        self.subscriptions.write_text(SUBSCRIBER.format(url=self.desk.url, revision=self.revision))

    # processes beside the fleet's own

    def join(self, role: str, number: int, instead: Service | None = None, **environ: str) -> WorkerProcess:
        """One worker more of a role; its end is not mended by anybody.

        Where the one it stands in for has gone, it is found at that one's address.
        """
        port = 0 if instead is None or instead.process.alive else instead.port
        return self._beside(f"{role}-{number}", ["worker", role], NIVARAN_HTTP_PORT=str(port), **environ)

    def _beside(self, name: str, words: Sequence[str], **environ: str) -> WorkerProcess:
        made = WorkerProcess(
            ["deploy.cli", *words],
            {**self._environ(), **environ},
            self.fleet.home / f"extra-{name}.log",
        )
        self.extras.append(made)
        return made

    # what goes on until a row is over

    def until_over(self) -> threading.Event:
        """Set when the row is over."""
        return self._over

    def over(self) -> None:
        """The row is over: what was begun for it ends, and what runs with other settings than the usual ones."""
        self._over.set()
        self._over = threading.Event()
        self.dismiss()
        for name, (told, command) in self._usual.items():
            service = self.fleet.services[name]
            if (service.process.environ, service.process.command) != (told, command):
                service.stop()
                service.process.environ, service.process.command = told, command

    def dismiss(self) -> None:
        """End the workers that joined."""
        for each in self.extras:
            if each.process.poll() is None:
                each.stop()
        self.extras.clear()


@contextmanager
def ground(home: Path, seed: int, *, brokers: int) -> Iterator[Ground]:
    """Everything up, quiet and under load (one broker), or three brokers and the exporter alone."""
    secrets, endpoint = drawn(), Endpoint()
    whole = brokers == 1
    with ExitStack() as held:
        held.enter_context(serving(endpoint))
        told = home / "webhooks.toml"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(SUBSCRIBER.format(url=endpoint.url, revision=1))
        disk = held.enter_context(Disk(home / "disk")) if Disk.possible() else None
        settings = {
            **secrets.environ, **OWN_SETTINGS, **ENVIRON,
            "NIVARAN_EXPORTER_INTERVAL": str(EVERY_S), "NIVARAN_SESSION_TIMEOUT": "6", "NIVARAN_SMS_TIMEOUT": "4",
        }  # fmt: skip
        fleet = held.enter_context(
            Fleet(
                home,
                roles={**ROLES, "intake": 2} if whole else {},
                partitions=PARTITIONS,
                brokers=brokers,
                sandbox=() if whole else None,
                gateway=whole,
                exporter=True,
                webhooks=told if whole else None,
                environ=settings,
                keep=True,
            )
        )
        if disk is not None:
            _measure(fleet, disk)
        rules = scale.write(home / "rules")
        watch = Watch(home / "watch", jobs(fleet), every=EVERY_S, rules=rules)
        if whole:
            remember_yesterday(watch)
        held.enter_context(watch)
        firing = held.enter_context(Firing(watch.alertmanager))
        load = None
        if whole:
            load = held.enter_context(Load(fleet.services["gateway"].url, secrets.tokens["citizen-channel"], seed))
        made = Ground(fleet, watch, firing, secrets, seed, load, endpoint, disk)
        try:
            until(lambda: "Watchdog" in firing.now, 150, every=0.5, what="the watchdog reaches Alertmanager")
            yield made
        finally:
            made.dismiss()


def _measure(fleet: Fleet, disk: Disk) -> None:
    """Let the exporter look at that disk."""
    exporter = fleet.services["exporter"]
    exporter.stop()
    exporter.process.environ = {**(exporter.process.environ or {}), "NIVARAN_DATA_DIR": str(disk.folder)}
    exporter.start()
    until(lambda: exporter.ready, READY_S, what="the exporter is ready")


def jobs(fleet: Fleet) -> dict[str, list[str]]:
    """Scrape targets by job."""
    found: dict[str, list[str]] = {}
    for name, service in fleet.services.items():
        if name != "sms-sandbox":
            job = name if name in {"gateway", "exporter", "webhooks"} else "worker"
            found.setdefault(f"nivaran-{job}", []).append(service.url.removeprefix("http://"))
    return found


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:160]
