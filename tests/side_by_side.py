"""How live tests are shared out among processes: the long ones first, and only what shares a fixture stays together."""

from typing import Final

import pytest

LONGEST_FIRST: Final = (
    "test_drills", "test_stories_under_kills", "test_real", "test_bench", "test_faults", "test_runtime_chaos",
    "test_stories", "test_local_transactions", "test_runtime_stopping", "test_watch", "test_board", "test_backup",
)  # fmt: skip
"""By module, at most a minute or two each. A long one that begins last is what all the others wait for."""


def _module_shares(item: pytest.Item) -> bool:
    info: object = getattr(item, "_fixtureinfo", None)
    definitions = getattr(info, "name2fixturedefs", {}).values()
    return any(each[-1].scope == "module" for each in definitions)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before pytest-xdist reads the groups. Tests without one go to whoever is free."""
    if not getattr(config.option, "loadgroup", False):  # as pytest-xdist tells its workers
        return
    for item in items:
        if _module_shares(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
