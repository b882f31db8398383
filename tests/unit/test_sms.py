"""One message's life, seen from the topics around it."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from schemas.base import Record, Wake
from schemas.sms import Audience, Refusal, SmsDelivery, SmsHandover, SmsOutcome, SmsReceipt, SmsRequested
from schemas.topics import SMS_DELIVERY, SMS_OUTBOX, SMS_REQUESTED
from streams.driver import Driver
from streams.profiles.load import profile
from streams.profiles.profile import Profile
from streams.sms import stage
from streams.sms.policy import backoff_ms
from streams.sms.stage import SMS

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
    monkeypatch.setattr(stage, "profiles", lambda: {"up-1076": changed})
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
