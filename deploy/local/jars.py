"""Apache Kafka's jars: exactly those of the lock file, each proven by its SHA-256 before it is used."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.errors import LocalError, storage_fault
from deploy.local.paths import CACHE_SETTING, cache_home

if TYPE_CHECKING:
    from collections.abc import Callable

KAFKA_VERSION = "4.3.1"
LOCK_FILE = Path(__file__).with_name("kafka_jars.lock")
_AT_ONCE = 8
_DOWNLOAD_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file; `size` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def in_maven_cache(self, root: Path) -> Path:
        return root.joinpath(*self.group.split("."), self.artifact, self.version, self.filename)


def locked_jars(lock_file: Path) -> tuple[Jar, ...]:
    """Read the lock file: `group:artifact:version sha256 bytes`, one jar a line."""
    lines = (line.split() for line in lock_file.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(*_coordinate(name), sha256, int(size)) for name, sha256, size in lines)


def _coordinate(name: str) -> tuple[str, str, str]:
    group, artifact, version = name.split(":")
    return group, artifact, version


def ensure_jars(*, lock_file: Path = LOCK_FILE, tell: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder that holds every jar of `lock_file`, fetching what is missing or damaged.

    Looks first in `cache_home()`, then in the machine's Maven cache (M2_REPO or ~/.m2), then downloads. `tell` hears
    one line when a download is needed.
    Raises LocalError: offline, refused, wrong checksum, no room.
    """
    folder = cache_home() / f"kafka-{KAFKA_VERSION}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            missing = _all_but(pool, locked_jars(lock_file), lambda jar: _proven(folder / jar.filename, jar))
            missing = _all_but(pool, missing, lambda jar: _taken_from_machine(jar, folder))
            if missing:
                megabytes = sum(jar.size for jar in missing) / 1e6
                tell(f"Fetching Apache Kafka {KAFKA_VERSION}: {megabytes:.0f} MB, once, into {folder}")
            list(pool.map(lambda jar: _download(jar, folder), missing))
    except OSError as error:
        raise storage_fault(error, folder, CACHE_SETTING) or error from error
    return folder


def _all_but(pool: ThreadPoolExecutor, jars: tuple[Jar, ...], have: Callable[[Jar], bool]) -> tuple[Jar, ...]:
    return tuple(jar for jar, found in zip(jars, pool.map(have, jars), strict=True) if not found)


def _proven(path: Path, jar: Jar) -> bool:
    if not path.is_file() or path.stat().st_size != jar.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == jar.sha256


def _taken_from_machine(jar: Jar, folder: Path) -> bool:
    source = jar.in_maven_cache(Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository"))
    if not _proven(source, jar):
        return False
    # copied under another name and renamed: an interrupted run leaves no half jar to be trusted
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        shutil.copyfile(source, Path(scratch, jar.filename)).replace(folder / jar.filename)
    return True


def _download(jar: Jar, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fetched = _fetch(jar, Path(scratch))
        if not _proven(fetched, jar):
            raise LocalError(
                f"{jar.filename} was downloaded but its SHA-256 is not the one in the lock file: it was not used. "
                "Something between here and the Maven repository alters or replaces files; "
                "name a trustworthy repository in the file JGO_CONFIG_FILE points to, section [repositories]."
            )
        fetched.replace(folder / jar.filename)


def _fetch(jar: Jar, scratch: Path) -> Path:
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - an optional extra, needed only for a download
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError:
        raise LocalError(
            "Kafka's jars are not on this machine and the downloader is not installed: pip install 'nivaran[local]'."
        ) from None
    # no repository of our own: the downloader's default, or what the user's jgo configuration names
    context = MavenContext(
        repo_cache=scratch, remote_repos=GlobalSettings.load().repositories or None, timeout=_DOWNLOAD_TIMEOUT_S
    )
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        return Path(component.artifact().resolve())
    except RuntimeError as error:
        raise LocalError(
            f"the Maven repository refused {jar.filename} ({error}). If a proxy or mirror is needed, name it in the "
            "file JGO_CONFIG_FILE points to, section [repositories]; a filled Maven cache (M2_REPO) also serves."
        ) from error
    except OSError as error:
        if storage_fault(error, folder := scratch.parent, CACHE_SETTING):
            raise
        raise LocalError(
            f"no connection to the Maven repository for {jar.filename} ({type(error).__name__}). Connect once, or copy "
            f"{folder.name} of NIVARAN_CACHE from a machine that has it to {folder}."
        ) from error
