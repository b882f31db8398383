"""Laws of the case machine that hold in every system, whatever its rules are."""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given

from agents.audit.cases import Follower
from agents.audit.windows import of_event
from schemas import events as e
from schemas import topics as t
from schemas.codec import encode
from streams.case.stage import CASE
from streams.case.state import Case
from streams.driver import Driver
from streams.profiles.profile import DAY_MS
from tests.laws.system_histories import START, History, commands, histories
from tests.laws.test_case_laws import run, told

HORIZON = START + 200 * DAY_MS


def facts(flow: Driver) -> list[Any]:
    """The cases' facts in the order in which they were told, rejections left out."""
    return [each.value for each in flow.log[t.CASE_EVENTS] if not isinstance(each.value, e.CommandRejected)]


@given(histories)
def test_replaying_the_log_gives_the_same_bytes(history: History) -> None:
    first = run(commands(history), until=HORIZON, advance=True)
    again = Driver([CASE], now=START)
    for written in first.log[t.CASE_COMMANDS]:
        again.send(t.CASE_COMMANDS, written.key, written.value)
    outputs = {topic: [encode(each.value) for each in log] for topic, log in first.log.items()}
    assert {topic: [encode(each.value) for each in log] for topic, log in again.log.items()} == outputs
    assert again.state == first.state


@given(histories)
def test_it_does_not_matter_when_the_clock_wakes_a_case(history: History) -> None:
    wanted = commands(history)
    end = wanted[-1].at + 60 * DAY_MS
    assert told(run(wanted, until=end)) == told(run(wanted, until=end, advance=True))


@given(histories)
def test_the_audit_finds_nothing_wrong(history: History) -> None:
    """The clocks, worked out once more by the audit's own rules."""
    flow = run(commands(history), until=HORIZON)
    followed: dict[str, Follower] = {}
    for written in flow.log[t.CASE_EVENTS]:
        fact: Any = written.value
        if isinstance(fact, e.CaseRegistered):
            followed[fact.case] = Follower(history.profile)
        assert fact.case not in followed or followed[fact.case].see(fact) is None
    for case, state in flow.state["case"].items():
        assert state.status in ("expected", "recorded") or followed[case].overdue(HORIZON) is None


@given(histories)
def test_what_came_minus_what_left_is_what_is_open(history: History) -> None:
    flow = run(commands(history))
    open_by_unit: Counter[tuple[int, str, int]] = Counter()
    for fact in (written.value for written in flow.log[t.SLA_FACTS]):
        unit = (fact.district, fact.department, fact.level)
        open_by_unit[unit] += (
            fact.counts.get("received", 0) + fact.counts.get("returned", 0) - fact.counts.get("left", 0)
        )
    cases = [case for case in flow.state["case"].values() if case.status == "open"]
    assert +open_by_unit == Counter((case.district, case.department, case.level) for case in cases)
    assert not -open_by_unit


@given(histories)
def test_units_are_told_what_the_audit_counts(history: History) -> None:
    """The measures, defined once more by the audit, unit by unit and instant by instant."""
    flow = run(commands(history), until=HORIZON)
    told: Counter[tuple[Any, int, str]] = Counter()
    for fact in facts(flow):
        for unit, at, amounts in of_event(fact):
            told.update({(unit, at, measure): amount for measure, amount in amounts.items()})
    for written in flow.log[t.SLA_FACTS]:
        fact = written.value
        unit = (fact.system, fact.district, fact.department, fact.level)
        told.subtract({(unit, fact.at, measure): count for measure, count in fact.counts.items()})
    assert not {key: count for key, count in told.items() if count and not key[2].startswith("disposal")}


@given(histories)
def test_what_is_counted_apart_is_never_counted_as_settled(history: History) -> None:
    flow = run(commands(history), until=HORIZON)
    counts: Counter[str] = Counter()
    for written in flow.log[t.SLA_FACTS]:
        counts.update(written.value.counts)
    found = Counter(type(fact) for fact in facts(flow))
    timed = [fact for fact in facts(flow) if isinstance(fact, e.CaseDisposed) and fact.timed]
    assert counts["disposed"] == len(timed)
    assert counts["partial"] == sum(fact.kind == "partial" for fact in timed) <= counts["disposed"]
    assert counts["relief"] + counts["no_relief"] <= counts["disposed"]
    assert counts["special"] == found[e.SpecialClosed]
    assert counts["forced"] == sum(isinstance(fact, e.ForceClosed) and fact.timed for fact in facts(flow))
    assert counts["revived"] == found[e.CaseRevived] <= counts["returned"]
    assert counts["satisfied"] == found[e.CitizenSatisfied] <= counts["verified"]
    assert counts["grade_a"] + counts["grade_b"] + counts["grade_c"] == found[e.DisposalGraded]
    assert 0 <= counts["breach_by_lapse"] <= counts["escalated_timeout"]


@given(histories)
def test_a_system_does_only_what_its_rules_know(history: History) -> None:
    profile, closing = history.profile, history.profile.closing
    for fact in facts(run(commands(history), until=HORIZON)):
        match fact:
            case e.CaseEscalated(cause="time-out", from_level=level):
                assert profile.goes_up(level)
            case e.SpecialClosed(reason=reason):
                assert closing.special is not None
                assert reason in closing.special.reasons
            case e.ForceClosed(told_at=told_at, by=by):
                assert closing.forced != "forbidden"
                assert told_at is not None or not closing.forced.told_first
                assert by.officer is not None or not closing.forced.signed
            case e.CaseMarked(from_level=high, to_level=low):
                assert profile.marking
                assert low < high
            case e.CaseSentUp(from_level=level, condition=condition):
                assert condition in profile.levels[level - 1].sent_up_for
            case e.CaseSentBack(from_level=level):
                assert profile.levels[level - 1].sends_back
            case e.CaseDisposed(timed=True, level=level, approved_by=approved_by, kind=kind, relief=relief):
                assert (approved_by is not None) == (closing.approved_at is not None and level < closing.approved_at)
                assert kind == "full" or closing.partial
                assert (relief is not None) == closing.relief
            case e.DisposalGraded():
                assert closing.graded
            case _:
                pass


@given(histories)
def test_one_sms_per_fact_and_audience_and_it_fits_one_part(history: History) -> None:
    flow = run(commands(history), until=START + 60 * DAY_MS)
    sms = [written.value for written in flow.log[t.SMS_REQUESTED]]
    assert len({each.id for each in sms}) == len(sms)
    assert all(each.segments == 1 and each.entity and each.header for each in sms)
    assert {each.system for each in sms} <= {history.system}


@given(histories)
def test_an_open_case_has_an_owner_and_its_state_survives_the_changelog(history: History) -> None:
    flow = run(commands(history))
    for case in flow.state["case"].values():
        assert isinstance(case, Case)
        assert case.status != "open" or case.office
        assert case.status == "open" or case.proposal is None
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case
