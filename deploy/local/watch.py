"""Prometheus and Alertmanager of this machine, with the rules of deploy/prometheus, watching what is told to them."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK, PortLease
from deploy.local.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PORTS: Final = range(29_090, 29_190)
START_S: Final = 60.0
DEPLOY: Final = Path(__file__).parents[1]
RESEND_S: Final = 5
PROGRAMS: Final = {
    "prometheus": (("prometheus",), "prometheus"),
    "alertmanager": (("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
}
"""Server -> what its program may be called, and the Debian package that has it."""


def program(server: str) -> str:
    """Path of a server's program; raises LocalError naming the package."""
    names, package = PROGRAMS[server]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise LocalError(f"no {names[0]} on this machine. Install it (on Debian and Ubuntu: apt install {package}).")
    return found


class Watch:
    """`with Watch(folder, {"nivaran-worker": ["127.0.0.1:8081"]}) as watch: watch.prometheus`.

    Scrapes the given addresses, job by job, and whatever files in `folder/targets` name (Prometheus' file_sd). Ends
    with this process unless `detached`. `every`: seconds between scrapes, and between evaluations of the rules.
    """

    def __init__(
        self,
        folder: Path,
        jobs: Mapping[str, Sequence[str]],
        *,
        every: int = 15,
        detached: bool = False,
        first_ports: Sequence[int] = (),
        rules: Path = DEPLOY / "prometheus" / "rules",
    ) -> None:
        self.folder = folder.resolve()
        self._jobs, self._every, self._rules = jobs, every, rules
        programs = {server: program(server) for server in PROGRAMS}
        self._lease = PortLease(2, PORTS, first_try=first_ports)
        self.ports = dict(zip(PROGRAMS, self._lease.ports, strict=True))
        self._detached = detached
        self.processes = {name: self._process(name, path) for name, path in programs.items()}

    @property
    def prometheus(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['prometheus']}"

    @property
    def alertmanager(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['alertmanager']}"

    def start(self) -> Self:
        """Start both and wait until they serve; raises LocalError with the log's last lines."""
        (self.folder / "targets").mkdir(parents=True, exist_ok=True)
        # JSON is YAML
        (self.folder / "prometheus.yml").write_text(json.dumps(self._configuration(), indent=2))
        shutil.copyfile(DEPLOY / "prometheus" / "alertmanager.yml", self.folder / "alertmanager.yml")
        try:
            for name, process in self.processes.items():
                process.start()
                wait_serving(process, f"http://{LOOPBACK}:{self.ports[name]}/-/ready")
        except BaseException:
            self.stop()
            raise
        if self._detached:  # from here on the servers hold their ports
            self._lease.release()
        return self

    def stop(self) -> None:
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.stop()
        self._lease.release()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Result of an instant query: a list of series with `metric` and `value`."""
        return _data(f"{self.prometheus}/api/v1/query", {"query": expr})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _process(self, name: str, path: str) -> ServerProcess:
        folder = self.folder / name
        listen = f"--web.listen-address={LOOPBACK}:{self.ports[name]}"
        own = {
            "prometheus": (
                f"--storage.tsdb.path={folder}/data",
                "--enable-feature=exemplar-storage",
                # it may fire before it has found Alertmanager: what was told to nobody is soon told again
                f"--rules.alert.resend-delay={RESEND_S}s",
            ),
            "alertmanager": (f"--storage.path={folder}/data", "--cluster.listen-address="),
        }[name]
        command = (path, f"--config.file={self.folder / name}.yml", listen, *own)
        return ServerProcess(
            name, folder, command, detached=self._detached, inherit=self._lease.fds if self._detached else ()
        )

    def _configuration(self) -> dict[str, Any]:
        every = f"{self._every}s"
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in self._jobs.items()
        ]
        own = {"job_name": "prometheus", "static_configs": [{"targets": [f"{LOOPBACK}:{self.ports['prometheus']}"]}]}
        found = {"job_name": "nivaran-found", "file_sd_configs": [{"files": [f"{self.folder}/targets/*.json"]}]}
        return {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": every if self._every < 10 else "10s",  # noqa: PLR2004 - Prometheus' own default
                "evaluation_interval": every,
                "external_labels": {"deployment": "local", "runbooks": (DEPLOY / "runbook").as_uri()},
            },
            "rule_files": [f"{self._rules}/*.yml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"{LOOPBACK}:{self.ports['alertmanager']}"]}]}]
            },
            "scrape_configs": [*jobs, found, own],
        }


def wait_serving(process: ServerProcess, url: str) -> None:
    """Wait until a GET of `url` succeeds; raises LocalError with the log's last lines when it does not."""
    deadline = time.monotonic() + START_S
    while not serves(url):
        if not process.alive or time.monotonic() > deadline:
            raise LocalError(f"{process.name} does not serve.\nLog: {process.log_file}\n{process.tail(15)}")
        time.sleep(0.1)


def serves(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2.0):  # noqa: S310 - our own http address
            return True
    except (urllib.error.URLError, OSError):
        return False


def _data(url: str, form: Mapping[str, str]) -> list[dict[str, Any]]:
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, body, timeout=30.0) as answer:  # noqa: S310 - our own http address
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found
