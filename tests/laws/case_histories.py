"""Generated histories of cases: commands of every kind in any order, with gaps that jump over due instants."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas import commands as c
from schemas.base import Actor, CaseType, Place, Recording
from streams.ids import case_id
from streams.profiles.profile import DAY_MS, HOUR_MS

START = 1_780_000_000_000
RECORDING = Recording("calls", "r", "ab" * 32, START, 60_000)
PLACES = (Place(161, {"block": "birdha"}), Place(159, {"thana": "palia"}), Place(118), Place(99_999))
CATEGORIES = ("hand-pump", "theft", "mnrega-wages", "no-such-category")
OFFICES = (None, None, None, "water:district-officer@161", "water:dm@161", "police:co@159/palia")


Head = tuple[str, str, int]


class Move(NamedTuple):
    """A command's kind and choices, and the time since the one before."""

    gap: int
    kind: str
    case: int
    choice: int
    id: int


gaps = st.one_of(
    st.integers(0, 3 * HOUR_MS),
    st.integers(0, 9 * DAY_MS),
    st.sampled_from([0, 1, DAY_MS, 6 * DAY_MS, 7 * DAY_MS, 40 * DAY_MS]),
)
KINDS = (
    "register",
    "view",
    "note",
    "reason",
    "transfer",
    "dispose",
    "unreachable",
    "satisfied",
    "dissatisfied",
    "reopen",
    "link",
)
moves = st.builds(
    Move,
    gaps,
    st.sampled_from((*KINDS, "dispose", "dissatisfied", "register")),
    st.integers(0, 2),
    st.integers(0, 7),
    st.integers(0, 10**6),
)
histories = st.lists(moves, min_size=1, max_size=25)


def case_of(number: int) -> str:
    return case_id("10", "call", f"law-{number}")


def command(move: Move, at: int, number: int) -> Any:
    """The move as a command at `at`; the id is unique unless two moves drew the same one on purpose (`id` 0)."""
    head = (f"law-cmd-{move.id if move.id == 0 else number:08d}", case_of(move.case), at)
    return BUILD[move.kind](head, Actor("officer", OFFICES[move.choice % len(OFFICES)]), move.choice)


def _register(head: Head, _actor: Actor, choice: int) -> c.Register:
    kinds: tuple[CaseType, ...] = ("complaint", "complaint", "demand", "information", "suggestion")
    return c.Register(
        *head,
        "up-1076",
        kinds[choice % 5],
        "call",
        CATEGORIES[choice % 3],
        PLACES[choice % 3],
        "ct_" + "0" * 32,
        "पाठ",
        contact="sealed",
        against_level=(None, None, 1, 3, 4)[choice % 5],
    )


def _transfer(head: Head, actor: Actor, choice: int) -> c.Transfer:
    category = None if choice == 0 else CATEGORIES[choice % 4]
    return c.Transfer(*head, actor, category, None if choice < 3 else PLACES[choice % 4])


BUILD: dict[str, Callable[[Head, Actor, int], Any]] = {
    "register": _register,
    "view": lambda head, actor, _: c.View(*head, actor),
    "note": lambda head, actor, _: c.AddNote(*head, actor, "टिप्पणी"),
    "reason": lambda head, actor, _: c.GivePendencyReason(*head, actor, "other"),
    "transfer": _transfer,
    "dispose": lambda head, actor, _: c.Dispose(*head, actor, "निस्तारित"),
    "unreachable": lambda head, actor, _: c.CallUnreachable(*head, actor),
    "satisfied": lambda head, actor, _: c.ConfirmSatisfied(*head, actor),
    "dissatisfied": lambda head, actor, _: c.ReportDissatisfied(*head, actor, "not-done", RECORDING),
    "reopen": lambda head, actor, _: c.Reopen(*head, actor, "other", RECORDING),
    "link": lambda head, _actor, _choice: c.LinkDuplicate(*head, case_of(9), "app"),
}


def commands(history: list[Move]) -> list[Any]:
    """The history as commands in order of event time."""
    at, found = START, []
    for number, move in enumerate(history):
        at += move.gap
        found.append(command(move, at, number))
    return found
