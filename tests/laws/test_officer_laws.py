"""Laws of offices and officers over generated histories: replay, repeats, order within a day, recounts."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import events as e
from schemas import officers as o
from schemas import topics as t
from schemas.base import Wake
from schemas.codec import encode
from streams.calendar import bounds, day_key
from streams.case.stage import CASE
from streams.driver import Driver
from streams.ids import case_id
from streams.officers.charge import NOBODY
from streams.officers.conduct import CONDUCT
from streams.officers.offices import OFFICES
from streams.officers.place import located, office_key
from streams.officers.stage import OFFICERS
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS, HOUR_MS
from tests.laws.case_histories import START, Move, commands, histories

SYSTEM, OFFICE = "up-1076", "revenue:dm@161"
PROFILE = profile(SYSTEM)
ZONE, LATENESS = PROFILE.zone, PROFILE.windows.lateness_ms
FIRST = bounds("day", START, ZONE).start_at
CASES = tuple(case_id("10", "call", f"officer-law-{number}") for number in range(3))
KEY = office_key(SYSTEM, "of-1")


class Told(NamedTuple):
    """Something told of the officer: its kind, when, and a choice."""

    kind: str
    gap: int
    choice: int


KINDS = (
    "login",
    "login",
    "time",
    "conduct",
    "step",
    "open",
    "answer",
    "close",
    "reopen",
    "request",
    "generate",
    "list",
)
gaps = st.one_of(st.integers(0, 5 * HOUR_MS), st.sampled_from([0, 1, DAY_MS, 3 * DAY_MS, 40 * DAY_MS]))
active = st.lists(
    st.tuples(st.integers(0, 4 * DAY_MS - 1), st.sampled_from([0, 0, 3, 8])), max_size=25
)  # instant after FIRST; minutes, or 0 for a login


def listed(at: int, status: o.IdStatus = "generated", number: int = 0) -> o.ListOfficer:
    return o.ListOfficer(f"listing-{number}", SYSTEM, "of-1", at, OFFICE, "जिलाधिकारी", status)


Head = tuple[str, str, str, int]
STEPS = ("warning", "explanation-sought", "charge-sheet", "scolding")
STATUSES: tuple[o.IdStatus, ...] = ("listed", "requested", "generated", "left")
BUILD: dict[str, Callable[[Head, int], Any]] = {
    "login": lambda head, _: o.Login(*head),
    "time": lambda head, choice: o.PortalTime(*head, choice + 1),
    "conduct": lambda head, choice: o.TellConduct(
        *head, OFFICE, day_key(FIRST + choice * DAY_MS, ZONE), "final", 1, 0, head[3] % 3, CASES[: head[3] % 3]
    ),
    "step": lambda head, choice: o.TakeStep(*head, STEPS[choice % 4], CASES[: choice % 3 + 1]),
    "open": lambda head, choice: o.OpenTicket(
        *head, f"ticket-{choice % 3}", ("login", "portal", "rain")[choice % 3], "पाठ"
    ),
    "answer": lambda head, choice: o.AnswerTicket(*head, f"ticket-{choice % 3}", "उत्तर"),
    "close": lambda head, choice: o.CloseTicket(*head, f"ticket-{choice % 3}"),
    "reopen": lambda head, choice: o.ReopenTicket(*head, f"ticket-{choice % 3}", "फिर"),
    "request": lambda head, _: o.RequestId(*head),
    "generate": lambda head, _: o.GenerateId(*head),
    "list": lambda head, choice: listed(head[3], STATUSES[choice % 4], int(head[0][-6:])),
}


lives = st.lists(st.builds(Told, st.sampled_from(("login", "time", *BUILD)), gaps, st.integers(0, 5)), max_size=30)


def record(told: Told, at: int, number: int) -> Any:
    return BUILD[told.kind]((f"law-{number:06d}", SYSTEM, "of-1", at), told.choice)


def records(life: list[Told]) -> list[Any]:
    at, found = START, [listed(START)]
    for number, told in enumerate(life, 1):
        at += told.gap
        found.append(record(told, at, number))
    return found


def run(wanted: list[Any], *, until: int | None = None, advance: bool = False) -> Driver:
    flow = Driver([OFFICERS], now=START)
    for each in wanted:
        if advance:
            flow.advance(max(flow.now, each.at))
        flow.send(t.OFFICER_ACTIVITY, KEY, each)
    if until is not None:
        flow.advance(until)
    return flow


def told(flow: Driver) -> list[Any]:
    found = []
    for written in flow.log[t.OFFICER_EVENTS]:
        raw = msgspec.to_builtins(written.value)
        raw["because"].pop("cause")
        found.append(raw)
    return found


@given(lives)
def test_replaying_the_log_gives_the_same_facts_and_state(life: list[Told]) -> None:
    first = run(records(life), until=START + 90 * DAY_MS, advance=True)
    again = Driver([OFFICERS], now=START)
    for written in first.log[t.OFFICER_ACTIVITY]:
        again.send(t.OFFICER_ACTIVITY, written.key, written.value)
    assert [encode(each.value) for each in again.log[t.OFFICER_EVENTS]] == [
        encode(each.value) for each in first.log[t.OFFICER_EVENTS]
    ]
    assert again.state == first.state


@given(lives)
def test_it_does_not_matter_when_the_clock_wakes_an_officer(life: list[Told]) -> None:
    wanted = records(life)
    end = wanted[-1].at + 10 * DAY_MS
    assert told(run(wanted, until=end)) == told(run(wanted, until=end, advance=True))


@given(lives, st.data())
def test_what_is_told_again_changes_nothing(life: list[Told], data: st.DataObject) -> None:
    flow = run(records(life))
    told_so_far = (written.value for written in flow.log[t.OFFICER_EVENTS])
    # what was refused when he had no login yet may be taken when he got one at that very instant
    refused = {
        fact.command_id
        for fact in told_so_far
        if isinstance(fact, o.OfficerCommandRejected) and fact.reason == "no-login-yet"
    }
    # a day of conduct is told whole: the same again is the same, and an older one again would be news
    wanted = [each for each in records(life)[-10:] if each.id not in refused and not isinstance(each, o.TellConduct)]
    if not wanted:
        return
    again = data.draw(st.sampled_from(wanted))
    before, facts = flow.state["officers"].get(KEY), len(flow.log[t.OFFICER_EVENTS])
    flow.send(t.OFFICER_ACTIVITY, KEY, again)
    after = flow.state["officers"].get(KEY)
    new = [written.value for written in flow.log[t.OFFICER_EVENTS][facts:]]
    assert all(isinstance(fact, o.OfficerCommandRejected) for fact in new)
    assert after is not None
    assert msgspec.structs.replace(after, seen=()) == msgspec.structs.replace(before, seen=())


@given(lives)
def test_facts_are_numbered_without_gaps_and_a_state_survives_its_encoding(life: list[Told]) -> None:
    flow = run(records(life), until=START + 90 * DAY_MS)
    numbers = [
        written.value.seq
        for written in flow.log[t.OFFICER_EVENTS]
        if not isinstance(written.value, o.OfficerCommandRejected)
    ]
    assert numbers == list(range(1, len(numbers) + 1))
    for state in flow.state["officers"].values():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=OFFICERS.state) == state


def activities(seen: list[tuple[int, int]]) -> list[Any]:
    found: list[Any] = []
    for number, (after, minutes) in enumerate(seen):
        head = (f"act-{number:06d}", SYSTEM, "of-1", FIRST + after)
        found.append(o.PortalTime(*head, minutes) if minutes else o.Login(*head))
    return found


def days(flow: Driver) -> dict[str, o.PresenceDay]:
    """The last told of each day."""
    return {each.value.day: each.value for each in flow.log[t.OFFICER_EVENTS] if isinstance(each.value, o.PresenceDay)}


def recount(wanted: list[Any], until: int) -> dict[str, tuple[Any, ...]]:
    """Day -> logins, minutes, flags, last login, counted from what was told alone."""
    rule, found = PROFILE.officers.presence, {}  # type: ignore[union-attr]
    start = FIRST
    while start + DAY_MS + LATENESS <= until:
        end = start + DAY_MS
        logins = [each.at for each in wanted if isinstance(each, o.Login) and each.at < end]
        today = sum(each >= start for each in logins)
        minutes = sum(each.minutes for each in wanted if isinstance(each, o.PortalTime) and start <= each.at < end)
        last = max(logins, default=None)
        flags = {
            "under-checks": today < rule.checks_per_day,
            "under-minutes": minutes < rule.minutes_per_day,
            "never-logged-in": last is None,
            "silent": end - (FIRST if last is None else last) >= rule.silent_ms,
        }
        found[day_key(start, ZONE)] = (today, minutes, tuple(name for name, is_so in flags.items() if is_so), last)
        start = end
    return found


def shown(flow: Driver) -> dict[str, tuple[Any, ...]]:
    return {day: (fact.logins, fact.minutes, fact.flags, fact.last_login_at) for day, fact in days(flow).items()}


@given(active, st.randoms(use_true_random=False))
def test_the_days_results_are_a_recount_whatever_the_order_within_a_day(seen: list[tuple[int, int]], draw: Any) -> None:
    wanted = activities(sorted(seen))
    shuffled = list(wanted)
    draw.shuffle(shuffled)
    # each day in any order of its own, before the day is over
    shuffled.sort(key=lambda each: bounds("day", each.at, ZONE).start_at)
    until = FIRST + 6 * DAY_MS
    results = []
    for order in (wanted, shuffled):
        flow = Driver([OFFICERS], now=FIRST)
        flow.send(t.OFFICER_ACTIVITY, KEY, listed(FIRST))
        for each in order:
            flow.advance(max(flow.now, bounds("day", each.at, ZONE).end_at))
            flow.send(t.OFFICER_ACTIVITY, KEY, each)
        flow.advance(until)
        presence = [each.value for each in flow.log[t.OFFICER_EVENTS] if isinstance(each.value, o.PresenceDay)]
        assert all(fact.result == "final" for fact in presence)
        assert len(presence) == len(days(flow))
        results.append((shown(flow), flow.state["officers"][KEY].days))
    assert results[0] == results[1]
    assert results[0][0] == recount(wanted, until)


@given(active, st.randoms(use_true_random=False))
def test_after_all_revisions_the_results_are_a_recount_in_any_order(seen: list[tuple[int, int]], draw: Any) -> None:
    wanted = activities(seen)
    draw.shuffle(wanted)
    flow = Driver([OFFICERS], now=FIRST)
    flow.send(t.OFFICER_ACTIVITY, KEY, listed(FIRST))
    for each in wanted:
        flow.advance(max(flow.now, each.at))
        flow.send(t.OFFICER_ACTIVITY, KEY, each)
    until = FIRST + 6 * DAY_MS
    flow.advance(until)
    assert shown(flow) == recount(wanted, until)
    finals = Counter(
        each.value.day
        for each in flow.log[t.OFFICER_EVENTS]
        if isinstance(each.value, o.PresenceDay) and each.value.result == "final"
    )
    assert set(finals.values()) == {1}


# conduct: from the facts of cases to the officer's days

CHARGED = ("water:district-officer@161", "water:dm@161", "police:co@159/palia")


def whole(history: list[Move], until: int) -> Driver:
    flow = Driver([CASE, CONDUCT, OFFICES, OFFICERS], now=START)
    for number, office in enumerate(CHARGED):
        for officer, from_at in ((f"first-{number}", FIRST), (f"second-{number}", FIRST + 9 * DAY_MS + 12 * HOUR_MS)):
            told_of = o.ListOfficer(f"listing-{officer}", SYSTEM, officer, START, office, "अधिकारी", "listed")
            flow.send(t.OFFICER_ACTIVITY, office_key(SYSTEM, officer), told_of)
            flow.send(
                t.OFFICE_ACTIVITY, office_key(SYSTEM, office), o.TakeCharge(SYSTEM, office, START, officer, from_at)
            )
    for each in commands(history):
        flow.advance(max(flow.now, each.at))
        flow.send(t.CASE_COMMANDS, each.case, each)
    flow.advance(until)
    return flow


def in_charge(office: str, at: int) -> str:
    if office not in CHARGED:
        return NOBODY
    number = CHARGED.index(office)
    return f"second-{number}" if at >= FIRST + 9 * DAY_MS + 12 * HOUR_MS else f"first-{number}"


def overdue_spans(flow: Driver, until: int) -> set[tuple[str, str, int, int]]:
    """Case, office, since and until, from the cases' own facts alone."""
    held: dict[str, tuple[str, int]] = {}
    spans: set[tuple[str, str, int, int]] = set()
    for fact in (written.value for written in flow.log[t.CASE_EVENTS]):
        match fact:
            case e.EscalationWithdrawn():
                spans = {span for span in spans if span[:3] != (fact.case, fact.office, fact.due_at)}
                held.pop(fact.case, None)
            case e.CaseEscalated() | e.CaseDisposed() | e.CaseClosed() | e.CaseTransferred():
                before = held.pop(fact.case, None)
                if before is not None:
                    spans.add((fact.case, *before, fact.at))
                    held |= {fact.case: (fact.office, fact.at)} if isinstance(fact, e.CaseTransferred) else {}
            case e.BecameDefaulter():
                held[fact.case] = (fact.office, fact.due_at)
    return spans | {(case, office, since, until + DAY_MS) for case, (office, since) in held.items()}


Place = tuple[str, str, str]
"""Officer, office, day."""
ACTED = e.CaseViewed | e.NoteAdded | e.PendencyReasonGiven | e.CaseTransferred | e.CaseDisposed


def recounted(flow: Driver, until: int) -> dict[Place, tuple[int, tuple[str, ...]]]:
    """Actions and cases overdue, from the cases' own facts alone."""
    acts: Counter[Place] = Counter()
    for fact in (written.value for written in flow.log[t.CASE_EVENTS]):
        if isinstance(fact, ACTED):
            office = fact.by.office or (fact.from_office if isinstance(fact, e.CaseTransferred) else fact.office)
            acts[in_charge(office, fact.at), office, day_key(fact.at, ZONE)] += 1
    blots: defaultdict[Place, set[str]] = defaultdict(set)
    for case, office, since, end in overdue_spans(flow, until):
        at = since
        while at == since or at < end:
            blots[in_charge(office, at), office, day_key(at, ZONE)].add(case)
            at = bounds("day", at, ZONE).end_at
    over = {key for key in acts.keys() | blots.keys() if bounds("day", _at(key[2]), ZONE).end_at + LATENESS <= until}
    return {key: (acts[key], tuple(sorted(blots[key]))) for key in over if key[0] != NOBODY}


def _at(day: str) -> int:
    number = (FIRST // DAY_MS) - 2
    while day_key(number * DAY_MS, ZONE) != day:
        number += 1
    return number * DAY_MS


@given(histories)
def test_conduct_is_a_recount_of_the_cases_facts(history: list[Move]) -> None:
    until = commands(history)[-1].at + 20 * DAY_MS
    flow = whole(history, until)
    found = {}
    for fact in (written.value for written in flow.log[t.OFFICER_EVENTS]):
        if isinstance(fact, o.ConductDay):
            found[fact.officer, fact.office, fact.day] = (fact.personal + fact.delegated, tuple(sorted(fact.cases)))
    assert {key: value for key, value in found.items() if value != (0, ())} == recounted(flow, until)
    assert not any(flow.dead.values())


@given(histories)
def test_every_case_overdue_stands_where_it_is_and_offices_survive_their_encoding(history: list[Move]) -> None:
    flow = whole(history, commands(history)[-1].at + DAY_MS)
    standing = {
        (blot.case, key) for key, office in flow.state["offices"].items() for blot in office.blots if blot.until is None
    }
    assert standing == {(case, office_key(SYSTEM, held.office)) for case, held in flow.state["conduct"].items()}
    for office in flow.state["offices"].values():
        assert located(office.system, office.office) is not None
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(office), type=OFFICES.state) == office


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40))
def test_a_preset_is_proposed_once_for_the_days_it_rests_on(told_days: list[tuple[int, bool]]) -> None:
    flow = Driver([OFFICERS], now=START)
    flow.send(t.OFFICER_ACTIVITY, KEY, listed(START))
    standing: set[str] = set()
    for number, (after, blot) in enumerate(told_days):
        day = day_key(FIRST + after * DAY_MS, ZONE)
        cases = CASES[:1] if blot else ()
        standing = standing | {day} if blot else standing - {day}
        conduct = o.TellConduct(
            f"law-{number:06d}", SYSTEM, "of-1", START, OFFICE, day, "revised", 0, 0, len(cases), cases
        )
        flow.send(t.OFFICER_ACTIVITY, KEY, conduct)
    state = flow.state["officers"][KEY]
    assert set(state.defaulted) == standing
    rows = [each.days for each in state.proposals if each.preset == "three-days-in-a-row"]
    used = [day for row in rows for day in row]
    assert len(used) == len(set(used))
    assert set(used) <= standing
    free = sorted(standing - set(used))
    assert not any({free[i], free[i + 1], free[i + 2]} == set(_three(free[i])) for i in range(len(free) - 2))
    months = Counter(each.days[0][:7] for each in state.proposals if each.preset == "five-days-in-a-month")
    by_month = Counter(day[:7] for day in standing)
    assert months == Counter({month: 1 for month, count in by_month.items() if count >= 5})


def _three(day: str) -> tuple[str, ...]:
    return tuple(day_key(_at(day) + number * DAY_MS, ZONE) for number in range(3))


@given(lives)
def test_a_stale_or_repeated_wake_changes_nothing(life: list[Told]) -> None:
    flow = run(records(life), until=START + 60 * DAY_MS)
    before, facts = dict(flow.state["officers"]), len(flow.log[t.OFFICER_EVENTS])
    flow.send(t.OFFICER_ACTIVITY, KEY, Wake(KEY, START + 3 * DAY_MS, flow.now))
    assert (flow.state["officers"], len(flow.log[t.OFFICER_EVENTS])) == (before, facts)
