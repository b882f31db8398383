"""Every command in every status: taken, or rejected with this very reason."""

import pytest
from msgspec.structs import replace

from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.base import Actor, Place, Recording, Wake
from streams.case.decide import TABLE
from streams.case.stage import CASE
from streams.case.state import Case
from streams.driver import Driver
from streams.ids import case_id
from streams.profiles.profile import DAY_MS, HOUR_MS

T0 = 1_780_000_000_000
ID = case_id("10", "call", "table")
OFFICER, CALLER = Actor("officer"), Actor("call-centre")
RECORDING = Recording("calls", "r1", "0f" * 32, T0, 42_000)
NEXT = T0 + 2 * DAY_MS + 2 * HOUR_MS


def register(case_type: str = "complaint") -> c.Register:
    place = Place(161, {"block": "birdha"})
    return c.Register("register-1", ID, T0, "up-1076", case_type, "call", "hand-pump", place, "ct_" + "1" * 32, "पाठ")  # type: ignore[arg-type]


DISPOSE = c.Dispose("dispose-01", ID, T0 + DAY_MS, OFFICER, "हो गया")
BEFORE = {
    "open": [register()],
    "recorded": [register("suggestion")],
    "disposed": [register(), DISPOSE],
    "closed": [register(), DISPOSE, c.ConfirmSatisfied("confirm-01", ID, NEXT - HOUR_MS, CALLER)],
}
NOW = {
    c.LinkDuplicate: c.LinkDuplicate("command-01", ID, NEXT, case_id("10", "call", "other"), "app"),
    c.View: c.View("command-02", ID, NEXT, OFFICER),
    c.AddNote: c.AddNote("command-03", ID, NEXT, OFFICER, "देखा"),
    c.GivePendencyReason: c.GivePendencyReason("command-04", ID, NEXT, OFFICER, "court-stay"),
    c.Transfer: c.Transfer("command-05", ID, NEXT, OFFICER, "theft"),
    c.Dispose: c.Dispose("command-06", ID, NEXT, OFFICER, "हो गया"),
    c.CallUnreachable: c.CallUnreachable("command-07", ID, NEXT, CALLER),
    c.ConfirmSatisfied: c.ConfirmSatisfied("command-08", ID, NEXT, CALLER),
    c.ReportDissatisfied: c.ReportDissatisfied("command-09", ID, NEXT, CALLER, "not-done", RECORDING),
    c.Reopen: c.Reopen("command-10", ID, NEXT, CALLER, "other", RECORDING),
    c.MarkDown: c.MarkDown("command-11", ID, NEXT, OFFICER, 1),
    c.ProposeClose: c.ProposeClose("command-12", ID, NEXT, OFFICER, "sub-judice", "न्यायालय में विचाराधीन"),
    c.DecideClose: c.DecideClose("command-13", ID, NEXT, OFFICER, approve=True),
    c.TellCitizen: c.TellCitizen("command-14", ID, NEXT, OFFICER, "बताया"),
    c.ForceClose: c.ForceClose("command-15", ID, NEXT, OFFICER, "beyond-power", "बंद"),
    c.SendUp: c.SendUp("command-16", ID, NEXT, OFFICER, "policy-matter", "नीतिगत"),
    c.SendBack: c.SendBack("command-17", ID, NEXT, OFFICER, "वापस"),
    c.GradeDisposal: c.GradeDisposal("command-18", ID, NEXT, OFFICER, "A"),
}
ANSWERS = {
    #                       open             recorded         disposed         closed
    c.LinkDuplicate:       ("taken",         "taken",         "taken",         "taken"),
    c.View:                ("taken",         "taken",         "taken",         "taken"),
    c.AddNote:             ("taken",         "taken",         "taken",         "taken"),
    c.GivePendencyReason:  ("taken",         "not-pending",   "not-pending",   "not-pending"),
    c.Transfer:            ("taken",         "not-pending",   "not-pending",   "not-pending"),
    c.Dispose:             ("taken",         "taken",         "not-pending",   "not-pending"),
    c.CallUnreachable:     ("not-disposed",  "not-disposed",  "taken",         "not-disposed"),
    c.ConfirmSatisfied:    ("not-disposed",  "not-disposed",  "taken",         "not-disposed"),
    c.ReportDissatisfied:  ("not-disposed",  "not-disposed",  "taken",         "not-disposed"),
    c.Reopen:              ("not-closed",    "not-closed",    "not-closed",    "taken"),
    # what this system's rules do not know is refused by name, whoever asks
    c.MarkDown:            ("no-marking",    "not-pending",   "not-pending",   "not-pending"),
    c.ProposeClose:        ("no-special-close", "not-pending", "not-pending",  "not-pending"),
    c.DecideClose:         ("nothing-proposed", "not-pending", "not-pending",  "not-pending"),
    c.TellCitizen:         ("taken",         "taken",         "taken",         "closed-already"),
    c.ForceClose:          (*["force-close-forbidden"] * 3, "closed-already"),
    c.SendUp:              ("not-sent-up-from-this-level", "not-pending", "not-pending", "not-pending"),
    c.SendBack:            ("not-sent-back-from-this-level", "not-pending", "not-pending", "not-pending"),
    c.GradeDisposal:       ("not-disposed",  "not-disposed",  "no-grades",     "no-grades"),
}  # fmt: skip


def test_the_table_names_every_command() -> None:
    assert set(TABLE) == set(NOW) == set(ANSWERS)


@pytest.mark.parametrize("status", BEFORE)
@pytest.mark.parametrize("kind", NOW, ids=lambda kind: kind.__name__)
def test_command_in_status(status: str, kind: type) -> None:
    flow = Driver([CASE], now=T0)
    for each in BEFORE[status]:
        flow.send(t.CASE_COMMANDS, ID, each)
    state = flow.state["case"][ID]
    assert state.status == status
    flow.send(t.CASE_COMMANDS, ID, NOW[kind])
    last = flow.log[t.CASE_EVENTS][-1].value
    expected = ANSWERS[kind][list(BEFORE).index(status)]
    if expected == "taken":
        assert not isinstance(last, e.CommandRejected)
        assert flow.state["case"][ID].seq > state.seq
    else:
        assert isinstance(last, e.CommandRejected)
        assert (last.reason, last.command_id, last.seq) == (expected, NOW[kind].id, flow.state["case"][ID].seq)


@pytest.mark.parametrize("kind", [c.View, c.AddNote, c.GivePendencyReason, c.Transfer, c.LinkDuplicate])
def test_what_an_office_says_or_hands_on_moves_no_deadline(kind: type) -> None:
    flow = Driver([CASE], now=T0)
    flow.send(t.CASE_COMMANDS, ID, register())
    before = flow.state["case"][ID]
    flow.send(t.CASE_COMMANDS, ID, NOW[kind])
    after = flow.state["case"][ID]
    assert before.due_at == T0 + 7 * DAY_MS
    assert (after.due_at, after.warn_at, after.level) == (before.due_at, before.warn_at, before.level)


@pytest.mark.parametrize("status", BEFORE)
def test_a_stale_wake_changes_nothing_and_says_nothing(status: str) -> None:
    flow = Driver([CASE], now=T0)
    for each in BEFORE[status]:
        flow.send(t.CASE_COMMANDS, ID, each)
    state, facts = flow.state["case"][ID], len(flow.log[t.CASE_EVENTS])
    flow.send(t.CASE_COMMANDS, ID, Wake(ID, T0 + 12345, T0 + 12345))
    assert flow.state["case"][ID] == state
    assert len(flow.log[t.CASE_EVENTS]) == facts


def test_a_closed_case_is_forgotten_in_time() -> None:
    flow = Driver([CASE], now=T0)
    for each in BEFORE["closed"]:
        flow.send(t.CASE_COMMANDS, ID, each)
    closed: Case = flow.state["case"][ID]
    assert closed.forget_at is not None
    flow.advance(closed.forget_at - 1)
    assert ID in flow.state["case"]
    flow.advance(closed.forget_at)
    assert ID not in flow.state["case"]


@pytest.mark.parametrize("woken", [True, False])
def test_a_case_whose_time_ran_out_is_forgotten_whether_or_not_a_wake_said_so(woken: bool) -> None:
    # disposed, then nobody reached on the feedback calls: it closes by itself, and ninety days later it is forgotten
    flow = Driver([CASE], now=T0)
    for each in BEFORE["disposed"]:
        flow.send(t.CASE_COMMANDS, ID, each)
    later = T0 + 400 * DAY_MS
    if woken:
        flow.advance(later)
    flow.send(t.CASE_COMMANDS, ID, replace(register(), at=later))
    told = [type(each.value) for each in flow.log[t.CASE_EVENTS]]
    assert told.index(e.CaseClosed) < len(told) - 2
    assert told[-2:] == [e.CaseRegistered, e.CaseRouted]


def test_an_unknown_system_is_refused_and_kept() -> None:
    flow = Driver([CASE], now=T0)
    token = "ct_" + "1" * 32
    wrong = c.Register("register-9", ID, T0, "no-such", "complaint", "call", "hand-pump", Place(161), token, "पाठ")
    flow.send(t.CASE_COMMANDS, ID, wrong)
    assert [dead.refused.error for dead in flow.dead[t.CASE_COMMANDS]] == ["unknown-system"]
    assert ID not in flow.state["case"]
