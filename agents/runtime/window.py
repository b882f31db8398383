"""How many wakes of a partition may be out: as many as all partitions together fold within a set time."""

from typing import Final

FEWEST: Final = 50
"""Out at any rate: with fewer, the cost of a transaction counts more than what is in it."""
STEP: Final = 2.0
"""The most by which one batch makes it wider or narrower: a batch may be of repeats, or wait for its core."""


class Window:
    """Narrower the more a wake costs, so that what comes meanwhile waits about equally long whatever that is.

    It goes by the time of folding alone. Kafka's answers take their time with few wakes in hand as with many, and a
    slow broker is relieved by fewer and fuller transactions.
    """

    def __init__(self, bound: int, within: float) -> None:
        """`bound`: never more; `within`: seconds."""
        self._least, self._bound, self._within = min(FEWEST, bound), bound, within
        self.most = self._least
        """Of one partition, written and not yet folded."""

    def folded(self, records: int, seconds: float, partitions: int) -> None:
        """Take note of a batch with wakes; all partitions that this worker folds take their turns."""
        fitting = self._within * records / max(seconds, 1e-6) / max(1, partitions)
        step = min(self.most * STEP, max(self.most / STEP, fitting))
        self.most = max(self._least, min(self._bound, round(step)))
