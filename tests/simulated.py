"""Weeks of simulated input played in memory: the logs, and the read model folded from them."""

from functools import cache

from agents.audit.board import Shadow, shadow
from agents.audit.memory import MemoryLog
from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation
from agents.simulate.playback import Playback
from streams.profiles.load import profile
from streams.topology import STAGES

EVERY_ROLE = frozenset(role for rule in profile("up-1076").restricted.values() for role in rule.roles)


def played(seed: int, scale: float, days: int | None = None) -> MemoryLog:
    """The logs after the simulation's end; what cannot be decoded gets into no log in memory."""
    simulation = Simulation(profile("up-1076"), seed, scale=scale, days=days)
    log = MemoryLog(STAGES)
    playback = Playback(log.stages, Door(stand_in_identity()), simulation.truth.start_at, log.on_write)
    log.driver = playback.driver
    for line in simulation:
        if line.way != "wire":
            playback.play(line)
    playback.finish(simulation.truth.end_at)
    return log


@cache
def weeks() -> MemoryLog:
    """Three weeks that several test files look at: nobody changes them."""
    return played(seed=8, scale=0.06)


@cache
def weeks_folded() -> Shadow:
    """Their read model; nobody changes it."""
    return folded(weeks())


def folded(log: MemoryLog) -> Shadow:
    return shadow(log)
