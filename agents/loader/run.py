"""Loads a file: batches of rows into Kafka, a checkpoint after each, rejected rows into a file of their own."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec
from confluent_kafka import KafkaException, Producer
from msgspec.structs import replace

from agents.gateway.log import Entry, durable_producer_config
from agents.kafka_admin import knock
from agents.loader.progress import Checkpoint, Progress
from agents.loader.rows import Told
from agents.runtime.envelope import Stamp
from agents.runtime.producers import OnError
from agents.settings import Settings
from schemas.codec import encode

BATCH_ROWS: Final = 5000
LINGER_MS: Final = 20


class NotDurableError(RuntimeError):
    """Kafka did not take a batch; what the checkpoint says is durable, the rest is loaded by the next run."""


class Target(Protocol):
    """Where records go."""

    def put(self, entry: Entry) -> None: ...

    def settle(self) -> None:
        """Return when all that was put is durable; raises NotDurableError."""
        ...


class Nowhere:
    """For a dry run: everything is checked and nothing written."""

    def put(self, entry: Entry) -> None:
        encode(entry.value)

    def settle(self) -> None:
        """Nothing to wait for."""


class KafkaTarget:
    """An idempotent producer, acknowledged by all in-sync replicas; raises ClusterError when Kafka is away."""

    def __init__(self, settings: Settings, timeout: float, writer: str = "load") -> None:
        knock(settings.kafka)
        self._stamp, self._errors, self._timeout = Stamp(writer), OnError(), timeout
        self._producer = Producer(
            durable_producer_config(settings, timeout, linger_ms=LINGER_MS)
            | {"on_delivery": self._errors, "delivery.report.only.error": True}
        )

    def put(self, entry: Entry) -> None:
        key = entry.key.encode()
        headers = self._stamp(entry.value, entry.id.encode(), key, entry.at, None)
        value = encode(entry.value)
        give_up = time.monotonic() + self._timeout
        while True:
            try:
                self._producer.produce(entry.topic, value, key, headers=headers, timestamp=entry.written_at)
            except BufferError:  # the brokers are slower than we read
                if time.monotonic() > give_up:
                    raise NotDurableError("Kafka takes nothing") from None
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                raise NotDurableError(str(error.args[0])) from None
            return

    def settle(self) -> None:
        left = self._producer.flush(self._timeout + 5)
        if self._errors.first is not None:
            raise NotDurableError(self._errors.first.str())
        if left:
            raise NotDurableError(f"{left} records without acknowledgement")


class Rejects:
    """The reject file: a line of JSON per rejected row, with its number, what is wrong, and the row itself."""

    def __init__(self, path: Path, keep_bytes: int) -> None:
        self.path = path
        self._kept = keep_bytes
        self._file: IO[bytes] | None = None

    def add(self, row: Told) -> None:
        if self._file is None:
            self._file = self._open()
        wrong = [error._asdict() for error in row.errors]
        self._file.write(msgspec.json.encode({"line": row.line, "errors": wrong, "original": row.original}) + b"\n")

    def settle(self) -> int:
        """Bytes that are safely in the file."""
        if self._file is None:
            return self._kept
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """What is not settled is told again by the next run: on a full disk there is nothing to save here."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _open(self) -> IO[bytes]:
        """Open it for its owner only: it holds what citizens wrote.

        Rows after the last checkpoint are told again, so what an earlier run wrote of them goes.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b")
        file.truncate(self._kept)
        file.seek(self._kept)
        return file


def load_rows(
    rows: Iterator[Told],
    start: Progress,
    target: Target,
    rejects: Rejects,
    checkpoint: Checkpoint | None,
    on_batch: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Load the rows that `start` has not, checkpointing each batch; raises NotDurableError.

    When `stop` says so it ends after a row, and what was put is durable and in the checkpoint.
    """
    progress, unsaved = start, 0
    for number, row in enumerate(rows):
        if number < start.rows:
            continue
        if stop():
            break
        progress, unsaved = _take(row, progress, target, rejects), unsaved + 1
        if unsaved == BATCH_ROWS:
            progress, unsaved = _settle(progress, target, rejects, checkpoint), 0
            on_batch(progress)
    progress = _settle(progress, target, rejects, checkpoint)
    on_batch(progress)
    if stop():
        return progress
    return checkpoint.finish(progress) if checkpoint is not None else progress


def _take(row: Told, progress: Progress, target: Target, rejects: Rejects) -> Progress:
    if row.errors:
        rejects.add(row)
    for entry in row.entries:
        target.put(entry)
    return Progress(
        progress.content,
        progress.rows + 1,
        progress.records + len(row.entries),
        progress.rejected + bool(row.errors),
        progress.reject_bytes,
        blank=progress.blank + (not row.entries and not row.errors),
    )


def _settle(progress: Progress, target: Target, rejects: Rejects, checkpoint: Checkpoint | None) -> Progress:
    target.settle()
    safe = replace(progress, reject_bytes=rejects.settle())
    if checkpoint is not None:
        checkpoint.write(safe)
    return safe
