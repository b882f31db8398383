"""Generated histories of cases in every system: commands of every kind, those its rules forbid among them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas import commands as c
from schemas.base import Actor, Place, Recording
from streams.case.route import route
from streams.ids import case_id
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS, HOUR_MS, Profile

START = 1_780_000_000_000
SYSTEMS = tuple(name for name, each in profiles().items() if each.zone == "Asia/Kolkata")
RECORDING = Recording("calls", "r", "ab" * 32, START, 60_000)
Head = tuple[str, str, int]


class Move(NamedTuple):
    """A command's kind and choices, and the time since the one before."""

    gap: int
    kind: str
    case: int
    choice: int
    officer: int


class History(NamedTuple):
    system: str
    moves: list[Move]

    @property
    def profile(self) -> Profile:
        return profiles()[self.system]


def _place(profile: Profile, choice: int) -> Place:
    district = sorted(profile.districts)[choice % 3]
    return Place(district, {} if choice % 4 == 3 else {"block": "one", "tehsil": "one", "thana": "one"})


def _category(profile: Profile, choice: int) -> str:
    return sorted(profile.categories)[choice % 5]


def _actor(profile: Profile, move: Move) -> Actor:
    """A system of record, or an officer of some level of the case's first department and place."""
    if move.officer < 3:
        return Actor("officer", None, "of-1")
    category, place = _category(profile, move.case), _place(profile, move.case)
    level = 1 + move.officer % profile.last_level
    office = route(profile, profile.categories[category].department, place, level).id
    return Actor("officer", office, None if move.officer == 9 else "of-2")


def _register(head: Head, profile: Profile, move: Move) -> c.Register:
    sources = (None, *sorted(profile.intake_sources))
    return c.Register(
        *head,
        profile.system,
        sorted(profile.case_types)[move.choice // 5 % len(profile.case_types)],
        "call",
        _category(profile, move.case),
        _place(profile, move.case),
        "ct_" + "0" * 32,
        "पाठ",
        contact="sealed",
        against_level=(None, None, None, 1, 2)[move.choice % 5],
        source=sources[move.choice % len(sources)],
    )


def _one(values: tuple[str, ...], choice: int) -> str:
    return "no-such" if choice == 7 or not values else values[choice % len(values)]


def _special(profile: Profile, choice: int) -> str:
    rule = profile.closing.special
    return _one(() if rule is None else rule.reasons, choice)


def _forced(profile: Profile, choice: int) -> str:
    rule = profile.closing.forced
    return _one(() if rule == "forbidden" else rule.reasons, choice)


def _condition(profile: Profile, choice: int) -> str:
    return _one(tuple(each for rule in profile.levels for each in rule.sent_up_for), choice)


Build = Callable[[Head, Profile, Move, Actor], Any]
BUILD: dict[str, Build] = {
    "register": lambda head, profile, move, _: _register(head, profile, move),
    "view": lambda head, _, __, by: c.View(*head, by),
    "transfer": lambda head, profile, move, by: c.Transfer(*head, by, _category(profile, move.choice)),
    "dispose": lambda head, profile, move, by: c.Dispose(
        *head, by, "निस्तारित", kind="partial" if move.choice == 7 else "full",
        relief=None if not profile.closing.relief or move.choice == 6 else move.choice > 2,
    ),
    "unreachable": lambda head, _, __, ___: c.CallUnreachable(*head, Actor("call-centre")),
    "satisfied": lambda head, _, __, ___: c.ConfirmSatisfied(*head, Actor("call-centre")),
    "dissatisfied": lambda head, _, __, ___: c.ReportDissatisfied(*head, Actor("call-centre"), "not-done", RECORDING),
    "reopen": lambda head, _, __, ___: c.Reopen(*head, Actor("call-centre"), "other", RECORDING),
    "mark": lambda head, _, move, by: c.MarkDown(*head, by, 1 + move.choice % 3),
    "propose": lambda head, profile, move, by: c.ProposeClose(*head, by, _special(profile, move.choice), "कारण"),
    "decide": lambda head, _, move, by: c.DecideClose(*head, by, approve=move.choice > 1),
    "tell": lambda head, _, __, by: c.TellCitizen(*head, by, "बताया"),
    "force": lambda head, profile, move, by: c.ForceClose(*head, by, _forced(profile, move.choice), "बंद"),
    "send-up": lambda head, profile, move, by: c.SendUp(*head, by, _condition(profile, move.choice), "ऊपर"),
    "send-back": lambda head, _, __, by: c.SendBack(*head, by, "वापस"),
    "grade": lambda head, _, move, by: c.GradeDisposal(*head, by, ("A", "B", "C")[move.choice % 3]),
}  # fmt: skip
BUNDLES: dict[str, tuple[str, ...]] = {
    "settled": ("mark", "dispose", "decide", "satisfied", "grade"),
    "unsatisfied": ("dispose", "decide", "dissatisfied"),
    "special": ("propose", "decide"),
    "forced": ("tell", "force"),
    "hand-over-hand": ("send-up", "send-up", "send-back"),
}
"""What belongs together, an hour apart: single commands drawn at random seldom meet."""
gaps = st.one_of(
    st.integers(0, 3 * HOUR_MS),
    st.integers(0, 4 * DAY_MS),
    st.sampled_from([0, 1, DAY_MS, 6 * DAY_MS, 7 * DAY_MS, 20 * DAY_MS]),
)
moves = st.builds(
    Move,
    gaps,
    st.sampled_from((*BUILD, *BUNDLES, *BUNDLES, *BUNDLES)),
    st.integers(0, 2),
    st.integers(0, 7),
    st.sampled_from((0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 9)),
)
histories = st.builds(History, st.sampled_from(SYSTEMS), st.lists(moves, min_size=3, max_size=20))


def _singles(history: History) -> Iterator[Move]:
    for move in history.moves:
        if move.kind in BUNDLES:
            first, *others = BUNDLES[move.kind]
            yield move._replace(kind=first)
            # approved mostly, the first reason of the list
            yield from (
                move._replace(gap=HOUR_MS, kind=each, choice=move.choice if each != "decide" else 5) for each in others
            )
        else:
            yield move


def commands(history: History) -> list[Any]:
    """The history as commands in order of event time, the cases registered first."""
    at, found, profile = START, list[Any](), history.profile
    for number in range(3):
        case = case_id(profile.code, "call", f"system-law-{number}")
        move = Move(0, "register", number, history.moves[0].choice + number, 0)
        found.append(_register((f"law-reg-{number:08d}", case, at), profile, move))
    for number, move in enumerate(_singles(history)):
        at += move.gap
        case = case_id(profile.code, "call", f"system-law-{move.case}")
        found.append(BUILD[move.kind]((f"law-cmd-{number:08d}", case, at), profile, move, _actor(profile, move)))
    return found
