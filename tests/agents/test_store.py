"""The store behind Faust's interface: partitions come and go, and only what belongs to the present ones is kept."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types.tuples import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.runtime import exits
from agents.runtime.exits import Exit
from agents.runtime.recovery import SafeRecovery
from agents.runtime.store import Store

CHANGELOG = "g-toy-changelog"
KEYS = st.sampled_from(["a", "b", "c"])
STATES = st.none() | st.sampled_from([b"1", b"2"])
CHANGES = st.lists(st.tuples(st.integers(0, 1), KEYS, STATES))


class Owner:
    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.records = 0

    async def assigned(self, partitions: set[int], generation: int) -> None:
        self._fail()

    def recovered(self) -> None:
        self._fail()

    def restored(self, records: int) -> None:
        self._fail()
        self.records += records

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def store(owner: Owner) -> Store:
    return store_of(owner)


def store_of(owner: Owner) -> Store:
    table: Any = SimpleNamespace(changelog_topic_name=CHANGELOG, name="toy")
    return Store("states://memory", SimpleNamespace(), table, options={"owner": owner})


def tps(*partitions: int) -> set[TP]:
    return {TP(CHANGELOG, partition) for partition in partitions} | {TP("t.in.v1", 9)}


def restored(partition: int, offset: int, **states: bytes | None) -> Any:
    return slice_of(partition, offset, list(states.items()))


def slice_of(partition: int, offset: int, changes: list[tuple[str, bytes | None]]) -> Any:
    records = [SimpleNamespace(key=key.encode(), value=value) for key, value in changes]
    return SimpleNamespace(message=SimpleNamespace(partition=partition, offset=offset), value=records)


async def test_a_partition_that_goes_is_forgotten_and_one_that_stays_is_not_read_again(store: Store) -> None:
    await store.on_rebalance(tps(0, 1), set(), tps(0, 1), 1)
    store.apply_changelog_batch([restored(0, 5, a=b"1", b=b"2"), restored(0, 7, b=None), restored(1, 3, c=b"3")], 0, 0)
    assert store.parts == {0: {b"a": b"1"}, 1: {b"c": b"3"}}
    await store.on_rebalance(tps(0), tps(1), set(), 2)
    assert store.parts == {0: {b"a": b"1"}}
    assert (store.persisted_offset(TP(CHANGELOG, 0)), store.persisted_offset(TP(CHANGELOG, 1))) == (7, None)


async def test_a_slice_that_comes_after_its_partition_has_gone_leaves_no_hole_for_later(store: Store) -> None:
    await store.on_rebalance(tps(0, 1), set(), tps(0, 1), 1)
    await store.on_rebalance(tps(0), tps(1), set(), 2)
    store.apply_changelog_batch([restored(1, 900, late=b"1")], 0, 0)
    await store.on_rebalance(tps(0, 1), set(), tps(1), 3)
    assert store.persisted_offset(TP(CHANGELOG, 1)) == -1, "it would be restored from here, without what is before"
    assert 1 not in store.parts


async def test_a_partition_that_left_in_a_generation_faust_passed_over_is_read_from_its_beginning(store: Store) -> None:
    """Of a generation that another one follows at once Faust's recovery takes no note: it keeps the old position."""
    app: Any = SimpleNamespace(
        consumer_generation_id=1, tracer=None, _rebalancing_span=None, loop=None,
        conf=SimpleNamespace(stream_recovery_delay=0.0),
        assignor=SimpleNamespace(assigned_standbys=set, assigned_actives=lambda: tps(0, 1)),
    )  # fmt: skip
    table: Any = store
    recovery = SafeRecovery(app, SimpleNamespace(_changelogs={CHANGELOG: table}))

    async def rebalanced(generation: int, mine: set[TP], gone: set[TP]) -> None:
        await store.on_rebalance(mine, gone, set(), generation)
        await recovery.on_rebalance(mine, gone, set(), generation)

    await rebalanced(1, tps(0, 1), set())
    store.apply_changelog_batch([restored(0, 5, a=b"1"), restored(1, 900, c=b"3")], 0, 0)
    for partition, offset in ((0, 5), (1, 900)):  # as far as it has got with the recovery
        recovery.active_offsets[TP(CHANGELOG, partition)] = offset
    app.consumer_generation_id = 3
    await rebalanced(2, tps(0), tps(1))
    assert recovery.active_offsets[TP(CHANGELOG, 1)] == 900, "Faust has changed: this test shows nothing any more"
    await rebalanced(3, tps(0, 1), set())
    assert dict(recovery.active_offsets) == {TP(CHANGELOG, 0): 5, TP(CHANGELOG, 1): -1}


@pytest.mark.parametrize("call", ["on_rebalance", "apply_changelog_batch", "on_recovery_completed"])
async def test_an_exception_in_what_faust_calls_ends_the_process(
    store: Store, owner: Owner, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(exits, "leave", lambda code, *_, **__: left.append(code))
    await store.on_rebalance(tps(0), set(), tps(0), 1)
    owner.fault = ValueError("a defect")
    match call:
        case "on_rebalance":
            await store.on_rebalance(tps(0), set(), tps(0), 2)
        case "apply_changelog_batch":
            store.apply_changelog_batch([restored(0, 5, a=b"1")], 0, 0)
        case _:
            await store.on_recovery_completed(tps(0), set())
    assert left == [Exit.UNKNOWN_FAULT]


@given(CHANGES, st.integers(1, 4))
async def test_the_last_change_of_a_key_stands_and_a_deletion_forgets_it(changes: Any, size: int) -> None:
    owner, expected = Owner(), {0: {}, 1: {}}
    store = store_of(owner)
    await store.on_rebalance(tps(0, 1), set(), tps(0, 1), 1)
    for partition, key, state in changes:
        if state is None:
            expected[partition].pop(key.encode(), None)
        else:
            expected[partition][key.encode()] = state
    for partition, states in expected.items():
        mine = [(key, state) for where, key, state in changes if where == partition]
        slices = [mine[first : first + size] for first in range(0, len(mine), size)]
        store.apply_changelog_batch([slice_of(partition, 7, each) for each in slices], None, None)
        assert store.part(partition) == states
        assert store.offsets.get(partition) == (7 if slices else None)
    assert owner.records == len(changes)
