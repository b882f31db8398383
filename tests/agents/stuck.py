"""Parts of a worker over a client that never answers, as a process: `python -m tests.agents.stuck WHAT`.

It is a process because it must end as one: a thread inside the client's call is still there when it does.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from agents.clock import WallClock
from agents.runtime import producers
from agents.runtime.engine import Engine
from agents.runtime.fold import Fold
from agents.runtime.lanes import Lane, Lanes, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.producers import Transactions
from agents.runtime.wakes import Waker
from agents.runtime.watchdog import Watchdog
from agents.runtime.window import Window
from agents.settings import Settings
from tests.agents.records import raw
from tests.live.toy import Add, toy

LIMIT_S = 0.3
LONG_S = 60.0


class NeverAnswers:
    """A transactional producer whose calls do not return, whatever limit they are given."""

    def begin_transaction(self) -> None: ...

    def produce(self, *_: Any, **__: Any) -> None: ...

    def send_offsets_to_transaction(self, *_: Any) -> None: ...

    def commit_transaction(self, _: float) -> None:
        threading.Event().wait()

    def init_transactions(self, _: float) -> None:
        threading.Event().wait()


def lane(limit: float) -> Lane:
    metrics, settings, clock = Metrics(), Settings(), WallClock()
    store: Any = SimpleNamespace(part=lambda _: {})
    waker = Waker(
        "toy", clock, producers.idempotent(settings, producers.OnError()), metrics, Window(bound=10, within=1.0)
    )
    parts = StageParts(
        Fold(toy("t"), "g"), store, "g-toy-changelog", waker, StageMeter(metrics, "toy", clock), settings
    )
    client: Any = NeverAnswers()
    return Lane(parts, 0, Transactions(client, b"", limit), generation=1)


def event() -> Any:
    record = raw(Add(1, 1))
    message = SimpleNamespace(topic="t.in.v1", partition=0, offset=0, generation_id=1, incref=lambda: None)
    return SimpleNamespace(message=message, value=[record], ack=lambda: None)


async def commit() -> None:
    lane(LIMIT_S).submit(event())
    await asyncio.sleep(LONG_S)


async def fence() -> None:
    await Lanes("toy").replace({0: lane(LIMIT_S)})


async def drain() -> None:
    busy, lanes = lane(LONG_S), Lanes("toy")
    lanes._lanes[0] = busy  # as after an assignment, without the fencing
    busy.submit(event())
    await asyncio.sleep(0)
    engine: Any = SimpleNamespace(_drain=lanes.close, _drain_limit=LIMIT_S)
    await Engine.finish(engine)


async def loop() -> None:
    watchdog = Watchdog(lambda: None, LIMIT_S)
    watchdog.start()
    threading.Event().wait()


async def rebalance() -> None:
    watchdog = Watchdog(lambda: ("rebalance", 1), LIMIT_S)
    watchdog.start()
    while True:
        watchdog.beat()
        await asyncio.sleep(0.01)


WHAT: dict[str, Callable[[], Awaitable[None]]] = {
    "commit": commit, "fence": fence, "drain": drain, "loop": loop, "rebalance": rebalance,
}  # fmt: skip


async def main(what: str) -> None:
    producers.BEYOND_S = LIMIT_S
    await WHAT[what]()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
