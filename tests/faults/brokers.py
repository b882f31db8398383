"""Faults of brokers, disks and networks."""

import os
import time
from collections.abc import Callable
from contextlib import suppress

from deploy.local.kafka import KafkaNode
from tests.faults.trial import Trial
from tests.live.stand import pause
from tests.waiting import until

ENDED_S = 60.0
CHUNK = b"\0" * 65_536


def kill_one(trial: Trial) -> None:
    for _ in range(trial.times):
        node = trial.draw.choice(trial.kafka.nodes)
        _kill_and_start(trial, node)


def kill_controller(trial: Trial) -> None:
    for _ in range(trial.times):
        _kill_and_start(trial, trial.controller())


def _kill_and_start(trial: Trial, node: KafkaNode) -> None:
    node.kill()
    trial.struck += 1
    pause(trial.draw, 1, 4)
    node.start()
    trial.kafka.wait_ready()
    trial.recovers()


def kill_all(trial: Trial) -> None:
    for _ in range(trial.times):
        for node in trial.kafka.nodes:
            node.kill()
        trial.struck += not any(node.alive for node in trial.kafka.nodes)
        pause(trial.draw, 1, 3)
        for node in trial.kafka.nodes:
            node.start()
        trial.kafka.wait_ready()
        trial.recovers()


def roll(trial: Trial) -> None:
    """Each broker is told to stop and comes back, one after the other."""
    for node in trial.kafka.nodes[: trial.times]:
        node.stop(ENDED_S)
        trial.struck += 1
        node.start()
        trial.kafka.wait_ready()
    trial.recovers()


def freeze(seconds: float) -> Callable[[Trial], None]:
    """A broker stands still: connections stay open and nothing answers."""

    def strike(trial: Trial) -> None:
        for _ in range(trial.times):
            node = trial.draw.choice(trial.kafka.nodes)
            node.pause()
            time.sleep(seconds)
            trial.struck += node.alive
            node.resume()
            trial.kafka.wait_ready()
            trial.recovers()

    return strike


def slow(trial: Trial) -> None:
    """Every packet takes 20 to 150 ms, each way."""
    assert trial.proxy is not None
    before = trial.proxy.passed
    for _ in range(trial.times):
        trial.proxy.delay_s = trial.draw.uniform(0.02, 0.15)
        pause(trial.draw, 2, 3)
    trial.proxy.heal()
    trial.struck = trial.times if trial.proxy.passed > before + trial.times else 0
    trial.recovers()


def bytewise(trial: Trial) -> None:
    """Packets come in pieces of one byte."""
    assert trial.proxy is not None
    before = trial.proxy.passed
    trial.proxy.bytewise = True
    time.sleep(15)
    trial.proxy.heal()
    trial.struck = min(trial.times, trial.proxy.passed - before)
    trial.recovers()


def resets(trial: Trial) -> None:
    """All connections are reset, with whatever was on its way."""
    assert trial.proxy is not None
    for _ in range(trial.times):
        before = trial.proxy.resets
        trial.proxy.reset()
        trial.struck += trial.proxy.resets > before
        pause(trial.draw, 0.5, 3)
    trial.recovers()


def silences(trial: Trial) -> None:
    """Connections stay open and nothing passes, for longer than a session; then they are reset."""
    assert trial.proxy is not None
    for _ in range(trial.times):
        trial.proxy.silent = True
        time.sleep(trial.stand.session_s * 2)
        trial.proxy.silent = False
        trial.proxy.reset()
        trial.struck += 1
        trial.recovers()


def no_mounts() -> str:
    return "" if os.geteuid() == 0 else "only root can mount a disk of limited size"


def fill_disk(trial: Trial) -> None:
    """The disk of the only broker is full until it ends; then there is room, and it is started again."""
    node, disk = trial.kafka.nodes[0], trial.kafka.folder.parent
    for _ in range(trial.times):
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as sink, suppress(OSError):  # no room left: that is what was wanted
            while sink.write(CHUNK):
                pass
        until(lambda: not node.alive, ENDED_S, what="the broker ends for want of room")
        trial.struck += 1
        ballast.unlink()
        node.start()
        trial.kafka.wait_ready()
        trial.recovers()
