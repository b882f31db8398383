"""The short job on Kafka Streams and Flink: what they need comes by Maven, and javac compiles it, at the first run."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from deploy.local.errors import LocalError
from deploy.local.locks import own
from deploy.local.paths import CACHE_SETTING, cache_home

SOURCES: Final = Path(__file__).with_name("jvm")
ENGINES: Final = {"KafkaStreamsJob": "kafka_streams", "FlinkJob": "flink"}
MAINS: Final = {
    "Kafka Streams": ("KafkaStreamsJob", "memory"),
    "Kafka Streams, rocksdb": ("KafkaStreamsJob", "rocksdb"),
    "Flink": ("FlinkJob", "hashmap"),
    "Flink, rocksdb": ("FlinkJob", "rocksdb"),
}
"""Class, and where it keeps states."""
HEAP: Final = "-Xmx1g"
OPENED: Final = ("java.base/java.lang", "java.base/java.util", "java.base/java.time", "java.base/java.nio")
"""What Flink reaches into."""
QUIET: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class Built(NamedTuple):
    """Where compiled jobs are, and the Java of the compiler."""

    java: Path
    place: Path

    def command(self, folder: Path, main: str, words: tuple[str, ...]) -> tuple[str, ...]:
        """Runs `main`; `folder` tells the process from others."""
        home = self.place / ENGINES[main]
        path = f"{home / 'classes'}:{home / 'lib'}/*"
        opened = (f"--add-opens={each}=ALL-UNNAMED" for each in OPENED)
        return (str(self.java), HEAP, *opened, QUIET, f"-Dbench={folder}", "-cp", path, main, *words)


def built(tell: Callable[[str], None]) -> Built:
    """Return the jobs, compiled on first use; raises LocalError saying why they cannot be."""
    compiler, maven = (shutil.which(each) for each in ("javac", "mvn"))
    if compiler is None or maven is None:
        raise LocalError(
            "Kafka Streams and Flink need javac (17 or newer) and mvn: install a JDK and Maven, or leave peers out"
        )
    texts = sorted(path for path in SOURCES.rglob("*") if path.suffix in {".java", ".xml"})
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()[:16]
    place = cache_home() / "peers-jvm" / wanted
    with own(place.parent, CACHE_SETTING):
        if not (place / "whole").exists():
            tell(f"fetching and compiling {', '.join(ENGINES)} into {place}")
            shutil.rmtree(place, ignore_errors=True)
            for main, engine in ENGINES.items():
                _build(maven, compiler, SOURCES / engine, main, place / engine)
            (place / "whole").touch()
    return Built(Path(compiler).resolve().with_name("java"), place)


def _build(maven: str, compiler: str, source: Path, main: str, place: Path) -> None:
    _run(maven, "-q", "-B", "-f", str(source / "pom.xml"), COPY, f"-DoutputDirectory={place / 'lib'}")
    strict = ("-Xlint:all,-processing,-serial", "-Werror")
    _run(compiler, *strict, "-d", str(place / "classes"), "-cp", f"{place / 'lib'}/*",
         str(SOURCES / "Job.java"), str(source / f"{main}.java"))  # fmt: skip


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr).strip()[-3000:]}")
