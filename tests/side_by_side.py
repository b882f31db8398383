"""How tests are shared out among processes: module by module, the long ones first, some of them test by test."""

from pathlib import PurePath
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST: Final = (
    "test_drills", "test_stories_under_kills", "test_real", "test_bench", "test_faults", "test_runtime_chaos",
    "test_stories", "test_local_transactions", "test_runtime_stopping", "test_watch", "test_board", "test_backup",
    # without Kafka
    "test_replay", "test_leaving", "test_simulation", "test_audit", "test_intake_laws", "test_bad_profile",
    "test_commands", "test_portal", "test_open311",
)  # fmt: skip
"""Modules of a minute or more, without Kafka of five seconds. A long one that begins last is waited for by all."""
APART: Final = frozenset({
    "test_bench", "test_faults", "test_runtime_chaos", "test_local_transactions", "test_local_watch",
    "test_local_commands", "test_local_kafka",
})  # fmt: skip
"""Modules whose tests share no fixture."""


class Sharing(LoadScopeScheduling):
    """pytest-xdist's own groups (`loadgroup`) come to nothing with pytest 9, which does not heed the names it gives."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return nodeid if PurePath(module).stem in APART else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Instead of `--dist loadscope`."""
    if config.getvalue("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False  # as they were collected
    return Sharing(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
