"""What the runtime relies on inside Faust and aiokafka. A failure here means: a version changed what we stand on.

Then read the changed code beside our override, run the chaos with several seeds, and only after that set the new value.
"""

import asyncio
import dataclasses
import hashlib
import inspect
import re
import tomllib
from collections import defaultdict, deque
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust.stores
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher, subscription_state
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.app.base import App
from faust.stores import base
from faust.tables import TableManager
from faust.tables.base import Collection
from faust.tables.recovery import Recovery
from faust.transport import conductor, drivers
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage, Message
from mode import Service
from yarl import URL

from agents.runtime import engine, transport
from agents.runtime.disk import DiskStore
from agents.runtime.recovery import SafeRecovery, SafeTableManager, StickySignal
from agents.runtime.store import Store
from tests.private_api import RUNTIME, count, importers, names_of, private_names

PINNED = ("faust-streaming", "mode-streaming", "aiokafka", "confluent-kafka")

OVERRIDDEN = {
    # ours replaces it, calls it, or both
    driver.AIOKafkaConsumerThread._create_worker_consumer: "c2701bfc3e6f",
    driver.AIOKafkaConsumerThread.seek_to_committed: "775ab0adc4b0",
    driver.Consumer._new_consumer_thread: "0870ec53dea7",
    driver.Consumer.create_topic: "7e02a95e25ad",
    BaseConsumer.getmany: "4b168d84882a",
    driver.Consumer._getmany: "f9d47aa9010b",
    BaseConsumer.ack: "5fcf41cf4515",
    BaseConsumer._add_gap: "4df2573ded7c",
    BaseConsumer._new_offset: "1d2c7ea89a7a",
    BaseConsumer.perform_seek: "0e8c130ff4b0",
    BaseConsumer.on_partitions_revoked: "d04b7ae72c6f",
    Recovery.signal_recovery_end.fget: "e35b4caa0b91",
    Recovery._set_recovery_started: "bcfebf81ae13",
    TableManager.recovery.fget: "f0bf5de78b4c",
    TableManager.on_start: "365dd25fbc0e",
    App.on_first_start: "ec655d9c2234",
}
RELIED_ON = {
    # ours is right only because it does what it does
    BaseConsumer._drain_messages: "44a2500309e8",
    BaseConsumer._filter_committable_offsets: "dc5e9baf5d99",
    BaseConsumer._commit_tps: "a20e230b05ae",
    BaseConsumer._should_commit: "5ce941793947",
    BaseConsumer.on_partitions_assigned: "29ce96596f05",
    BaseConsumer._get_active_partitions: "b24897f3c7af",
    BaseConsumer._is_changelog_tp: "88867d75cfe9",
    driver.AIOKafkaConsumerThread.seek: "1498560d05f0",
    driver.ConsumerRebalanceListener: "f3d04f29dfb3",
    driver.AIOKafkaConsumerThread._fetch_records: "39a2c6c79fc1",
    conductor.ConductorCompiler.build: "837cf521368c",
    App._on_partitions_revoked: "d5c895bbe57d",
    App._on_partitions_assigned: "de932b7927db",
    App.on_stop: "bfe5a933defb",
    Service.crash: "14980000465d",
    App._stop_consumer: "55854a5de12c",
    TableManager.on_rebalance: "2d2c23a07bf5",
    TableManager._update_channels: "88e3941facc9",
    TableManager.on_partitions_revoked: "382852adff42",
    Recovery.on_rebalance: "aa4d997a1795",
    Recovery.on_partitions_revoked: "161b5e997f7c",
    Recovery.flush_buffers: "6fa9c17f1071",
    Recovery._add: "1584a197b11b",
    Recovery._restart_recovery.fun: "6bd8a8558a2d",
    Recovery._slurp_changelogs.fun: "7825c7e50f76",
    Recovery._resume_streams: "d986a6710c1a",
    Recovery.need_recovery: "fd1dc345b5d5",
    Recovery._build_offsets: "27eec86be06c",
    Recovery.on_recovery_completed: "6ef567acf072",
    Collection._new_store_by_url: "343a8125107d",
    Collection.on_rebalance: "0812ad692171",
    Collection.on_changelog_event: "5a4fa48fd7c3",
    Collection.apply_changelog_batch: "b980a78d3ae9",
    Collection.on_recovery_completed: "b1526fb39ea0",
    Message.ack: "4751b72c4ed8",
    ConsumerMessage.on_final_ack: "45d670b6a8ac",
    AIOKafkaConsumer.start: "2f1ba7044332",
    AIOKafkaConsumer.committed: "d8706147ab15",
    AIOKafkaConsumer.seek_to_beginning: "231229deedd7",
    subscription_state.Assignment: "ce6859542c70",
    fetcher.FetchResult: "d7db13f06de8",
    fetcher.PartitionRecords._unpack_records: "b803e6d46480",
    fetcher.Fetcher.fetched_records: "be4348896b9b",
    subscription_state.TopicPartitionState: "2b83334afadf",
    GroupCoordinator._on_join_prepare: "4d9524afc0ee",
    GroupCoordinator._maybe_leave_group: "016cd88a16e6",
}
TOUCHED = {
    # private names of theirs that stand in our code, and what has them
    AIOKafkaConsumer: (
        "_client", "_coordinator", "_fetch_max_wait_ms", "_fetch_min_bytes", "_fetcher", "_isolation_level",
        "_subscription",
    ),
    driver.AIOKafkaConsumerThread: ("_consumer", "_create_worker_consumer"),
    driver.Consumer: (
        "_acked", "_acked_index", "_add_gap", "_get_active_partitions", "_getmany", "_is_changelog_tp",
        "_new_consumer_thread", "_new_offset", "_thread",
    ),
    subscription_state.TopicPartitionState: ("_position",),
    Recovery: ("_set_recovery_started", "_signal_recovery_end"),
    TableManager: ("_recovery", "_update_channels"),
}  # fmt: skip


def digest(thing: Any) -> str:
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:12]


def name(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", thing))


@pytest.mark.parametrize("package", PINNED)
def test_the_installed_version_is_the_pinned_one(package: str) -> None:
    told = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    pins = {pin.partition("==")[0].partition("[")[0]: pin.partition("==")[2] for pin in told}
    assert version(package) == pins[package]


@pytest.mark.parametrize(("thing", "known"), OVERRIDDEN.items(), ids=name)
def test_what_we_override_is_as_it_was_read(thing: Any, known: str) -> None:
    assert digest(thing) == known, f"{thing.__qualname__} has changed"


@pytest.mark.parametrize(("thing", "known"), RELIED_ON.items(), ids=name)
def test_what_we_rely_on_is_as_it_was_read(thing: Any, known: str) -> None:
    assert digest(thing) == known, f"{thing.__qualname__} has changed"


def test_every_override_of_ours_is_in_the_table() -> None:
    ours = {transport.Thread, transport.Consumer, SafeRecovery, SafeTableManager, engine.Engine}
    known = {name(thing).split(".")[-1] for thing in OVERRIDDEN}
    for kind in ours:
        parent = kind.__mro__[1]
        mine = {each for each in vars(kind) if callable(getattr(kind, each)) or isinstance(vars(kind)[each], property)}
        overriding = {each for each in mine if hasattr(parent, each) and not each.startswith("__")}
        assert overriding <= known | {"logger"}, kind


@pytest.mark.parametrize(("owner", "names"), TOUCHED.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_the_private_names_we_use_are_there(owner: type, names: tuple[str, ...]) -> None:
    assert set(names) <= names_of(owner)


def test_no_private_name_of_theirs_is_used_that_is_not_in_the_table() -> None:
    assert private_names() == {name for names in TOUCHED.values() for name in names}


def test_their_insides_are_touched_in_the_runtime_alone_on_as_many_lines_as_the_decision_says() -> None:
    # and one program that is stock Faust, to be compared with
    assert {path.parent for path in importers()} == {RUNTIME, Path("deploy/bench/peers")}
    told = re.search(r"\*\*(\d+) lines\*\*", Path("docs/decisions/0002-transactional-lanes.md").read_text("utf-8"))
    assert told is not None
    assert int(told[1]) == count(), "`python -m tests.private_api` counts"


def test_faust_finds_our_transport_and_store() -> None:
    assert drivers.TRANSPORTS.by_url(URL("slices://x:1")) is transport.Transport
    assert faust.stores.STORES.by_url(URL("states://memory")) is Store
    assert faust.stores.STORES.by_url(URL("disk://rocksdb")) is DiskStore
    assert not URL("states://"), "a URL without a host has become truthy: the host in `states://memory` may go"


def test_the_consumer_reads_what_the_thread_sets_when_it_starts() -> None:
    source = inspect.getsource(AIOKafkaConsumer.start)
    for attribute in ("_isolation_level", "_fetch_max_wait_ms", "_fetch_min_bytes"):
        assert f"self.{attribute}" in source


@pytest.mark.parametrize("store", [Store, DiskStore])
def test_a_store_leaves_nothing_abstract_and_keeps_fausts_signatures(store: type[Store]) -> None:
    assert not store.__abstractmethods__
    for method in ("on_rebalance", "on_recovery_completed", "persisted_offset", "set_persisted_offset"):
        ours, theirs = inspect.signature(getattr(store, method)), inspect.signature(getattr(base.Store, method))
        assert list(ours.parameters) == list(theirs.parameters), method


def test_offsets_are_committed_up_to_the_first_slice_that_is_not_done() -> None:
    tp = TP("t", 0)
    books = SimpleNamespace(
        _acked_index=defaultdict(set), _acked=defaultdict(list), _delivered=defaultdict(deque)
    )  # fmt: skip
    books._delivered[tp] += [99, 250, 300]

    def done(offset: int) -> int | None:
        books._acked_index[tp].add(offset)
        books._acked[tp].append(offset)
        return transport.Consumer._new_offset(books, tp)

    assert done(250) is None
    assert done(99) == 251
    assert done(300) == 301
    assert not books._acked[tp]
    assert not books._acked_index[tp]


async def sought(committed: dict[TopicPartition, int | None], *, active: bool) -> dict[TopicPartition, int]:
    """What is sought of an assignment, and to which offset."""
    found: dict[TopicPartition, int] = {}

    async def of(tp: TopicPartition) -> int | None:
        return committed[tp]

    async def seek_to_beginning(*tps: TopicPartition) -> None:
        found.update(dict.fromkeys(tps, 0))

    tps = {*committed, TopicPartition("group-toy-changelog", 0)}
    consumer = SimpleNamespace(
        _subscription=SimpleNamespace(
            subscription=SimpleNamespace(assignment=SimpleNamespace(tps=tps, active=active))
        ),
        committed=of, seek=found.__setitem__, seek_to_beginning=seek_to_beginning,
    )  # fmt: skip
    thread = transport.Thread.__new__(transport.Thread)
    thread._consumer = consumer
    thread.app = SimpleNamespace(tables=SimpleNamespace(changelog_topics={"group-toy-changelog"}))
    told = await thread._seek_all()
    assert told == (committed if active else {})
    return found


async def test_what_nothing_is_committed_of_is_sought_to_its_beginning() -> None:
    # aiokafka's own leaves such a partition where it is: what had been fetched there would be skipped
    new, none_yet, old = (TopicPartition("in", number) for number in range(3))
    assert await sought({new: None, none_yet: 0, old: 7}, active=True) == {new: 0, none_yet: 0, old: 7}


async def test_nothing_is_sought_in_an_assignment_that_came_meanwhile() -> None:
    # positions of before, sought in the new one, would have what is committed since folded again
    assert await sought({TopicPartition("in", 0): 7, TopicPartition("in", 1): None}, active=False) == {}


class InHand:
    """What a consumer keeps of one topic, with one slice handed over in generation 8."""

    def __init__(self, message: SimpleNamespace) -> None:
        self.app = SimpleNamespace(consumer_generation_id=8)
        self._in_hand = defaultdict(set, t={message})


class Slice(SimpleNamespace):
    """Known by what it is, as Faust's messages are."""

    __hash__ = object.__hash__


def test_a_slice_of_an_earlier_generation_is_never_committed() -> None:
    message = Slice(generation_id=7, topic="t", tp=TP("t", 0), acked=False)
    books = InHand(message)
    assert transport.Consumer.ack(books, message) is False
    assert (message.acked, transport.Consumer.in_flight.fget(books)) == (True, 1)


def test_a_slice_that_was_sought_behind_is_not_counted_out_when_its_lane_has_done_it() -> None:
    # its books were cleared by the seek, and it comes a second time: counted out twice, nothing would ever be at rest
    before, again = (Slice(generation_id=8, topic="t", tp=TP("t", 0), acked=False) for _ in range(2))
    books = InHand(again)
    assert transport.Consumer.ack(books, before) is False
    assert (before.acked, transport.Consumer.in_flight.fget(books)) == (True, 1)


async def test_the_end_of_a_recovery_is_heard_though_it_came_before_anybody_listened() -> None:
    signal = StickySignal()
    signal.set()
    signal.clear()  # as `_slurp_changelogs` does at the top of its loop
    await asyncio.wait_for(signal.wait(), 1)
    signal.forget()
    assert not signal.is_set()


def test_recovery_and_tables_make_ours() -> None:
    assert "self._recovery" in inspect.getsource(TableManager.recovery.fget)
    assert issubclass(SafeRecovery, Recovery)
    manager = SafeTableManager.__new__(SafeTableManager)
    assert manager._recovery is None


def test_the_record_that_stands_for_aiokafka_s_own_has_its_fields_in_its_order() -> None:
    theirs = [field.name for field in dataclasses.fields(ConsumerRecord)]
    assert [field.name for field in msgspec.structs.fields(transport.Fetched)] == theirs
    assert fetcher.ConsumerRecord is transport.Fetched


def test_the_fetcher_reads_for_each_fetch_how_long_it_may_be_held() -> None:
    source = inspect.getsource(fetcher.Fetcher._get_actions_per_node)
    for attribute in ("_fetch_max_wait_ms", "_fetch_min_bytes"):
        assert f"self.{attribute}" in source
