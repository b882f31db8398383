"""States of a partition in a RocksDB: always the fold of a beginning of the changelog, and they say which.

How that holds. A transaction's changes and the offset of the last of them are one write, made after the commit. There
is no write-ahead log. RocksDB keeps writes in memory and writes them out to files in the order they came; a file counts
from the moment it is on the disk and noted in the manifest. So what a kill or a power cut takes are the last writes,
whole and from the end: a folder is never ahead of the changelog, only behind, and recovery reads what it lacks. A log
here would repeat what Kafka has, at a call to the system for each transaction.
"""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec
from msgspec import Struct
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from agents.runtime.exits import Exit, NotReadyError

log = logging.getLogger("nivaran.runtime")
FORMAT: Final = 1
NOTE: Final = b"\xff nivaran"
"""Key of what is noted beside the states. Theirs are UTF-8, in which no byte is 0xff."""
BROKEN: Final = "BROKEN"
"""File in a partition's folder that says why the next start must not use it."""
MIB: Final = 1024 * 1024
HOUR_MS: Final = 3_600_000
BUFFERS_SHARE: Final = 0.5
"""Of the memory, for changes that are not in a file yet."""
BUFFER_MIB: Final = 8
"""Changes of one partition in memory before they are written out; a kill has these read again."""
OPEN_FILES: Final = 64
"""Of one partition."""
FLUSH_S: Final = 300.0
"""Changes older than this are written out with the next ones, however few they are."""
SAFE_SHARE: Final = 0.5
"""Of the time for which the changelog keeps deletions, that a folder may be left alone; the rest is for bad clocks."""


class StatesBrokenError(RuntimeError):
    """States on disk cannot be read; noted beside them, so that the next start reads the changelog instead."""


class Source(Struct, frozen=True, array_like=True):
    """The log of which states are the fold. With another id it is another log, whatever its name."""

    cluster: str
    topic: str
    topic_id: str
    """Empty where the brokers do not tell it."""
    partition: int


class Log(Struct, frozen=True):
    """A partition of a changelog as Kafka has it now."""

    source: Source
    end: int
    """Next offset to be written."""
    keeps_deletions_ms: int
    asked_at: int
    """UTC ms, before Kafka was asked."""


class Note(Struct, frozen=True, array_like=True):
    """What stands beside the states."""

    format: int
    source: Source
    offset: int
    """Last of the changelog that is in the states; -1: none."""
    states: int
    seen_at: int
    """UTC ms; what the changelog has after `offset` was written after this, or is there to be read for as long as
    deletions written then."""


def noted(raw: bytes | None) -> Note | str:
    """Read what is noted beside states; answer why not where it cannot be."""
    if raw is None:
        return "nothing is noted in it"
    try:
        form = msgspec.msgpack.decode(raw)[0]
        return msgspec.msgpack.decode(raw, type=Note) if form == FORMAT else f"its format is {form}, not {FORMAT}"
    except (msgspec.DecodeError, LookupError, TypeError):
        return "what is noted in it cannot be read"


def unfit(note: Note, now: Log) -> str:
    """Say why states with this note cannot be gone on with; empty when they can."""
    was, here, alone = note.source, now.source, abs(now.asked_at - note.seen_at)
    hours, kept = alone / HOUR_MS, now.keeps_deletions_ms / HOUR_MS
    # A deletion that has gone from the changelog cannot be read there, and what it deleted would stay here for ever.
    # There is none where only the marker of the last transaction follows.
    followed = note.offset + 2 < now.end
    reasons = (
        (was.cluster != here.cluster, f"it is of cluster {was.cluster}, not of {here.cluster}"),
        ((was.topic, was.partition) != (here.topic, here.partition), f"it is of {was.topic} {was.partition}"),
        (was.topic_id != here.topic_id, "the changelog was deleted and made anew"),
        (note.offset >= now.end, f"it is at offset {note.offset}, and the next one of the changelog is {now.end}"),
        (
            followed and alone > now.keeps_deletions_ms * SAFE_SHARE,
            f"it was left alone for {hours:.1f} h, and the changelog keeps deletions for {kept:.1f} h",
        ),
    )
    return next((why for holds, why in reasons if holds), "")


class Folder:
    """The folder of one process, its own for as long as it lives, and the memory that all its partitions share."""

    def __init__(self, path: Path, memory_mib: int) -> None:
        """Raise NotReadyError when the folder cannot be written, or belongs to a process that runs."""
        self.path = path
        self._lock = _locked(path)
        buffers = int(memory_mib * BUFFERS_SHARE)
        cache = Cache(memory_mib * MIB)
        # what the buffers hold counts as part of the cache: both together stay within it
        self._buffers = WriteBufferManager.new_write_buffer_manager_with_cache(buffers * MIB, False, cache)
        self._tables = BlockBasedOptions()
        self._tables.set_block_cache(cache)
        self._tables.set_cache_index_and_filter_blocks(True)
        self._tables.set_bloom_filter(10, False)  # bits of a key: one question in a hundred for nothing
        self._buffer = min(BUFFER_MIB, max(1, buffers // 4)) * MIB

    def of(self, stage: str, partition: int) -> Path:
        return self.path / stage / str(partition)

    def options(self) -> Options:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(self._buffer)
        options.set_block_based_table_factory(self._tables)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_max_open_files(OPEN_FILES)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(MIB)
        return options

    def close(self) -> None:
        os.close(self._lock)


def _locked(path: Path) -> int:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = f"NIVARAN_STORE_DIR: {path} cannot be written: {error.strerror}"
        raise NotReadyError(Exit.NOT_SET_UP, why) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise NotReadyError(
            Exit.NOT_SET_UP,
            f"NIVARAN_STORE_DIR: {path} belongs to a worker that runs; each worker of a role needs a folder of its own",
        ) from None
    return lock


class Part:
    """The states of one partition. `get`, `len` and `items` are those of a dict; nothing is in it before `open`."""

    def __init__(self, path: Path, folder: Folder) -> None:
        self.offset = -1
        """Last of the changelog that is in the states; -1: none."""
        self._path, self._folder = path, folder
        self._db: Rdict | None = None
        self._source = Source("", "", "", -1)
        self._count = self._seen_at = self._asked_at = 0
        self._flushed = 0.0
        self._had: dict[bytes, bool] = {}
        """Keys asked for since the last write, and whether they were there: the count of states needs to know."""

    @property
    def opened(self) -> bool:
        return self._db is not None

    def open(self, now: Log) -> None:
        """Take up what stands on disk where it is of this log; else begin with nothing, and say why in the log."""
        self._source, self._asked_at = now.source, now.asked_at
        why = self._take_up(now)
        if why:
            log.warning(
                "%s %s: its states in %s cannot be used, they are read from the changelog: %s",
                now.source.topic, now.source.partition, self._path, why,
            )  # fmt: skip
        if self._db is None:
            self._begin(now)
        self._flushed = time.monotonic()

    def _take_up(self, now: Log) -> str:
        if (self._path / BROKEN).exists():
            return (self._path / BROKEN).read_text("utf-8", "replace")
        if not self._path.exists():
            return ""
        try:
            db = self._opened()
            note = noted(db.get(NOTE))
        except Exception as error:  # noqa: BLE001 - the library has no kind of its own for it
            return str(error)
        if why := note if isinstance(note, str) else unfit(note, now):
            db.close()
            return why
        assert isinstance(note, Note)
        self._db, self.offset, self._count, self._seen_at = db, note.offset, note.states, note.seen_at
        return ""

    def _begin(self, now: Log) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir(mode=0o700, parents=True)
        self._db = self._opened()
        # of a key that is read from now on, the deletion was not taken out of the changelog before
        self.offset, self._count, self._seen_at = -1, 0, now.asked_at
        self._write((), -1)
        self._flush(wait=True)  # or a kill soon after would leave files that nobody knows

    def _opened(self) -> Rdict:
        db = Rdict(str(self._path), self._folder.options())
        how = WriteOptions()
        how.disable_wal = True  # type: ignore[method-assign,assignment]  # an attribute, whatever its types say
        db.set_write_options(how)
        return db

    def get(self, key: bytes) -> bytes | None:
        try:
            state: bytes | None = self._open_db().get(key)
        except Exception as error:
            raise self._broken(error) from error
        self._had[key] = state is not None
        return state

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.get(key) is not None

    def __len__(self) -> int:
        return self._count

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All states as they are at this moment, whatever is written meanwhile; raises StatesBrokenError."""
        return self._all(cast("Iterable[tuple[bytes, bytes]]", self._open_db().items()), self._count)

    def _all(self, found: Iterable[tuple[bytes, bytes]], count: int) -> Iterator[tuple[bytes, bytes]]:
        for item in found:
            if item[0] != NOTE:
                count -= 1
                yield item
        if count:  # the library ends a walk at a block it cannot read, without a word
            raise self._broken(f"{abs(count)} states {'less' if count > 0 else 'more'} than were counted")

    def adopt(self, changes: Iterable[tuple[bytes, bytes | None]], offset: int) -> None:
        """Take over the changes of a committed transaction; `offset` is that of the last one."""
        # whoever commits is the owner: nothing follows this that was written before
        self._seen_at = time.time_ns() // 1_000_000
        self._write(changes, offset)

    def restore(self, changes: Mapping[bytes, bytes | None], offset: int) -> None:
        """Take over a slice of the changelog, up to `offset`.

        Which may be behind what is there: after a rebalance a slice is read again. Then states are ahead of what is
        noted, which the rest of the changelog mends; noted too far ahead, it would not be read.
        """
        if NOTE in changes:
            raise StatesBrokenError("a record of the changelog has a key that no state can have")
        self._write(changes.items(), offset)

    def caught_up(self) -> None:
        """Everything that stood in the changelog when `open` asked is in the states."""
        self._seen_at = max(self._seen_at, self._asked_at)
        self._write((), self.offset)
        self._flush()

    def _write(self, changes: Iterable[tuple[bytes, bytes | None]], offset: int) -> None:
        batch, had, count = WriteBatch(raw_mode=True), self._had, self._count
        try:
            db = self._open_db()
            for key, state in changes:
                there = had.get(key)
                if there is None:
                    # the first asks filters in memory only, which is all it takes for most new keys
                    there = bool(db.key_may_exist(key)) and db.get(key) is not None
                if state is None:
                    batch.delete(key)
                    count -= there
                else:
                    batch.put(key, state)
                    count += not there
                had[key] = state is not None
            batch.put(NOTE, msgspec.msgpack.encode(Note(FORMAT, self._source, offset, count, self._seen_at)))
            db.write(batch)
        except Exception as error:
            raise self._broken(error) from error
        had.clear()
        self._count, self.offset = count, offset
        if time.monotonic() - self._flushed > FLUSH_S:
            self._flush()

    def _flush(self, *, wait: bool = False) -> None:
        self._flushed = time.monotonic()
        self._open_db().flush(wait)

    def close(self) -> None:
        """Write out what is in memory; the states stay on disk for when the partition comes back."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open_db(self) -> Rdict:
        if self._db is None:
            raise DbClosedError(f"{self._path} is not open")
        return self._db

    def _broken(self, why: Exception | str) -> Exception:
        if isinstance(why, DbClosedError):
            return why
        (self._path / BROKEN).write_text(str(why), "utf-8")
        return StatesBrokenError(f"{self._path}: {why}; the next start reads these states from the changelog")
