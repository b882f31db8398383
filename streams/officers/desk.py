"""The officers' own support desk (R24): tickets with a due instant of their own, in no count of citizens' cases."""

from typing import Any

from schemas import officers as o
from streams.officers.state import MOST_TICKETS, Ticket
from streams.officers.turn import Turn


def may_open(turn: Turn, command: o.OpenTicket) -> str | None:
    if command.ticket in turn.officer.tickets:
        return "ticket-exists"
    if command.category not in turn.rule.desk.categories:
        return "unknown-category"
    return "too-many-tickets" if len(turn.officer.tickets) >= MOST_TICKETS else None


def is_open(turn: Turn, command: o.AnswerTicket) -> str | None:
    ticket = turn.officer.tickets.get(command.ticket)
    if ticket is None:
        return "no-such-ticket"
    return None if ticket.status == "open" else "already-answered"


def is_answered(turn: Turn, command: o.ReopenTicket) -> str | None:
    ticket = turn.officer.tickets.get(command.ticket)
    if ticket is None:
        return "no-such-ticket"
    return None if ticket.status == "answered" else "not-answered"


def is_there(turn: Turn, command: o.CloseTicket) -> str | None:
    return None if command.ticket in turn.officer.tickets else "no-such-ticket"


def open_ticket(turn: Turn, command: o.OpenTicket) -> None:
    due_at = command.at + turn.rule.desk.answer_ms
    _put(turn, command.ticket, Ticket(command.category, "open", due_at))
    _tell(turn, o.TicketOpened, "opened", command, command.category, text=command.text, due_at=due_at)


def answer(turn: Turn, command: o.AnswerTicket) -> None:
    close_at = command.at + turn.rule.desk.confirm_ms
    category = turn.officer.tickets[command.ticket].category
    _put(turn, command.ticket, Ticket(category, "answered", close_at))
    _tell(turn, o.TicketAnswered, "answered", command, category, text=command.text, close_at=close_at)


def reopen(turn: Turn, command: o.ReopenTicket) -> None:
    due_at = command.at + turn.rule.desk.answer_ms
    category = turn.officer.tickets[command.ticket].category
    _put(turn, command.ticket, Ticket(category, "open", due_at))
    _tell(turn, o.TicketReopened, "not-solved", command, category, text=command.text, due_at=due_at)


def close(turn: Turn, command: o.CloseTicket) -> None:
    category = turn.officer.tickets[command.ticket].category
    _put(turn, command.ticket, None)
    _tell(turn, o.TicketClosed, "solved", command, category, confirmed=True)


def pass_due(turn: Turn, name: str, at: int) -> None:
    """The desk's time is over: overdue. The officer's is: closed, and not counted as solved."""
    ticket = turn.officer.tickets[name]
    if ticket.status == "open":
        _put(turn, name, Ticket(ticket.category, "open", None))
        turn.tell(o.TicketOverdue, "due-instant-passed", at, ticket=name, category=ticket.category)
    else:
        _put(turn, name, None)
        turn.tell(o.TicketClosed, "nothing-said", at, ticket=name, category=ticket.category, confirmed=False)


def _put(turn: Turn, name: str, ticket: Ticket | None) -> None:
    tickets = {each: held for each, held in turn.officer.tickets.items() if each != name}
    turn.change(tickets=tickets if ticket is None else {**tickets, name: ticket})


def _tell(turn: Turn, kind: type[o.TicketEvent], why: str, command: o.Ticketed, category: str, **fields: Any) -> None:
    turn.tell(kind, why, command.at, ticket=command.ticket, category=category, **fields)
