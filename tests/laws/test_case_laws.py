"""Laws of the case machine, over generated histories."""

from collections import Counter, defaultdict
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas import events as e
from schemas import topics as t
from schemas.codec import encode
from streams.case.stage import CASE
from streams.case.state import Case, wake_at
from streams.driver import Driver
from streams.profiles.profile import DAY_MS
from tests.laws.case_histories import START, Move, commands, histories


def run(wanted: list[Any], *, until: int | None = None, advance: bool = False) -> Driver:
    """Feed commands in order; `advance` lets the clock fire what is due before each of them."""
    flow = Driver([CASE], now=START)
    for each in wanted:
        if advance:
            flow.advance(max(flow.now, each.at))
        flow.send(t.CASE_COMMANDS, each.case, each)
    if until is not None:
        flow.advance(until)
    return flow


def told(flow: Driver) -> dict[str, list[Any]]:
    """Facts per case, without the log position of their cause."""
    found: dict[str, list[Any]] = defaultdict(list)
    for written in flow.log[t.CASE_EVENTS]:
        raw = msgspec.to_builtins(written.value)
        raw["because"].pop("cause")
        found[written.key].append(raw)
    return dict(found)


def rejections(flow: Driver) -> list[e.CommandRejected]:
    """The rejections among the facts."""
    return [each.value for each in flow.log[t.CASE_EVENTS] if isinstance(each.value, e.CommandRejected)]


@given(histories)
def test_replaying_the_log_gives_the_same_facts_and_states(history: list[Move]) -> None:
    first = run(commands(history), until=START + 400 * DAY_MS, advance=True)
    again = Driver([CASE], now=START)
    for written in first.log[t.CASE_COMMANDS]:
        again.send(t.CASE_COMMANDS, written.key, written.value)
    outputs = {topic: [encode(each.value) for each in log] for topic, log in first.log.items()}
    assert {topic: [encode(each.value) for each in log] for topic, log in again.log.items()} == outputs
    assert again.state == first.state


@given(histories)
def test_it_does_not_matter_when_the_clock_wakes_a_case(history: list[Move]) -> None:
    wanted = commands(history)
    end = wanted[-1].at + 60 * DAY_MS
    lazy, prompt = run(wanted, until=end), run(wanted, until=end, advance=True)
    assert told(lazy) == told(prompt)


@given(histories, st.data())
def test_a_repeated_command_changes_nothing(history: list[Move], data: st.DataObject) -> None:
    # after `forget_after_days` a closed case is forgotten, and with it what was said of it
    assume(commands(history)[-1].at - START < 80 * DAY_MS)
    flow = run(commands(history))
    again = data.draw(st.sampled_from(commands(history)[-10:]))
    # told of a case that nobody had registered within the day: that answer is final, the same words later are news
    unknown = {fact.command_id for fact in rejections(flow) if fact.reason == "unknown-case"}
    assume(again.id not in unknown)
    before, facts = flow.state["case"].get(again.case), len(flow.log[t.CASE_EVENTS])
    flow.send(t.CASE_COMMANDS, again.case, again)
    assert flow.state["case"].get(again.case) == before
    new = [written.value for written in flow.log[t.CASE_EVENTS][facts:]]
    assert all(isinstance(fact, e.CommandRejected) for fact in new)


@given(histories)
def test_other_cases_do_not_matter(history: list[Move]) -> None:
    together = told(run(commands(history)))
    for case in {each.case for each in commands(history)}:
        alone = told(run([each for each in commands(history) if each.case == case]))
        assert alone.get(case, []) == together.get(case, [])


@given(histories)
def test_facts_are_numbered_without_gaps_and_levels_only_rise(history: list[Move]) -> None:
    flow = run(commands(history), until=START + 400 * DAY_MS)
    seq: Counter[str] = Counter()
    level: dict[str, int] = {}
    for fact in (written.value for written in flow.log[t.CASE_EVENTS]):
        if isinstance(fact, e.CommandRejected):
            continue
        seq[fact.case] = 1 if isinstance(fact, e.CaseRegistered) else seq[fact.case] + 1
        assert fact.seq == seq[fact.case]
        if isinstance(fact, e.EscalationWithdrawn):
            assert fact.to_level == fact.level < level[fact.case]
        elif not isinstance(fact, e.CaseRegistered):
            assert fact.level >= level[fact.case]
        level[fact.case] = fact.level


@given(histories)
def test_every_due_instant_fires_once_and_none_for_a_case_disposed_before_it(history: list[Move]) -> None:
    flow = run(commands(history), until=START + 400 * DAY_MS)
    due: dict[str, int | None] = {}
    for fact in (written.value for written in flow.log[t.CASE_EVENTS]):
        match fact:
            case e.CaseRouted(due_at=due_at) | e.CaseEscalated(due_at=due_at):
                due[fact.case] = due_at
            case e.BecameDefaulter(due_at=due_at):
                assert due.pop(fact.case) == due_at == fact.at
            case e.EscalationWithdrawn(due_at=due_at):
                due[fact.case] = due_at
            case e.CaseDisposed():
                pending = due.pop(fact.case, None)
                assert pending is None or fact.at < pending
            case _:
                pass
    horizon = START + 400 * DAY_MS
    assert not [
        case for case, due_at in due.items() if due_at is not None and due_at <= horizon and case in flow.state["case"]
    ]


@given(histories)
def test_what_came_minus_what_left_is_what_is_open(history: list[Move]) -> None:
    flow = run(commands(history))
    open_by_unit: Counter[tuple[int, str, int]] = Counter()
    for fact in (written.value for written in flow.log[t.SLA_FACTS]):
        unit = (fact.district, fact.department, fact.level)
        open_by_unit[unit] += (
            fact.counts.get("received", 0) + fact.counts.get("returned", 0) - fact.counts.get("left", 0)
        )
    cases = [case for case in flow.state["case"].values() if case.status == "open"]
    expected = Counter((case.district, case.department, case.level) for case in cases)
    assert +open_by_unit == expected
    assert not -open_by_unit


@given(histories)
def test_one_sms_per_fact_and_audience_and_it_fits_one_part(history: list[Move]) -> None:
    # after `forget_after_days` a closed case is forgotten, and its number may come to life again
    assume(commands(history)[-1].at - START < 80 * DAY_MS)
    flow = run(commands(history), until=START + 60 * DAY_MS)
    sms = [written.value for written in flow.log[t.SMS_REQUESTED]]
    assert len({each.id for each in sms}) == len(sms)
    assert all(each.segments == 1 for each in sms)


@given(histories)
def test_an_open_case_has_an_owner_and_a_clock(history: list[Move]) -> None:
    flow = run(commands(history))
    for case in flow.state["case"].values():
        assert isinstance(case, Case)
        if case.status == "open":
            assert case.office
            assert case.due_at is not None or case.level == 4
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case
        assert case.status == "open" or wake_at(case) is not None
