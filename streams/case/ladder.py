"""Up and down by an officer's hand: marked down to work on, sent up on a listed condition, sent back."""

from typing import Any

from schemas.base import Place
from schemas.commands import MarkDown, SendBack, SendUp
from schemas.events import CaseMarked, CaseSentBack, CaseSentUp
from streams.case.route import route
from streams.case.turn import Head, Turn
from streams.profiles.due import due_at


def mark(turn: Turn, command: MarkDown) -> None:
    """To an office below, which reports from there; the due instant is the case's own and stays."""
    case = turn.case
    place = command.place or Place(case.district, case.units)
    office = _office(turn, place, command.to_level)
    turn.tell(
        CaseMarked(
            *turn.head("marked-down-same-clock", command.at, level=command.to_level, office=office),
            by=command.by,
            from_level=case.level,
            to_level=command.to_level,
            from_office=case.office,
            to_office=office,
            place=place,
            due_at=case.due_at,
            text=command.text,
        )
    )


def send_up(turn: Turn, command: SendUp) -> None:
    """To the next level, with its full time from now."""
    age_ms = max(0, command.at - turn.case.registered_at)
    head, moved = _moved(turn, command, "sent-up-on-a-listed-condition", turn.case.level + 1)
    turn.tell(CaseSentUp(*head, **moved, condition=command.condition, age_ms=age_ms))


def send_back(turn: Turn, command: SendBack) -> None:
    """To the level below, with its full time from now."""
    head, moved = _moved(turn, command, "sent-back-to-the-level-below", turn.case.level - 1)
    turn.tell(CaseSentBack(*head, **moved))


def _moved(turn: Turn, command: SendUp | SendBack, rule: str, level: int) -> tuple[Head, dict[str, Any]]:
    """The head of a fact that begins another level, and what both kinds of it say."""
    case, profile = turn.case, turn.begin_level(command.at)
    office = _office(turn, Place(case.district, case.units), level)
    moved = {
        "by": command.by,
        "text": command.text,
        "from_level": case.level,
        "to_level": level,
        "from_office": case.office,
        "to_office": office,
        "due_at": due_at(profile, level, case.kind, command.at),
    }
    return turn.head(rule, command.at, level=level, office=office), moved


def _office(turn: Turn, place: Place, level: int) -> str:
    case = turn.case
    return route(turn.profile, case.department, place, level, category=case.category, case_type=case.case_type).id
