"""Checks of the machine: Python, packages, Java, Kafka's jars, the Redis server, ports, disk."""

import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from deploy.doctor.finding import Finding
from deploy.local.errors import LocalError
from deploy.local.jars import KAFKA_VERSION, LOCK_FILE, locked_jars
from deploy.local.java import find_java
from deploy.local.paths import cache_home, local_home
from deploy.local.ports import KAFKA_PORTS, REDIS_PORTS, PortLease
from deploy.local.redis import find_server

OLDEST: Final = (3, 11)
ROOM_GB: Final = 2.0
"""The demo leaves less than half of this."""
LEAST_GB: Final = 0.5
_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(\[[^]]*\])?==(?P<version>[^ ;]+)(?P<condition>.*)")


def machine() -> Iterator[Finding]:
    """Check what `nivaran local`, the demo and the tests need of this machine."""
    yield _python()
    yield _packages()
    yield _java()
    yield _jars()
    yield _redis_server()
    yield _ports()
    yield _disk()


def _python() -> Finding:
    if sys.version_info >= OLDEST:
        return Finding("python", "ok", platform.python_version())
    return Finding("python", "fail", platform.python_version(), "Install Python 3.11 or newer.")


def _packages() -> Finding:
    pins = [match for each in requires("nivaran") or () if (match := _PIN.match(each))]
    missing = [pin["name"] for pin in pins if _installed(pin["name"]) is None]
    others = [pin["name"] for pin in pins if _installed(pin["name"]) not in (None, pin["version"])]
    if missing or others:
        found = "; ".join(
            f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("other version", others)) if names
        )
        needed = [pin["name"] for pin in pins if pin["name"] in missing and "extra" not in pin["condition"]]
        todo = "`make .venv/demo`, or pip install --require-hashes -r requirements/demo.txt."
        return Finding("packages", "fail" if needed else "warn", found, todo)
    return Finding("packages", "ok", f"{len(pins)} as pinned")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _java() -> Finding:
    try:
        java = find_java()
    except LocalError as error:
        return Finding("java", "warn", "none for the embedded Kafka", str(error))
    return Finding("java", "ok", f"{java.version} ({java.origin})")


def _jars() -> Finding:
    folder = cache_home() / f"kafka-{KAFKA_VERSION}"
    missing = [jar for jar in locked_jars(LOCK_FILE) if not (folder / jar.filename).is_file()]
    if not missing:
        return Finding("kafka jars", "ok", f"{KAFKA_VERSION} in {folder}")
    megabytes = sum(jar.size for jar in missing) / 1e6
    todo = "The first `nivaran local up` fetches them; without a network copy the folder from another machine."
    return Finding("kafka jars", "warn", f"{megabytes:.0f} MB not fetched yet", todo)


def _redis_server() -> Finding:
    try:
        return Finding("redis server", "ok", find_server().name)
    except LocalError as error:
        return Finding("redis server", "warn", "none for the embedded Redis", str(error))


def _ports() -> Finding:
    try:
        for count, among in ((6, KAFKA_PORTS), (1, REDIS_PORTS)):
            PortLease(count, among).release()
    except LocalError as error:
        return Finding("ports", "warn", "too few are free", str(error))
    return Finding(
        "ports", "ok", f"free ones in {KAFKA_PORTS[0]}-{KAFKA_PORTS[-1]}, {REDIS_PORTS[0]}-{REDIS_PORTS[-1]}"
    )


def _disk() -> Finding:
    folder = _existing(local_home())
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free at {folder}"
    if free >= ROOM_GB:
        return Finding("disk", "ok", found)
    return Finding(
        "disk", "warn" if free >= LEAST_GB else "fail", found, "Make room, or set NIVARAN_HOME to a folder with more."
    )


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
