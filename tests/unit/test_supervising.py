"""The fleet's supervisor: what was killed starts at once, what keeps leaving after pauses, a defect not for ever."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.runtime.exits import Exit
from deploy.fleet import service as module
from deploy.fleet.service import BRIEF_S, PAUSES_S, FleetError, Service

LOOK_S = 0.2


class Machine:
    """A process that leaves when it is told to, and a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.starts = 1000.0, 0
        self.ended_with: int | None = None
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.service = Service("case-1", Path("case-1"), ("case",), 1, {}, "/readyz")
        stand_in: Any = self
        self.service.process = stand_in
        self.service.start()

    def start(self) -> None:
        self.starts, self.ended_with = self.starts + 1, None

    def tail(self) -> str:
        return "the last lines of its log"

    def leave(self, code: int, after: float) -> float:
        """Let it end `after` seconds from now; answer how long the supervisor then waited to start it again."""
        self.now += after
        ended, self.ended_with = self.now, code
        before = self.starts
        while self.starts == before:
            self.service.supervise()
            self.now += LOOK_S
        return self.now - LOOK_S - ended


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_killed_process_is_started_again_at_once_however_often(machine: Machine) -> None:
    assert [machine.leave(-9, after=0.5) for _ in range(10)] == [0.0] * 10
    assert machine.service.restarts == [-9] * 10


def test_one_that_leaves_soon_after_each_start_is_started_after_longer_and_longer_pauses(machine: Machine) -> None:
    waited = [machine.leave(Exit.UNAVAILABLE, after=1.0) for _ in range(len(PAUSES_S) + 4)]
    assert waited == sorted(waited)
    assert waited[0] >= PAUSES_S[1]
    assert PAUSES_S[-1] <= waited[-1] <= PAUSES_S[-1] + 2 * LOOK_S


def test_one_that_had_worked_for_a_while_is_started_at_once(machine: Machine) -> None:
    for _ in range(3):
        machine.leave(Exit.CRASH, after=1.0)
    assert machine.leave(Exit.NOT_DURABLE, after=BRIEF_S) == 0.0


def test_a_defect_is_not_repeated_for_ever(machine: Machine) -> None:
    for _ in range(len(PAUSES_S) - 1):
        machine.leave(Exit.UNKNOWN_FAULT, after=1.0)
    with pytest.raises(FleetError, match=r"case-1 ends again and again, last with 76:\nthe last lines"):
        machine.leave(Exit.UNKNOWN_FAULT, after=1.0)


@pytest.mark.parametrize("code", [Exit.CLEAN, Exit.USAGE, Exit.NOT_SET_UP])
def test_what_a_restart_would_not_change_is_told_at_once(machine: Machine, code: Exit) -> None:
    with pytest.raises(FleetError, match=f"case-1 ended with {code:d}"):
        machine.leave(code, after=1.0)


def test_what_was_stopped_on_purpose_is_left_alone(machine: Machine) -> None:
    machine.service.expected_down = True
    machine.ended_with = 0
    machine.service.supervise()
    assert machine.starts == 1
