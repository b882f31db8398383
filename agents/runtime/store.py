"""States of a stage behind Faust's Store interface: encoded bytes by partition and key, in memory.

`agents/runtime/disk.py` has the same on disk.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, Protocol

from faust.stores import base
from faust.types.tuples import TP

from agents.runtime.exits import Exit, fatal

_CHANGE = attrgetter("key", "value")


class Owner(Protocol):
    """Who folds on the states: hears of assignments before recovery, and of its end."""

    async def assigned(self, partitions: set[int], generation: int) -> None: ...

    def recovered(self) -> None: ...

    def restored(self, records: int) -> None: ...


class Store(base.Store):  # type: ignore[misc]  # faust ships no types
    """`parts[partition][key]` is the state as it stands in the changelog; decoded only when a record touches it.

    An exception in what Faust calls here ends the process: Faust would log it and go on with the states it has.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts: dict[int, dict[bytes, bytes]] = {}
        self.offsets: dict[int, int] = {}
        """Partition -> offset of the last change of the changelog that is in `parts`."""
        self._owner: Owner = self.options["owner"]
        self._mine: set[int] = set()

    def part(self, partition: int) -> dict[bytes, bytes]:
        return self.parts.setdefault(partition, {})

    def standing(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """All states of a partition as they are now, whatever is adopted while they are looked at."""
        return iter(list(self.part(partition).items()))

    def adopt(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]], last: int | None) -> None:
        """Take over the changes of a committed transaction; `last` is the offset of the last one in the changelog."""
        self._apply(partition, changes)
        if last is not None:
            self.offsets[partition] = last

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's difference can miss a partition that was away and came back
        newly_assigned: set[TP],  # noqa: ARG002 - the same
        generation_id: int = 0,
    ) -> None:
        topic = self.table.changelog_topic_name
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        with fatal(Exit.UNKNOWN_FAULT, "%s: its partitions cannot be taken over", topic):
            # fencing comes before Faust reads the changelog's end and the committed offsets: both are final by then
            await self._owner.assigned(mine, generation_id)
            self._mine &= mine
            await self._take_over(mine)
        self._mine = mine

    async def _take_over(self, mine: set[int]) -> None:
        for partition in set(self.parts) - mine:
            del self.parts[partition]
            self.offsets.pop(partition, None)

    def close(self) -> None:
        """Do nothing: what is in memory ends with the process."""

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:  # noqa: ARG002 - Faust's decoders
        with fatal(Exit.UNKNOWN_FAULT, "%s: a slice of it cannot be applied", self.table.changelog_topic_name):
            for event in batch:
                message = event.message
                if message.partition not in self._mine:
                    continue  # of an earlier assignment: the rest of the partition would never follow it
                self._restore(message.partition, dict(map(_CHANGE, event.value)), message.offset)
                self._owner.restored(len(event.value))

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:  # noqa: ARG002 - Faust's interface
        with fatal(Exit.UNKNOWN_FAULT, "%s: its states cannot be taken over", self.table.changelog_topic_name):
            self._owner.recovered()

    def persisted_offset(self, tp: TP) -> int | None:
        """Answer -1 where nothing is held yet: None would leave Faust with what it knows of an earlier assignment.

        It forgets that of a partition that goes, but not in a generation that another one follows too soon; read from
        there when the partition comes back, all states before it would be missing.
        """
        return self._reached(tp.partition) if tp.partition in self._mine else None

    def _reached(self, partition: int) -> int:
        return self.offsets.get(partition, -1)

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        self.offsets[tp.partition] = offset

    def _restore(self, partition: int, latest: dict[bytes, bytes | None], last: int) -> None:
        """Take over a slice of the changelog, in C as far as possible: a recovery is millions of these."""
        part = self.part(partition)
        part.update(latest)  # type: ignore[arg-type]  # what is None goes again below
        if None in latest.values():
            for key, state in latest.items():
                if state is None:
                    del part[key]
        self.offsets[partition] = last

    def _apply(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        part = self.part(partition)
        for key, state in changes:
            if state is None:
                part.pop(key, None)
            else:
                part[key] = state

    # Faust's Table shows its store as a mapping; ours is only read so

    def __getitem__(self, key: bytes) -> bytes:
        for part in self.parts.values():
            if key in part:
                return part[key]
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return any(key in part for part in self.parts.values())

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def __iter__(self) -> Iterator[bytes]:
        return (key for part in self.parts.values() for key in part)

    def reset_state(self) -> None:
        """Keep everything: partitions lost are forgotten in `on_rebalance`."""

    def _clear(self) -> None:
        self.parts.clear()
        self.offsets.clear()

    async def backup_partition(self, *_: Any, **__: Any) -> None:
        """Do nothing: the changelog is the backup."""

    def restore_backup(self, *_: Any, **__: Any) -> None:
        """Do nothing: the changelog is the backup."""
