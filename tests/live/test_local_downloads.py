"""What Kafka needs from elsewhere, its jars and a Java runtime: found, proven, or refused with what to do."""

import errno
import hashlib
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.local import java
from deploy.local.errors import LocalError
from deploy.local.jars import ensure_jars
from deploy.local.java import find_java

CONTENT = b"the bytes of a jar" * 1000
NAME = "spool-1.0.jar"
MAVEN_PATH = f"org/example/spool/1.0/{NAME}"


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One locked jar, empty caches, and no way to any repository but the one a test names."""
    monkeypatch.setenv("NIVARAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    use_repository(tmp_path, "http://127.0.0.1:9")
    file = tmp_path / "jars.lock"
    file.write_text(f"org.example:spool:1.0 {hashlib.sha256(CONTENT).hexdigest()} {len(CONTENT)}\n")
    return file


def use_repository(tmp_path: Path, address: str) -> None:
    (tmp_path / "jgo.conf").write_text(f"[repositories]\nonly = {address}\n")


@contextmanager
def repository(status: int, body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = status if self.path.endswith(".jar") else 404
            self.send_response(found)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_jar_is_downloaded_once_and_said_so(tmp_path: Path, lock_file: Path) -> None:
    told: list[str] = []
    with repository(200, CONTENT) as address:
        use_repository(tmp_path, address)
        folder = ensure_jars(lock_file=lock_file, tell=told.append)
    assert (folder / NAME).read_bytes() == CONTENT
    assert len(told) == 1
    assert ensure_jars(lock_file=lock_file, tell=told.append) == folder, "needs no repository any more"
    assert len(told) == 1
    assert [file.name for file in folder.iterdir()] == [NAME], "no scratch left"


def test_the_machines_maven_cache_spares_the_download(tmp_path: Path, lock_file: Path) -> None:
    (tmp_path / "m2" / MAVEN_PATH).parent.mkdir(parents=True)
    (tmp_path / "m2" / MAVEN_PATH).write_bytes(CONTENT)
    assert (ensure_jars(lock_file=lock_file) / NAME).read_bytes() == CONTENT


def test_a_damaged_jar_is_fetched_again(tmp_path: Path, lock_file: Path) -> None:
    with repository(200, CONTENT) as address:
        use_repository(tmp_path, address)
        jar = ensure_jars(lock_file=lock_file) / NAME
        jar.write_bytes(CONTENT[:-1] + b"!")
        ensure_jars(lock_file=lock_file)
    assert jar.read_bytes() == CONTENT


def test_offline_with_an_empty_cache(lock_file: Path) -> None:
    with pytest.raises(LocalError, match=r"no connection to the Maven repository for spool-1\.0\.jar.*Connect once"):
        ensure_jars(lock_file=lock_file)


def test_a_refused_download(tmp_path: Path, lock_file: Path) -> None:
    with repository(403, b"no") as address:
        use_repository(tmp_path, address)
        with pytest.raises(LocalError, match=r"refused spool-1\.0\.jar.*JGO_CONFIG_FILE"):
            ensure_jars(lock_file=lock_file)


@pytest.mark.parametrize("body", [b"?" * len(CONTENT), CONTENT[:100], b""])
def test_a_wrong_checksum_is_not_used(tmp_path: Path, lock_file: Path, body: bytes) -> None:
    with repository(200, body) as address:
        use_repository(tmp_path, address)
        with pytest.raises(LocalError, match=r"SHA-256 is not the one in the lock file: it was not used"):
            ensure_jars(lock_file=lock_file)
    assert list(tmp_path.glob("cache/*/*.jar")) == []


def test_a_full_disk(tmp_path: Path, lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m2" / MAVEN_PATH).parent.mkdir(parents=True)
    (tmp_path / "m2" / MAVEN_PATH).write_bytes(CONTENT)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(LocalError, match=r"the disk is full. Make room there, or set NIVARAN_CACHE"):
        ensure_jars(lock_file=lock_file)


def test_a_download_larger_than_the_user_may_write(tmp_path: Path, lock_file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from deploy.local.jars import ensure_jars;"
        "ensure_jars(lock_file=Path(sys.argv[1]))"
    )
    with repository(200, CONTENT) as address:
        use_repository(tmp_path, address)
        ended = subprocess.run(
            [sys.executable, "-c", script, lock_file],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
    assert "larger than this user may write" in ended.stderr
    assert "NIVARAN_CACHE" in ended.stderr


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Java anywhere; the folder returned is the whole PATH."""
    for name in ("NIVARAN_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(java, "_packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def fake_java(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    path.chmod(0o755)


def test_without_java_the_error_says_what_to_do(bare_machine: Path) -> None:
    with pytest.raises(LocalError, match=r"no Java 17 or newer.*pip install 'nivaran\[local\]'.*NIVARAN_JAVA"):
        find_java()


@pytest.mark.parametrize(("version", "named"), [("1.8.0_402", "version 8"), ("11.0.2", "version 11")])
def test_an_old_java_is_named(bare_machine: Path, version: str, named: str) -> None:
    fake_java(bare_machine / "java", version)
    with pytest.raises(LocalError, match=f"PATH: .*java is {named}"):
        find_java()


def test_java_home_goes_before_path(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(bare_machine / "java", "17.0.1")
    fake_java(bare_machine / "jdk" / "bin" / "java", "21")
    monkeypatch.setenv("JAVA_HOME", str(bare_machine / "jdk"))
    found = find_java()
    assert (found.version, found.origin) == (21, "JAVA_HOME")


def test_a_wrong_explicit_choice_is_not_replaced_by_another(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(bare_machine / "java", "21")
    monkeypatch.setenv("NIVARAN_JAVA", str(bare_machine / "nothing"))
    with pytest.raises(LocalError, match=r"NIVARAN_JAVA: .*nothing does not run"):
        find_java()


def test_the_packaged_runtime_serves() -> None:
    assert find_java().version >= java.OLDEST
