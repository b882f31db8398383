"""How often a long-running process looks for reference cycles."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 20)
"""Against 700, 10, 10: a stream makes many short-lived records and hardly a cycle, and each look at everything that is
kept cost workers a fifth of their time."""


def look_rarely() -> None:
    """Leave out what is there now (modules, profiles) and look at the rest seldom; for when all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
