"""One message's life, seen from the topics around it."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from schemas.base import Record, Wake
from schemas.sms import (
    Audience,
    Refusal,
    SmsClaim,
    SmsDeferred,
    SmsDelivery,
    SmsHandover,
    SmsOutcome,
    SmsReceipt,
    SmsRequested,
    SmsTurn,
)
from schemas.topics import SMS_DELIVERY, SMS_OUTBOX, SMS_REQUESTED, SMS_TURNS
from streams.driver import Driver
from streams.profiles.load import profile, profiles
from streams.profiles.profile import Profile
from streams.sms import stage, turns
from streams.sms.policy import backoff_ms
from streams.sms.stage import SMS
from streams.sms.turns import DAYS_AHEAD, KEPT_MS, TURNS

UP = profile("up-1076")
RULE = UP.sms
NOON = int(datetime.fromisoformat("2026-02-10T12:00:00+05:30").astimezone(UTC).timestamp() * 1000)
ID = "100000000000000017-3-officer"


def request(at: int = NOON, audience: Audience = "officer", system: str = "up-1076") -> SmsRequested:
    text = "नई शिकायत 100000000000000017, L1, अंतिम तिथि 17/02/2026। -CMHELP"
    return SmsRequested(
        ID, "100000000000000017", system, at, audience, "registered", "hi", "placeholder-03", text, 1, "office"
    )


def outcome(said: Refusal, attempt: int = 1, at: int = NOON + 200, code: str = "") -> SmsOutcome:
    return SmsOutcome(ID, attempt, at, said, code)


def story(*records: Record, now: int = NOON) -> Driver:
    driver = Driver([SMS], now=now)
    for record in records:
        driver.send(SMS_REQUESTED, ID, record)
    return driver


def told(driver: Driver) -> list[str]:
    return [each.value.state for each in driver.log[SMS_DELIVERY] if isinstance(each.value, SmsDelivery)]


def attempts(driver: Driver) -> list[int]:
    return [each.value.attempt for each in driver.log[SMS_OUTBOX] if isinstance(each.value, SmsHandover)]


def test_a_request_is_handed_over_at_once_with_its_text():
    driver = story(request())
    (written,) = driver.log[SMS_OUTBOX]
    assert (written.key, written.value) == (ID, SmsHandover(request(), 1, NOON))
    assert told(driver) == ["handed-over"]


def test_a_repeated_request_sends_nothing_and_is_told():
    driver = story(request(), request(), outcome("accepted"), request())
    assert attempts(driver) == [1]
    assert told(driver) == ["handed-over", "repeated", "accepted", "repeated"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([outcome("accepted")], ["accepted"]),
        ([outcome("accepted"), outcome("accepted")], ["accepted"]),
        ([outcome("refused", code="http-400")], ["failed"]),
        ([outcome("refused"), outcome("refused")], ["failed"]),
        ([outcome("accepted"), SmsReceipt(ID, NOON, delivered=True)], ["accepted", "delivered"]),
        ([outcome("accepted"), SmsReceipt(ID, NOON, delivered=False, code="absent")], ["accepted", "failed"]),
        ([SmsReceipt(ID, NOON, delivered=True), outcome("accepted")], ["accepted", "delivered"]),
        ([SmsReceipt(ID, NOON, delivered=True), outcome("unknown")], ["accepted", "delivered"]),
        ([SmsReceipt(ID, NOON, delivered=True), SmsReceipt(ID, NOON, delivered=False)], ["accepted", "delivered"]),
        (
            [SmsReceipt(ID, NOON, delivered=False), SmsReceipt(ID, NOON, delivered=True)],
            ["accepted", "failed", "delivered"],
        ),
        ([outcome("refused"), outcome("accepted")], ["failed", "accepted"]),
    ],
)
def test_what_an_answer_makes_of_it(answers: list[Record], said: list[str]):
    driver = story(request(), *answers)
    assert told(driver) == ["handed-over", *said]
    driver.advance(NOON + RULE.forget_after_ms - 1)
    assert attempts(driver) == [1], "whatever was said, it is not sent again"


def test_an_absent_gateway_is_tried_again_with_growing_waits_and_given_up():
    driver = story(request())
    waits = []
    for attempt in range(1, RULE.max_attempts + 1):
        assert attempts(driver) == list(range(1, attempt + 1))
        driver.send(SMS_REQUESTED, ID, outcome("unavailable", attempt, driver.now, "http-503"))
        before = driver.now
        driver.advance(before + backoff_ms(RULE, ID, attempt))
        waits.append(driver.now - before)
    assert attempts(driver) == list(range(1, RULE.max_attempts + 1))
    assert told(driver)[-1] == "failed"
    assert waits[:4] == sorted(waits[:4])
    assert all(RULE.backoff_ms // 2 <= wait <= RULE.backoff_max_ms for wait in waits)


def test_after_a_time_out_it_is_handed_over_again_under_the_same_id():
    driver = story(request(), outcome("unknown"))
    driver.advance(NOON + RULE.backoff_ms + 1000)
    assert [each.key for each in driver.log[SMS_OUTBOX]] == [ID, ID]
    driver.send(SMS_REQUESTED, ID, outcome("accepted", 1, driver.now))
    assert told(driver) == ["handed-over", "handed-over", "accepted"]


def test_attempts_used_up_after_a_time_out_leave_it_unknown_not_failed():
    driver = story(request(), outcome("unknown"))
    for attempt in range(2, RULE.max_attempts + 1):
        driver.advance(NOON + attempt * RULE.backoff_max_ms)
        driver.send(SMS_REQUESTED, ID, outcome("unavailable", attempt, driver.now))
    assert told(driver)[-1] == "unknown"


def test_no_outcome_in_time_is_a_reason_to_hand_over_again():
    driver = story(request())
    driver.advance(NOON + RULE.no_outcome_ms - 1)
    assert attempts(driver) == [1]
    driver.advance(NOON + RULE.no_outcome_ms)
    assert attempts(driver) == [1, 2]


def test_a_request_that_tells_of_long_ago_gives_the_sender_its_full_time():
    driver = story(request(at=NOON - 86_400_000))
    driver.advance(NOON)
    assert attempts(driver) == [1]
    driver.advance(NOON + RULE.no_outcome_ms)
    assert attempts(driver) == [1, 2]


def test_a_stale_outcome_does_not_disturb_the_handover_under_way():
    driver = story(request())
    driver.advance(NOON + RULE.no_outcome_ms)
    driver.send(SMS_REQUESTED, ID, outcome("unavailable", 1, driver.now))
    assert driver.state["sms"][ID].phase == "handed-over"
    driver.send(SMS_REQUESTED, ID, outcome("accepted", 2, driver.now))
    assert told(driver)[-1] == "accepted"


def with_rule(monkeypatch: pytest.MonkeyPatch, **changes: object) -> Profile:
    changed = replace(UP, sms=replace(RULE, **changes))
    for module in (stage, turns):
        monkeypatch.setattr(module, "profiles", lambda: {"up-1076": changed})
    return changed


def test_where_a_gateway_honours_no_key_a_time_out_stays_unknown(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, resend_unknown=False)
    driver = story(request(), outcome("unknown"))
    driver.advance(NOON + RULE.forget_after_ms - 1)
    assert (attempts(driver), told(driver)) == ([1], ["handed-over", "unknown"])


def test_where_a_gateway_honours_no_key_a_missing_outcome_stays_unknown_too(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, resend_unknown=False)
    driver = story(request())
    driver.advance(NOON + RULE.forget_after_ms - 1)
    assert (attempts(driver), told(driver)) == ([1], ["handed-over", "unknown"])


@pytest.mark.parametrize(
    ("audience", "first"), [("citizen", "2026-02-11T08:00:00+05:30"), ("officer", "2026-02-10T23:00:00+05:30")]
)
def test_citizens_are_not_texted_in_quiet_hours(monkeypatch: pytest.MonkeyPatch, audience: Audience, first: str):
    with_rule(monkeypatch, quiet_hours=(21, 8))
    night = NOON + 11 * 3_600_000
    driver = story(request(at=night, audience=audience), now=night)
    driver.advance(night + 9 * 3_600_000)
    handed = next(each.value for each in driver.log[SMS_OUTBOX])
    assert isinstance(handed, SmsHandover)
    assert handed.at == int(datetime.fromisoformat(first).astimezone(UTC).timestamp() * 1000)


def test_that_it_waits_for_the_morning_is_told(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, quiet_hours=(21, 8))
    night = at("2026-02-10T23:00")
    driver = story(request(at=night, audience="citizen"), now=night)
    assert put_off(driver) == [(night, at("2026-02-11T08:00"), "quiet-hours")]
    assert told(driver) == []


def test_a_retry_that_falls_into_the_quiet_hours_waits_and_tells_so(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, quiet_hours=(21, 8))
    late = at("2026-02-10T20:59:55")
    driver = story(request(at=late, audience="citizen"), outcome("unavailable", at=late + 1000), now=late)
    driver.advance(late + RULE.backoff_ms)
    assert [until for _, until, _ in put_off(driver)] == [at("2026-02-11T08:00")]
    driver.advance(at("2026-02-11T08:00"))
    assert attempts(driver) == [1, 2]


def at(local: str) -> int:
    return int(datetime.fromisoformat(f"{local}+05:30").timestamp() * 1000)


def put_off(driver: Driver) -> list[tuple[int, int, str]]:
    facts = [each.value for each in driver.log[SMS_DELIVERY]]
    return [(fact.at, fact.until, fact.reason) for fact in facts if isinstance(fact, SmsDeferred)]


CITIZEN = "ct_" + "0" * 32


def to_citizen(number: int, sent_at: int = NOON, citizen: str | None = CITIZEN) -> SmsRequested:
    return replace(request(at=sent_at, audience="citizen"), id=f"100000000000000017-{number}-citizen", citizen=citizen)


def capped(*requests: SmsRequested, now: int = NOON) -> Driver:
    driver = Driver([SMS, TURNS], now=now)
    for each in requests:
        driver.send(SMS_REQUESTED, each.id, each)
    return driver


def handed(driver: Driver) -> dict[str, int]:
    return {each.key: each.value.at for each in driver.log[SMS_OUTBOX] if isinstance(each.value, SmsHandover)}


def test_more_than_the_day_s_cap_waits_for_the_next_day_with_room(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=2)
    requests = [to_citizen(number) for number in range(1, 6)]
    driver = capped(*requests)
    assert list(handed(driver)) == [each.id for each in requests[:2]]
    tomorrow, after = at("2026-02-11T00:00"), at("2026-02-12T00:00")
    assert put_off(driver) == [(NOON, tomorrow, "day-cap"), (NOON, tomorrow, "day-cap"), (NOON, after, "day-cap")]
    driver.advance(after)
    first = {each.key: each.value.at for each in reversed(driver.log[SMS_OUTBOX]) if each.value.attempt == 1}
    assert [first[each.id] for each in requests] == [NOON, NOON, tomorrow, tomorrow, after]


def test_what_has_no_turn_on_any_of_the_days_fails_and_says_why(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1)
    requests = [to_citizen(number) for number in range(1, DAYS_AHEAD + 3)]
    driver = capped(*requests)
    (fact,) = [each.value for each in driver.log[SMS_DELIVERY] if getattr(each.value, "state", "") == "failed"]
    assert (fact.id, fact.code, fact.attempt) == (requests[-1].id, "day-cap", 0)
    driver.advance(NOON + RULE.forget_after_ms - 1)
    assert requests[-1].id not in handed(driver)


def test_the_day_begins_in_india_and_each_number_has_its_own_count(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1)
    before, after = at("2026-02-10T23:59:59"), at("2026-02-11T00:00")
    driver = capped(to_citizen(1, before), to_citizen(2, after), to_citizen(3, after, "ct_" + "1" * 32), now=after)
    assert len(handed(driver)) == 3
    assert put_off(driver) == []


def test_officers_and_messages_without_a_citizen_have_no_cap(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1)
    driver = capped(request(), to_citizen(1, citizen=None), to_citizen(2, citizen=None))
    assert len(handed(driver)) == 3
    assert driver.log[SMS_TURNS] == []


def test_a_cap_counts_the_day_on_which_the_quiet_hours_let_it_through(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1, quiet_hours=(21, 8))
    evening, morning = at("2026-02-10T22:00"), at("2026-02-11T08:00")
    driver = capped(to_citizen(1, evening), to_citizen(2, evening), now=evening)
    assert put_off(driver) == [
        (evening, morning, "quiet-hours"),
        (evening, at("2026-02-12T08:00"), "day-cap"),
    ]


def test_the_same_claim_again_has_the_same_answer_and_counts_once(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=2)
    driver = Driver([TURNS], now=NOON)
    for each in ("sms-1", "sms-1", "sms-2", "sms-1"):
        driver.send(SMS_TURNS, CITIZEN, SmsClaim(each, CITIZEN, "up-1076", NOON))
    turns_told = [each.value for each in driver.log[SMS_REQUESTED] if isinstance(each.value, SmsTurn)]
    assert [(turn.id, turn.from_at) for turn in turns_told] == [
        ("sms-1", NOON), ("sms-1", NOON), ("sms-2", NOON), ("sms-1", NOON),
    ]  # fmt: skip


def test_a_day_is_forgotten_when_nothing_of_it_can_be_told_any_more(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1)
    driver = capped(to_citizen(1))
    assert set(driver.state["turns"]) == {CITIZEN}
    driver.advance(at("2026-02-11T00:00") + KEPT_MS - 1)
    assert set(driver.state["turns"]) == {CITIZEN}
    driver.advance(at("2026-02-11T00:00") + KEPT_MS)
    assert driver.state["turns"] == {}


def test_without_a_turn_in_time_it_is_handed_over_all_the_same(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, day_cap=1)
    driver = Driver([SMS], now=NOON)
    asked = to_citizen(1)
    driver.send(SMS_REQUESTED, asked.id, asked)
    assert handed(driver) == {}
    driver.advance(NOON + RULE.no_outcome_ms)
    assert list(handed(driver)) == [asked.id]
    driver.send(SMS_REQUESTED, asked.id, SmsTurn(asked.id, NOON, None))
    assert told(driver) == ["handed-over"], "a turn that comes too late changes nothing"


def test_a_claim_of_an_unknown_system_is_a_dead_letter():
    driver = Driver([TURNS], now=NOON)
    driver.send(SMS_TURNS, CITIZEN, SmsClaim("sms-1", CITIZEN, "nowhere", NOON))
    assert [letter.refused.error for letter in driver.dead[SMS_TURNS]] == ["unknown-system"]


@pytest.mark.parametrize("system", sorted(profiles()))
def test_no_system_has_quiet_hours_or_a_cap_before_its_operator_says_so(system: str):
    rule = profile(system).sms
    assert (rule.quiet_hours, rule.day_cap, rule.resend_without_key) == (None, None, False)


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ([outcome("accepted")], "unknown-sms"),
        ([SmsReceipt(ID, NOON, delivered=True)], "unknown-sms"),
        ([request(), outcome("accepted", attempt=2)], "not-handed-over"),
        ([request(system="nowhere")], "unknown-system"),
    ],
)
def test_what_fits_no_message_is_a_dead_letter(records: list[Record], error: str):
    driver = story(*records)
    assert [letter.refused.error for letter in driver.dead[SMS_REQUESTED]] == [error]


def test_a_receipt_for_a_message_that_waits_for_morning_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch):
    with_rule(monkeypatch, quiet_hours=(0, 23))
    driver = story(request(audience="citizen"), SmsReceipt(ID, NOON, delivered=True))
    assert [letter.refused.error for letter in driver.dead[SMS_REQUESTED]] == ["not-handed-over"]


def test_it_is_forgotten_and_its_text_long_before():
    driver = story(request(), outcome("accepted"))
    assert driver.state["sms"][ID].request is None
    driver.advance(NOON + RULE.forget_after_ms + 200)
    assert driver.state["sms"] == {}
    assert driver.next_due() is None


def test_a_stale_wake_changes_nothing():
    driver = story(request())
    before = driver.state["sms"][ID]
    driver.send(SMS_REQUESTED, ID, Wake(ID, NOON, NOON))
    assert driver.state["sms"][ID] == before
    driver.send(SMS_REQUESTED, "nobody", Wake("nobody", NOON, NOON))
    assert "nobody" not in driver.state["sms"]
