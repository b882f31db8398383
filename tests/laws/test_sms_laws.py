"""Laws of a message: one chain of handovers, one acceptance, an end, whatever arrives in whatever order."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.base import Record, Wake
from schemas.sms import SmsClaim, SmsDelivery, SmsHandover, SmsOutcome, SmsReceipt, SmsRequested, SmsTurn
from schemas.topics import SMS_REQUESTED, SMS_TURNS
from streams.calendar import day_key
from streams.profiles.load import profile
from streams.sms import turns
from streams.sms.stage import SMS, wake_at
from streams.sms.state import Sms
from streams.sms.turns import DAYS_AHEAD, TURNS, Turns
from streams.stage import Origin

START = 1_772_000_000_000
RULE = profile("up-1076").sms
ID = "100000000000000017-3-officer"
instants = st.integers(min_value=START - RULE.forget_after_ms, max_value=START + 2 * RULE.forget_after_ms)
requests = st.builds(
    SmsRequested,
    id=st.just(ID),
    case=st.just("100000000000000017"),
    system=st.just("up-1076"),
    at=instants,
    audience=st.just("officer"),
    step=st.just("registered"),
    language=st.just("hi"),
    template=st.just("placeholder-03"),
    text=st.just("नई शिकायत"),
    segments=st.just(1),
)
outcomes = st.builds(
    SmsOutcome,
    id=st.just(ID),
    attempt=st.integers(min_value=1, max_value=RULE.max_attempts),
    at=instants,
    outcome=st.sampled_from(["accepted", "refused", "unavailable", "unavailable", "unknown", "unknown"]),
)
receipts = st.builds(SmsReceipt, id=st.just(ID), at=instants, delivered=st.booleans())
wakes = instants.map(lambda at: Wake(ID, at, at))
# "due" is a wake at exactly the instant the message asked for
histories = st.lists(st.one_of(requests, outcomes, outcomes, receipts, wakes, st.just("due")), max_size=30)
Said = list[SmsDelivery | SmsHandover]


def run(history: list[Record | str]) -> tuple[Sms | None, Said]:
    state: Sms | None = None
    said: Said = []
    for offset, each in enumerate(history):
        due = START if state is None else wake_at(state)
        record = Wake(ID, due, due) if isinstance(each, str) else each
        state, outputs, _ = SMS.step(state, record, Origin(SMS_REQUESTED, 0, offset, START))
        said += [output.value for output in outputs]
    return state, said


def one_life(history: list[Record | str]) -> Said:
    """What is said until the message is forgotten for the first time."""
    for length in range(1, len(history) + 1):
        if run(history[:length])[0] is None and run(history[:length])[1]:
            return run(history[:length])[1]
    return run(history)[1]


def states(said: Said) -> list[str]:
    return [each.state for each in said if isinstance(each, SmsDelivery)]


@given(histories)
def test_handovers_are_one_chain_within_the_attempts_allowed(history: list[Record | str]):
    attempts = [each.attempt for each in one_life(history) if isinstance(each, SmsHandover)]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) <= RULE.max_attempts
    assert attempts == [
        each.attempt for each in one_life(history) if isinstance(each, SmsDelivery) and each.state == "handed-over"
    ]


@given(histories)
def test_it_is_accepted_once_delivered_once_and_never_delivered_without_being_accepted(history: list[Record | str]):
    told = states(one_life(history))
    assert told.count("accepted") <= 1
    assert told.count("delivered") <= 1
    assert "delivered" not in told or told.index("accepted") < told.index("delivered")


@given(histories)
def test_nothing_is_handed_over_once_it_was_accepted_or_given_up(history: list[Record | str]):
    told = states(one_life(history))
    for end in ("accepted", "failed", "unknown"):
        assert end not in told or "handed-over" not in told[told.index(end) :]


@given(histories)
def test_a_repeated_record_changes_nothing(history: list[Record | str]):
    firm = [each for each in history if not isinstance(each, str)]
    twice = [each for record in firm for each in (record, record)]
    # a wake at which it is forgotten, said twice, is a wake of nothing: fine; a request said twice is a new one then
    assert [each for each in states(run(twice)[1]) if each != "repeated"] == [
        each for each in states(run(firm)[1]) if each != "repeated"
    ]


@given(histories)
def test_it_always_comes_to_an_end_that_is_told(history: list[Record | str]):
    for _ in range(2 * RULE.max_attempts + 3):
        history = [*history, "due"]
    state, said = run(history)
    assert state is None
    assert not said or states(one_life(history))[-1] in {"accepted", "delivered", "failed", "unknown", "repeated"}


@given(histories)
def test_a_wake_that_is_due_moves_the_next_one_on(history: list[Record | str]):
    state, _ = run(history)
    if state is not None:
        after, _ = run([*history, "due"])
        assert after is None or wake_at(after) > wake_at(state)


CITIZEN = "ct_" + "0" * 32
CAP = 2
UP = profile("up-1076")
CAPPED = {"up-1076": replace(UP, sms=replace(RULE, day_cap=CAP))}
claims = st.builds(
    SmsClaim,
    id=st.integers(min_value=1, max_value=12).map(lambda number: f"sms-{number}"),
    citizen=st.just(CITIZEN),
    system=st.just("up-1076"),
    at=st.integers(min_value=START, max_value=START + 3 * 86_400_000),
)


@given(st.lists(claims, max_size=30))
def test_whatever_the_order_no_day_has_more_turns_than_its_cap_and_none_begins_early(asked: list[SmsClaim]):
    state: Turns | None = None
    given_: dict[str, int] = {}
    with patch.object(turns, "profiles", lambda: CAPPED):
        for offset, claim in enumerate(asked):
            state, outputs, refused = TURNS.step(state, claim, Origin(SMS_TURNS, 0, offset, START))
            (turn,) = [output.value for output in outputs]
            assert isinstance(turn, SmsTurn)
            assert refused is None
            if turn.from_at is not None:
                assert claim.at <= turn.from_at <= claim.at + (DAYS_AHEAD + 3) * 86_400_000
                given_.setdefault(turn.id, turn.from_at)
    days = [day_key(at, UP.zone) for at in given_.values()]
    assert all(days.count(day) <= CAP for day in days)
    ids = [each for day in (state.days if state is not None else ()) for each in day.ids]
    assert len(ids) == len(set(ids)) == len(given_)
