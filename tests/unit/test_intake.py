"""What intake decides, told as a citizen or a channel sees it."""

import pytest
from msgspec.structs import replace

from schemas.base import Place, Wake
from schemas.commands import LinkDuplicate, Register
from schemas.intake import IntakeRejected, IntakeRepeated, Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_REJECTED, INTAKE_SUBMITTED
from streams.driver import Driver
from streams.ids import case_id
from streams.intake.stage import INTAKE, stage
from streams.intake.state import RECENT_LIMIT
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS, IntakeRule

START = 1_770_000_000_000
CITIZEN = "ct_" + "a" * 32
UP = profiles()["up-1076"]


def submission(key: str = "key-0001", *, at: int = START, **changes) -> Submitted:
    return Submitted(
        **{
            "id": f"sub-{key}", "case": case_id("10", "call", key), "system": "up-1076", "at": at, "received_at": at,
            "case_type": "complaint", "channel": "call", "category": "hand-pump", "place": Place(159, {"block": "b1"}),
            "citizen": CITIZEN, "text": "हैण्डपम्प दो सप्ताह से खराब है", "contact": "sealed",
        } | changes
    )  # fmt: skip


class Intake:
    """The stage in memory, with what it wrote."""

    def __init__(self, **intake_rule) -> None:
        rule = IntakeRule(**{"dedupe_days": 15, "lateness_days": 7} | intake_rule)
        self.book = {"up-1076": replace(UP, intake=rule)}
        self.outcomes = []
        self.driver = Driver([stage(lambda: self.book)], now=START, on_write=self._see)

    def send(self, *submissions: Submitted) -> list:
        """Send and answer what came of them, in order."""
        before = len(self.outcomes)
        for each in submissions:
            self.driver.advance(max(self.driver.now, each.received_at))
            self.driver.send(INTAKE_SUBMITTED, each.citizen, each)
        return self.outcomes[before:]

    def _see(self, topic: str, written) -> None:
        if topic in {CASE_COMMANDS, INTAKE_REJECTED}:
            self.outcomes.append(written.value)


def test_a_new_submission_becomes_a_case():
    one = submission()
    [command] = Intake().send(one)
    assert command == Register(
        id=command.id, case=one.case, at=START, system="up-1076", case_type="complaint", channel="call",
        category="hand-pump", place=one.place, citizen=CITIZEN, text=one.text, language="hi", contact="sealed",
    )  # fmt: skip


def test_the_command_goes_to_the_case_and_the_answer_to_the_topic_of_rejections():
    intake = Intake()
    intake.send(submission(), submission(), submission("key-0002", category="nothing"))
    [command] = intake.driver.log[CASE_COMMANDS]
    assert command.key == command.value.case
    repeated, rejected = intake.driver.log[INTAKE_REJECTED]
    assert repeated.key == command.value.case
    assert rejected.key == case_id("10", "call", "key-0002")


def test_the_same_submission_again_is_repeated_and_opens_nothing():
    intake = Intake()
    intake.send(submission())
    [again] = intake.send(submission(at=START + 60_000, contact="sealed anew"))
    assert isinstance(again, IntakeRepeated)
    assert again.case == submission().case
    assert again.cause == f"{INTAKE_SUBMITTED}/0/1"


def test_the_same_id_with_other_content_is_a_conflict():
    intake = Intake()
    intake.send(submission())
    [refused] = intake.send(submission(text="कुछ और"))
    assert isinstance(refused, IntakeRejected)
    assert refused.reason == "conflict"
    assert "कुछ" not in refused.detail


def test_the_same_matter_again_is_linked_to_the_original_case():
    intake = Intake()
    intake.send(submission())
    again = submission("key-0002", at=START + 3 * DAY_MS, text="हैंडपंप  दो सप्ताह से खराब है!", channel="portal")
    third = submission("key-0003", at=START + 4 * DAY_MS)
    linked, linked_too = intake.send(again, third)
    assert linked == LinkDuplicate(
        id=linked.id, case=submission().case, at=again.at, duplicate=again.case, channel="portal"
    )
    assert linked_too.case == submission().case


def test_a_repeat_of_a_linked_duplicate_is_a_repeat():
    intake = Intake()
    intake.send(submission(), submission("key-0002"))
    [again] = intake.send(submission("key-0002", at=START + 1000))
    assert isinstance(again, IntakeRepeated)


@pytest.mark.parametrize(
    "other",
    [
        {"category": "tap-water"},
        {"place": Place(160, {"block": "b1"})},
        {"place": Place(159, {"block": "b2"})},
        {"text": "हैण्डपम्प ठीक हो गया"},
        {"citizen": "ct_" + "b" * 32},
    ],
)
def test_another_matter_is_a_case_of_its_own(other):
    _, command = Intake().send(submission(), submission("key-0002", **other))
    assert isinstance(command, Register)


def test_the_window_ends_to_the_millisecond():
    for apart, kind in ((15 * DAY_MS, LinkDuplicate), (15 * DAY_MS + 1, Register)):
        intake = Intake()
        intake.send(submission())
        late = submission("key-0002", at=START + apart, received_at=START + 15 * DAY_MS - 1)
        [outcome] = intake.send(late)
        assert isinstance(outcome, kind)


def test_without_a_window_nothing_is_linked_but_repeats_are_known():
    intake = Intake(dedupe_days=0)
    _, other, again = intake.send(submission(), submission("key-0002"), submission("key-0002", at=START + 5))
    assert isinstance(other, Register)
    assert isinstance(again, IntakeRepeated)


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"system": "up-1067"}, "unknown-system", "up-1076"),
        ({"category": "handpump"}, "unknown-category", "hand-pump"),
        ({"place": Place(9999)}, "unknown-district", "place.district"),
        ({"place": Place(159, {"ward": "3"})}, "unknown-unit", "tehsil"),
        ({"against_level": 9}, "unknown-level", "1 to 4"),
        ({"text": " \u00a0 "}, "blank-text", "text"),
        ({"at": 253_402_300_799_999}, "unknown-instant", "calendar"),
    ],
)
def test_what_the_profile_has_not_is_rejected_with_the_nearest_it_has(change, reason, says):
    [refused] = Intake().send(submission(**change))
    assert isinstance(refused, IntakeRejected)
    assert refused.reason == reason
    assert says in refused.detail
    assert refused.cause == f"{INTAKE_SUBMITTED}/0/0"


def test_a_type_the_system_does_not_take_is_rejected():
    intake = Intake()
    intake.book = {"up-1076": replace(UP, case_types=frozenset({"complaint"}))}
    [refused] = intake.send(submission(case_type="demand"))
    assert (refused.reason, refused.detail) == ("unknown-type", "type: up-1076 takes no demand; it takes complaint")


def test_all_that_is_wrong_is_told_at_once():
    [refused] = Intake().send(submission(category="nothing", place=Place(9999, {"ward": "3"}), against_level=7))
    for field in ("category", "place.district", "place.ward", "against_level"):
        assert f"{field}: " in refused.detail


def test_a_rejected_submission_may_come_again_mended():
    intake = Intake()
    _, mended = intake.send(submission(category="nothing"), submission())
    assert isinstance(mended, Register)


def test_text_is_normalised_and_numbers_are_masked():
    [command] = Intake().send(submission(text="पढ़ाई, फोन 9876543210"))
    assert command.text == "पढ\u093cाई, फोन XXXXXXXX10"


def test_the_monthly_cap_counts_cases_of_the_month_of_the_place():
    intake = Intake(monthly_cap=2)
    month_end = 1_772_303_400_000  # 2026-03-01T00:00 in India
    at = month_end - 4000
    texts = [f"विषय {number}" for number in range(5)]
    outcomes = intake.send(*(submission(f"key-000{n}", at=at + n, text=texts[n]) for n in range(3)))
    assert [type(each) for each in outcomes] == [Register, Register, IntakeRejected]
    assert outcomes[2].reason == "monthly-cap"
    [next_month] = intake.send(submission("key-0003", at=month_end, text=texts[3]))
    assert isinstance(next_month, Register)
    [late] = intake.send(submission("key-0004", at=month_end - 1, received_at=month_end + 5000, text=texts[4]))
    assert late.reason == "monthly-cap"


def test_linked_duplicates_do_not_count_against_the_cap():
    outcomes = Intake(monthly_cap=1).send(submission(), submission("key-0002"), submission("key-0003"))
    assert [type(each) for each in outcomes] == [Register, LinkDuplicate, LinkDuplicate]


def test_a_quiet_citizen_is_forgotten_when_nothing_can_be_a_repeat_any_more():
    intake = Intake()
    intake.send(submission(), submission("key-0002", at=START + DAY_MS, text="और"))
    intake.driver.advance(START + 16 * DAY_MS - 1)
    assert CITIZEN in intake.driver.state["intake"]
    intake.driver.advance(START + 16 * DAY_MS)
    assert intake.driver.state["intake"] == {}


def test_a_stale_or_repeated_wake_changes_nothing():
    intake = Intake()
    intake.send(submission())
    before = dict(intake.driver.state["intake"])
    intake.driver.send(INTAKE_SUBMITTED, CITIZEN, Wake(CITIZEN, START + 1, START + 99 * DAY_MS))
    intake.driver.send(INTAKE_SUBMITTED, "ct_" + "0" * 32, Wake("ct_" + "0" * 32, START + 1, START + 2))
    assert intake.driver.state["intake"] == before


def test_one_citizen_cannot_fill_the_memory():
    intake = Intake()
    intake.send(*(submission(f"key-{n:05d}", at=START + n, text=f"विषय {n}") for n in range(RECENT_LIMIT + 50)))
    assert len(intake.driver.state["intake"][CITIZEN].recent) == RECENT_LIMIT


def test_outcomes_carry_the_event_time():
    intake = Intake()
    intake.send(submission(at=START - 5000, received_at=START))
    assert intake.driver.log[CASE_COMMANDS][0].value.at == START - 5000


def test_the_shipped_stage_serves_the_shipped_profiles():
    driver = Driver([INTAKE], now=START)
    driver.send(INTAKE_SUBMITTED, CITIZEN, submission())
    assert len(driver.log[CASE_COMMANDS]) == 1
