"""States on disk: a dict that is the fold of a beginning of the changelog, whatever happened to the process."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.types.tuples import TP
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.runtime import exits
from agents.runtime.checks import take_folder
from agents.runtime.disk import DiskStore
from agents.runtime.exits import Exit, NotReadyError
from agents.runtime.rocks import BROKEN, FORMAT, NOTE, Folder, Log, Note, Part, Source, StatesBrokenError
from agents.settings import Settings, SettingsError
from tests.waiting import until

HOUR = 3_600_000
TOPIC = "g-toy-changelog"
LOG = Log(Source("cluster", TOPIC, "id-1", 0), 10**9, 24 * HOUR, time.time_ns() // 1_000_000)
KEYS = st.sampled_from([b"", b"a", b"b", b"c", b"\x00", b"\xfe", b"\xff\xff"])
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=4), max_size=6)
STEPS = st.lists(
    st.tuples(st.sampled_from(["adopt", "restore", "ask", "reopen", "kill", "flush"]), CHANGES), max_size=12
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "states", 8)
    yield folder
    folder.close()


def opened(folder: Folder, log: Log = LOG, partition: int = 0) -> Part:
    part = Part(folder.of("toy", partition), folder)
    part.open(log)
    return part


def filled(folder: Folder, count: int = 500) -> Path:
    part = opened(folder)
    part.restore({b"key-%d" % number: b"x" * 100 for number in range(count)}, count - 1)
    part.caught_up()
    part.close()
    return folder.of("toy", 0)


def killed(part: Part, folder: Folder) -> Part:
    """The part as a kill at this moment would have left it on disk."""
    path = folder.of("toy", 0)
    copy = path.with_name("copy")
    until(lambda: copied(path, copy), 20, what="a copy in which no file came or went")
    part.close()
    shutil.rmtree(path)
    copy.rename(path)
    return opened(folder)


def copied(path: Path, copy: Path) -> bool:
    def files() -> dict[str, tuple[int, int]]:
        return {file.name: ((at := file.stat()).st_size, at.st_mtime_ns) for file in path.iterdir()}

    shutil.rmtree(copy, ignore_errors=True)
    try:
        before = files()
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("LOCK"))
        return files() == before
    except (FileNotFoundError, shutil.Error):
        return False


def apply(states: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    after = {**states, **changes}
    return {key: state for key, state in after.items() if state is not None}


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_it_is_a_dict_and_after_a_kill_the_dict_of_an_earlier_offset(steps: Any) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Folder(Path(home) / "states", 8)
        part, expected, offset = opened(folder), dict[bytes, bytes](), -1
        at = {-1: expected}
        for what, changes in steps:
            match what:
                case "adopt" | "restore":
                    expected, offset = apply(expected, changes), offset + 2
                    at[offset] = expected
                    part.adopt(changes.items(), offset) if what == "adopt" else part.restore(changes, offset)
                case "ask":
                    assert {key: part.get(key) for key in changes} == {key: expected.get(key) for key in changes}
                case "flush":
                    part.caught_up()
                case "reopen":
                    part.close()
                    part = opened(folder)
                case "kill":
                    part = killed(part, folder)
                    assert part.offset in at
                    expected, offset = at[part.offset], part.offset
            assert (dict(part.items()), len(part), part.offset) == (expected, len(expected), offset)
        part.close()
        folder.close()


def test_what_is_iterated_is_as_it_was_when_asked_for(folder: Folder) -> None:
    part = opened(folder)
    before = {b"%d" % number: b"old" for number in range(3000)}
    part.restore(before, 10)
    found = part.items()
    part.adopt([(b"1", None), (b"2", b"new"), (b"new", b"new")], 11)
    assert dict(found) == before
    assert len(part) == 3000
    part.close()


def test_a_slice_that_is_read_again_is_noted_where_it_ends(folder: Folder) -> None:
    part = opened(folder)
    part.restore({b"a": b"1", b"b": b"1"}, 5)
    part.restore({b"a": b"0"}, 3)
    assert (part.offset, len(part)) == (3, 2)
    part.close()


def test_nothing_is_written_to_a_log_of_its_own(folder: Folder) -> None:
    path = filled(folder)
    assert sum(file.stat().st_size for file in path.glob("*.log")) == 0
    assert list(path.glob("*.sst"))


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (replace(LOG, source=replace(LOG.source, cluster="other")), "it is of cluster cluster, not of other"),
        (replace(LOG, source=replace(LOG.source, topic="other")), f"it is of {TOPIC} 0"),
        (replace(LOG, source=replace(LOG.source, partition=1)), f"it is of {TOPIC} 0"),
        (replace(LOG, source=replace(LOG.source, topic_id="id-2")), "the changelog was deleted and made anew"),
        (replace(LOG, end=499), "it is at offset 499, and the next one of the changelog is 499"),
        (replace(LOG, asked_at=LOG.asked_at + 13 * HOUR), "it was left alone for 13.0 h"),
        (replace(LOG, asked_at=LOG.asked_at - 13 * HOUR), "it was left alone for 13.0 h"),
    ],
)  # fmt: skip
def test_states_of_another_log_are_given_up(
    folder: Folder, log: Log, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(folder)
    with caplog.at_level(logging.WARNING):
        part = opened(folder, log)
    assert why in caplog.text
    assert (part.offset, len(part), list(part.items())) == (-1, 0, [])
    part.restore({b"a": b"1"}, 0)
    part.close()
    again = opened(folder, log)
    assert (again.offset, dict(again.items())) == (0, {b"a": b"1"})
    again.close()
    assert path.exists()


@pytest.mark.parametrize("log", [LOG, replace(LOG, end=500), replace(LOG, end=501, asked_at=LOG.asked_at + 900 * HOUR)])
def test_states_of_this_log_are_kept(folder: Folder, log: Log, caplog: pytest.LogCaptureFixture) -> None:
    filled(folder)
    part = opened(folder, log)
    assert (part.offset, len(part)) == (499, 500)
    assert not caplog.records
    part.close()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (msgspec.msgpack.encode(Note(FORMAT + 1, LOG.source, 1, 1, 1)), f"its format is {FORMAT + 1}, not {FORMAT}"),
        (msgspec.msgpack.encode([FORMAT, "of another kind"]), "what is noted in it cannot be read"),
        (b"", "what is noted in it cannot be read"),
        (b"\x00", "what is noted in it cannot be read"),
        (None, "nothing is noted in it"),
    ],
)
def test_a_note_of_another_format_is_given_up(
    folder: Folder, raw: bytes | None, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    filled(folder)
    part = opened(folder)
    if raw is None:
        del part._db[NOTE]
    else:
        part._db[NOTE] = raw
    part.close()
    part = opened(folder)
    assert why in caplog.text
    assert (part.offset, len(part)) == (-1, 0)
    part.close()


@pytest.mark.parametrize("harm", ["shorter", "gone", "manifest", "current"])
def test_files_that_are_broken_are_found_at_the_start(
    folder: Folder, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(folder)
    table, manifest = next(path.glob("*.sst")), next(path.glob("MANIFEST*"))
    match harm:
        case "shorter":
            table.write_bytes(table.read_bytes()[:-100])
        case "gone":
            table.unlink()
        case "manifest":
            manifest.write_bytes(b"\x00" * 50)
        case _:
            (path / "CURRENT").unlink()
    part = opened(folder)
    assert "cannot be used, they are read from the changelog" in caplog.text
    assert (part.offset, len(part)) == (-1, 0)
    part.close()


USES = {
    "get": lambda part: part.get(b"key-0"),
    "items": lambda part: list(part.items()),
    "adopt": lambda part: part.adopt([(b"key-0", None)], 600),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_block_that_is_broken_is_noted_when_it_is_read_and_the_next_start_reads_the_changelog(
    folder: Folder, use: Callable[[Part], object], caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(folder)
    table = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    content = bytearray(table.read_bytes())
    content[100] ^= 0xFF
    table.write_bytes(content)
    part = opened(folder)
    with pytest.raises(StatesBrokenError, match="the next start reads these states from the changelog"):
        use(part)
    assert (path / BROKEN).exists()
    part.close()
    part = opened(folder)
    assert (part.offset, len(part)) == (-1, 0)
    assert "cannot be used, they are read from the changelog" in caplog.text
    part.close()


def test_a_walk_that_ends_early_is_no_end(folder: Folder) -> None:
    part = opened(folder)
    part.restore({b"a": b"1", b"b": b"2"}, 1)
    part._count = 3
    with pytest.raises(StatesBrokenError, match="1 states less than were counted"):
        list(part.items())
    part.close()


def test_a_key_that_would_hide_the_note_is_refused(folder: Folder) -> None:
    part = opened(folder)
    with pytest.raises(StatesBrokenError):
        part.restore({NOTE: b"1"}, 1)
    part.close()


def test_a_folder_has_one_owner(folder: Folder) -> None:
    with pytest.raises(NotReadyError, match="belongs to a worker that runs") as refused:
        Folder(folder.path, 8)
    assert refused.value.code == Exit.NOT_SET_UP


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotReadyError, match=r"NIVARAN_STORE_DIR: .* cannot be written") as refused:
        take_folder(Settings(store="rocksdb", store_dir=str(tmp_path / "file")), "group")
    assert refused.value.code == Exit.NOT_SET_UP


def test_a_folder_that_is_not_named_is_told_and_none_is_needed_in_memory() -> None:
    assert take_folder(Settings(), "group") == {}
    with pytest.raises(SettingsError, match="NIVARAN_STORE_DIR is not set"):
        take_folder(Settings(store="rocksdb"), "group")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("rocksdict", "agents.runtime.rocks", "agents.runtime.disk"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(SettingsError, match=r"pip install 'nivaran\[rocksdb\]'"):
        take_folder(Settings(store="rocksdb", store_dir=str(tmp_path)), "group")


# behind Faust's interface


class Owner:
    async def assigned(self, partitions: set[int], generation: int) -> None: ...

    def recovered(self) -> None: ...

    def restored(self, records: int) -> None: ...


def store_of(folder: Folder) -> DiskStore:
    def ask(topic: str, partitions: set[int]) -> dict[int, Log]:
        assert topic == TOPIC
        return {each: replace(LOG, source=replace(LOG.source, partition=each)) for each in partitions}

    table: Any = SimpleNamespace(changelog_topic_name=TOPIC, name="toy")
    return DiskStore(
        "disk://rocksdb", SimpleNamespace(), table, options={"owner": Owner(), "folder": folder, "ask": ask}
    )


def tps(*partitions: int) -> set[TP]:
    return {TP(TOPIC, partition) for partition in partitions} | {TP("t.in.v1", 9)}


def slice_of(partition: int, offset: int, **changes: bytes | None) -> Any:
    records = [SimpleNamespace(key=key.encode(), value=value) for key, value in changes.items()]
    return SimpleNamespace(message=SimpleNamespace(partition=partition, offset=offset), value=records)


def offset_of(store: DiskStore, partition: int) -> int | None:
    return store.persisted_offset(TP(TOPIC, partition))


async def test_a_partition_that_goes_is_closed_and_comes_back_from_its_offset(folder: Folder) -> None:
    store = store_of(folder)
    await store.on_rebalance(tps(0, 1), set(), tps(0, 1), 1)
    assert offset_of(store, 0) == -1
    slices = [slice_of(0, 5, a=b"1", b=b"2"), slice_of(0, 7, b=None), slice_of(0, 8), slice_of(1, 3, c=b"3")]
    store.apply_changelog_batch(slices, 0, 0)
    store.adopt(1, [(b"d", b"4")], 9)
    store.adopt(1, [], None)
    assert (len(store), dict(store.standing(1))) == (3, {b"c": b"3", b"d": b"4"})
    await store.on_rebalance(tps(0), tps(1), set(), 2)
    assert (len(store), offset_of(store, 0), offset_of(store, 1)) == (1, 8, None)
    store.apply_changelog_batch([slice_of(1, 900, late=b"1")], 0, 0)
    await store.on_rebalance(tps(0, 1), set(), tps(1), 3)
    assert (offset_of(store, 1), dict(store.standing(1))) == (9, {b"c": b"3", b"d": b"4"})
    assert (store[b"a"], b"c" in store, sorted(store)) == (b"1", True, [b"a", b"c", b"d"])
    await store.on_recovery_completed(tps(0), set())
    store.close()
    again = store_of(folder)
    await again.on_rebalance(tps(1), set(), tps(1), 1)
    assert (offset_of(again, 1), again.part(1).get(b"d")) == (9, b"4")
    again.close()


@pytest.mark.parametrize("call", ["on_rebalance", "apply_changelog_batch", "on_recovery_completed", "adopt"])
async def test_an_exception_in_what_is_called_ends_the_process(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(exits, "leave", lambda code, *_, **__: left.append(code))
    store = store_of(folder)
    await store.on_rebalance(tps(0), set(), tps(0), 1)
    store.part(0).close()
    match call:
        case "on_rebalance":
            folder.of("toy", 1).parent.chmod(0o700)
            folder.of("toy", 1).write_text("no folder")
            await store.on_rebalance(tps(0, 1), set(), tps(1), 2)
        case "apply_changelog_batch":
            store.apply_changelog_batch([slice_of(0, 5, a=b"1")], 0, 0)
        case "adopt":
            store.adopt(0, [(b"a", b"1")], 1)
        case _:
            await store.on_recovery_completed(tps(0), set())
    assert left == [Exit.UNKNOWN_FAULT]
    store.close()
