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
from agents.runtime import producers, transactions
from agents.runtime.engine import Engine
from agents.runtime.fold import Fold
from agents.runtime.lanes import Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.stages import StageRunner
from agents.runtime.transactions import Transactions
from agents.runtime.turns import Turns
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


CLIENT: Any = NeverAnswers()
STORE: Any = SimpleNamespace(part=lambda _: {})


async def turns(limit: float) -> Turns:
    """One lane with a slice to fold, as after an assignment, without the fencing."""
    metrics, settings, clock = Metrics(), Settings(), WallClock()
    waker = Waker(
        "toy", clock, producers.idempotent(settings, producers.OnError()), metrics, Window(bound=10, within=1.0)
    )
    parts = StageParts(
        Fold(toy("t"), "g"), STORE, "g-toy-changelog", waker, StageMeter(metrics, "toy", clock), settings
    )
    found = Turns(parts)
    await found.replace({0: Lane(parts, 0, 1)})
    found.fenced(Transactions([CLIENT], b"", limit))
    found.begin()
    found.submit(event())
    return found


def event() -> Any:
    record = raw(Add(1, 1))
    message = SimpleNamespace(topic="t.in.v1", partition=0, offset=0, generation_id=1, incref=lambda: None)
    return SimpleNamespace(message=message, value=[record], ack=lambda: None)


async def commit() -> None:
    await turns(LIMIT_S)
    await asyncio.sleep(LONG_S)


async def fence() -> None:
    settings, metrics, clock = Settings(transaction_timeout=5), Metrics(), WallClock()
    engine: Any = SimpleNamespace(
        conf=SimpleNamespace(id="g"),
        states=lambda *_: (STORE, "g-toy-changelog"),
        read=lambda *_, **__: None,
        consumer=SimpleNamespace(_thread=SimpleNamespace(membership=lambda: (1, "m"))),
    )
    wakes = producers.idempotent(settings, producers.OnError())
    runner = StageRunner(toy("t"), engine, settings, clock, metrics, wakes, 1, {})
    runner._warm.take = lambda _: CLIENT  # type: ignore[method-assign]
    await runner.assigned({0}, 1)


async def drain() -> None:
    busy = await turns(LONG_S)
    await asyncio.sleep(0)
    engine: Any = SimpleNamespace(_drain=busy.close, _drain_limit=LIMIT_S)
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
    transactions.BEYOND_S = LIMIT_S
    await WHAT[what]()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
