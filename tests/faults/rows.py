"""The matrix: every fault in one table, with how often it strikes."""

from typing import NamedTuple

from tests.faults import brokers, workers
from tests.faults.netns import no_netns
from tests.faults.points import POINTS
from tests.faults.poison import poison
from tests.faults.trial import Row

ROWS: tuple[Row, ...] = (
    *(Row(f"worker kill -9 {point}", workers.at_point(point), 25) for point in POINTS),
    Row("worker frozen past its session", workers.zombies, 3),
    Row("worker cut off past its session", workers.cuts, 3, cabled=True, fits=no_netns),
    Row("workers come and go", workers.storm, 20, workers=3),
    Row("workers come and go under names of their own", workers.storm, 20, workers=3, static=True),
    Row("worker kill -9, all stages of the helpline", workers.kills, 12, flow="helpline"),
    Row("rolling upgrade and back", workers.upgrade, 4, fits=workers.no_old_build),
    Row("clock of the workers ten minutes off", workers.clock_steps, 8),
    Row("poison", poison, 200),
    Row("broker kill -9, one of three", brokers.kill_one, 3, brokers=3),
    Row("broker kill -9, the controller", brokers.kill_controller, 3, brokers=3),
    Row("broker kill -9, all three", brokers.kill_all, 2, brokers=3),
    Row("brokers restarted one after the other", brokers.roll, 3, brokers=3),
    *(Row(f"broker frozen {seconds} s", brokers.freeze(seconds), 1, brokers=3) for seconds in (5, 30, 90)),
    Row("only broker kill -9", brokers.kill_one, 3),
    Row("only broker's disk full", brokers.fill_disk, 2, small_disk=True, fits=brokers.no_mounts),
    Row("network slow", brokers.slow, 6, proxied=True),
    Row("network one byte at a time", brokers.bytewise, 100, proxied=True),
    Row("network resets", brokers.resets, 10, proxied=True),
    Row("network silent past the session", brokers.silences, 2, proxied=True),
)
SHORT = ("worker kill -9 in commit", "network resets", "poison")
"""What `make test` runs: three rows in about two minutes."""
SHORT_SHARE = 0.25
"""Of the strikes, then."""


class Shown(NamedTuple):
    """A fault whose row is a live test of its own."""

    name: str
    test: str


BY_TESTS: tuple[Shown, ...] = (
    Shown("Redis flushed", "tests/live/test_board.py::test_a_flushed_redis_is_filled_again_from_the_log"),
    Shown("Redis away or slow", "tests/live/test_board.py -k redis_is_away"),
    Shown(
        "SMS gateway refuses, 5xx, 429, slow, accepts and times out",
        "tests/live/test_sms_sender.py::test_each_message_is_delivered_once_whatever_fails",
    ),
    Shown(
        "commit that is never answered",
        "tests/live/test_runtime_stopping.py::test_a_commit_that_kafka_never_answers_ends_the_worker_and_is_made_again",
    ),
    Shown("client that never answers", "tests/agents/test_leaving.py"),
    Shown("changelog gone, cut, expiring, of other partitions", "tests/live/test_runtime_recovery.py"),
    Shown("processes killed in the midst of transactions, all stories", "tests/live/test_stories_under_kills.py"),
)
