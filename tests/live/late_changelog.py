"""A worker whose changelog is made when it has joined its group: `python -m tests.live.late_changelog PREFIX`.

As on a busy cluster, where a topic is made and the broker that a client asks has not heard of it yet.
"""

import sys
import threading
from collections.abc import Sequence
from typing import Any

from agents.runtime import changelogs
from agents.runtime.changelogs import Changelog
from agents.runtime.engine import Rebalances
from tests.live.toy import main

make = changelogs._make
late: list[tuple[Any, ...]] = []


def put_off(missing: Sequence[Changelog], *more: Any) -> None:
    if missing:
        late.append((missing, *more))


def made_late(self: Rebalances, app: Any, state: dict[str, float]) -> None:
    joined(self, app, state)
    if late:
        threading.Thread(target=make, args=late.pop()).start()


if __name__ == "__main__":
    changelogs._make = put_off
    joined, Rebalances.on_rebalance_end = Rebalances.on_rebalance_end, made_late  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1]))
