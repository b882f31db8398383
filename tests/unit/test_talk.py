"""The guided talk: what is asked, what is taken, and that every reply keeps within the limits of a message."""

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gateway.channels.whatsapp.replying import shaped
from schemas.base import MOST_ATTACHMENTS, Attachment
from streams.dialogue import menus
from streams.dialogue.names import category_names, district_names, find
from streams.dialogue.points import headquarters, nearest
from streams.dialogue.said import Ask, Choice, Lodge, Media, Other, Pin, Text
from streams.dialogue.standing import Standing
from streams.dialogue.talk import Heard, Lodged, Refused, Talk, Turn, answered, lodged, step
from streams.dialogue.words import texts
from streams.ids import case_id
from streams.profiles.load import profiles
from tests.gateway.cloud_api import check

UP = profiles()["up-1076"]
AT = 1_770_000_000_000
CASE = case_id("10", "whatsapp", "a case of the tests")
FILE = Attachment("whatsapp", "2754859441498128", "image/jpeg", "a" * 64)
TALKING = [profile for profile in profiles().values() if profile.channels is None]


def say(talk: Talk | None, *said, profile=UP) -> Turn:
    """The turn after the last of these."""
    turn = Turn(talk or Talk())
    for number, each in enumerate(said):
        heard = Heard(Text(each) if isinstance(each, str) else each, f"wamid.{number}", AT + number)
        turn = step(profile, talk, heard)
        talk = turn.talk
    return turn


def ids(turn: Turn) -> list[str]:
    return [option.id for reply in turn.replies for option in (*reply.buttons, *reply.rows)]


TO_DISTRICT = ("नमस्ते", Choice("l:hi"))
TO_CATEGORY = (*TO_DISTRICT, "खीरी")
TO_TEXT = (*TO_CATEGORY, Choice("c:hand-pump"))
TO_CONFIRM = (*TO_TEXT, "हैण्डपम्प दो सप्ताह से खराब है")


def test_a_talk_from_the_first_word_to_the_wish_to_lodge() -> None:
    assert ids(say(None, "नमस्ते")) == ["l:hi", "l:en"]
    assert "जिले का नाम" in say(None, *TO_DISTRICT).replies[0].body
    assert "लखीमपुर खीरी" in say(None, *TO_CATEGORY).replies[0].body
    assert "हैण्डपम्प खराब" in say(None, *TO_TEXT).replies[0].body
    confirm = say(None, *TO_CONFIRM)
    assert ids(confirm) == ["register", "edit", "cancel"]
    assert "हैण्डपम्प दो सप्ताह से खराब है" in confirm.replies[0].body
    wish = say(None, *TO_CONFIRM, Choice("register")).wish
    assert wish == Lodge("wamid.4", AT + 4, 159, "hand-pump", "हैण्डपम्प दो सप्ताह से खराब है", "hi")


@pytest.mark.parametrize(
    ("said", "district"),
    [("Kheri", 159), ("kheri ", 159), ("लखीमपुर खीरी", 159), ("लखीमपुर-खीरी", 159), ("रायबरेली", 175), ("RAE BARELI", 175),
     ("gautam buddha nagar", 144), ("Choice", None), ("कानपुर", None), ("Kanpur", None), ("x", None), ("?", None)],
)  # fmt: skip
def test_a_district_is_found_by_its_name_in_either_language(said: str, district: int | None) -> None:
    assert find(said, district_names(UP, AT), words=True).one == district


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("Kanpur", {"Kanpur Dehat", "Kanpur Nagar"}),
        ("कानपुर", {"Kanpur Dehat", "Kanpur Nagar"}),
        ("Lakhimpur Kheri", {"Kheri"}),
    ],
)
def test_what_holds_the_words_is_offered(said: str, near: set[str]) -> None:
    codes = [int(each.removeprefix("d:")) for each in ids(say(None, *TO_DISTRICT, said))]
    assert {UP.districts[code].name.en for code in codes} == near


def test_what_is_spelt_alike_is_offered() -> None:
    first = ids(say(None, *TO_DISTRICT, "Balia"))[0]
    assert UP.districts[int(first.removeprefix("d:"))].name.en == "Ballia"


@pytest.mark.parametrize(("said", "slug"), [("hand pump", "hand-pump"), ("राशन कम", "ration-quantity"), ("पानी", None),
                                            ("बिजली", None), ("bill", None), ("theft", "theft")])  # fmt: skip
def test_a_subject_is_found_by_the_beginning_that_only_it_has(said: str, slug: str | None) -> None:
    assert find(said, category_names(UP)).one == slug


def test_the_pages_show_every_subject_once_and_come_round() -> None:
    turn, seen, page = say(None, *TO_CATEGORY), [], 0
    for _ in range(20):
        *rows, turned = ids(turn)
        seen += rows
        page = int(turned.removeprefix("p:"))
        if page == 0:
            break
        turn = say(turn.talk, Choice(turned))
    assert page == 0
    assert seen == [f"c:{slug}" for slug in UP.categories]


def test_a_pin_offers_the_nearest_and_goes_with_the_text() -> None:
    turn = say(None, *TO_DISTRICT, Pin(27.9497, 80.7821))
    assert ids(turn)[0] == "d:159"
    done = say(turn.talk, Choice("d:159"), Choice("c:hand-pump"), "खराब है", Choice("register"))
    assert isinstance(done.wish, Lodge)
    assert done.wish.text == "खराब है\n📍 27.94970, 80.78210"
    far = say(None, *TO_DISTRICT, Pin(0.0, 0.0))
    assert (far.talk.step, ids(far), far.talk.pin) == ("district", [], "0.00000, 0.00000")


def test_every_headquarters_lies_nearest_to_itself_and_in_a_known_district() -> None:
    known = {code for profile in profiles().values() for code in profile.districts}
    assert headquarters().keys() <= known
    for code, point in headquarters().items():
        assert nearest({code}, point) == (code,)
    assert len(headquarters().keys() & UP.districts.keys()) >= 70


@pytest.mark.parametrize("word", ["रद्द", "cancel", "CANCEL", Choice("cancel")])
def test_cancelling_registers_nothing_and_begins_anew(word) -> None:
    turn = say(None, *TO_CONFIRM, word)
    assert (turn.talk.step, turn.wish, turn.talk.text) == ("done", None, "")
    assert say(turn.talk, "फिर").talk.step == "district", "the language is still known"


def test_a_case_is_asked_after_at_any_step_and_the_talk_stays_where_it_was() -> None:
    for path in ((), TO_DISTRICT, TO_CATEGORY, TO_TEXT, TO_CONFIRM):
        before = say(None, *path).talk if path else None
        for asked in (f"status {CASE}", f"स्थिति {CASE}", f"STATUS: {CASE[:6]} {CASE[6:]}", CASE):
            turn = say(before, asked)
            assert isinstance(turn.wish, Ask)
            assert turn.wish.case == CASE
            assert before is None or turn.talk == before
    wrong = say(None, *TO_DISTRICT, "status 12")
    assert (wrong.wish, "अंक" in wrong.replies[0].body) == (None, True)


def test_a_text_that_only_mentions_a_status_is_a_text() -> None:
    turn = say(None, *TO_TEXT, "status of my application is not told for 3 months")
    assert turn.talk.step == "confirm"


def test_writing_on_before_confirming_adds_to_the_text_and_gives_it_the_last_key() -> None:
    turn = say(None, *TO_CONFIRM, "गाँव: रामपुर", Choice("register"))
    assert isinstance(turn.wish, Lodge)
    assert turn.wish.text == "हैण्डपम्प दो सप्ताह से खराब है\nगाँव: रामपुर"
    assert turn.wish.key == "wamid.5"


def test_changing_the_text_asks_for_it_again() -> None:
    turn = say(None, *TO_CONFIRM, Choice("edit"), "अब ठीक से: हैण्डपम्प टूटा है", Choice("register"))
    assert isinstance(turn.wish, Lodge)
    assert turn.wish.text == "अब ठीक से: हैण्डपम्प टूटा है"


def test_a_file_is_kept_at_whatever_step_it_comes_and_the_question_is_asked_again() -> None:
    for path in (TO_DISTRICT, TO_CATEGORY, TO_TEXT, TO_CONFIRM):
        before = say(None, *path)
        turn = step(UP, before.talk, Heard(Media(FILE), "wamid.file", AT))
        assert (turn.talk.step, turn.talk.attachments) == (before.talk.step, (FILE,))
        assert "1" in turn.replies[0].body
        assert [reply.buttons for reply in turn.replies[1:]] == [reply.buttons for reply in before.replies]
        again = step(UP, turn.talk, Heard(Media(FILE), "wamid.again", AT))
        assert again.talk.attachments == (FILE,)
    first = say(None, Media(FILE))
    assert (first.talk.attachments, ids(first)) == ((FILE,), ["l:hi", "l:en"])


def test_files_go_with_the_complaint_and_their_captions_are_words() -> None:
    other = Attachment("whatsapp", "881", "audio/ogg")
    turn = say(None, Media(FILE), *TO_TEXT[1:], Media(other, "टूटा हैण्डपम्प"))
    assert (turn.talk.step, turn.talk.text) == ("confirm", "टूटा हैण्डपम्प")
    assert "📎 2" in turn.replies[1].body
    wish = say(turn.talk, Choice("register")).wish
    assert isinstance(wish, Lodge)
    assert (wish.attachments, wish.text) == ((FILE, other), "टूटा हैण्डपम्प")
    more = say(None, *TO_CONFIRM, Media(FILE, "पास से"))
    assert more.talk.text == "हैण्डपम्प दो सप्ताह से खराब है\nपास से"


def test_no_more_files_than_a_submission_may_have_and_it_says_so() -> None:
    files = [Media(Attachment("whatsapp", str(number), "image/jpeg")) for number in range(MOST_ATTACHMENTS + 1)]
    turn = say(None, *TO_TEXT, *files)
    assert len(turn.talk.attachments) == MOST_ATTACHMENTS
    assert "नहीं रखी गई" in turn.replies[0].body


def test_a_file_after_the_end_begins_a_new_complaint() -> None:
    done = lodged(say(None, *TO_CONFIRM, Media(FILE)).talk, Lodged(CASE)).talk
    assert done.attachments == ()
    turn = step(UP, done, Heard(Media(FILE), "wamid.9", AT))
    assert (turn.talk.step, turn.talk.attachments, turn.talk.case) == ("district", (FILE,), "")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 8001])
def test_a_text_that_says_nothing_or_is_too_long_is_asked_for_again(text: str) -> None:
    turn = say(None, *TO_TEXT, text)
    assert (turn.talk.step, turn.talk.text, len(turn.replies)) == ("text", "", 2)


def test_numbers_are_masked_before_they_are_kept() -> None:
    assert "9876543210" not in say(None, *TO_TEXT, "मुझे 9876543210 पर बुलाएँ").talk.text


def test_a_button_pressed_twice_is_told_the_number_again() -> None:
    turn = lodged(say(None, *TO_CONFIRM).talk, Lodged(CASE))
    assert CASE in turn.replies[0].body
    again = say(turn.talk, Choice("register"))
    assert (again.talk, again.wish) == (turn.talk, None)
    assert CASE in again.replies[0].body


def test_what_the_system_refuses_is_told_with_its_reasons() -> None:
    turn = lodged(say(None, *TO_CONFIRM).talk, Refused(("यहाँ नहीं लिया जाता",)))
    assert "यहाँ नहीं लिया जाता" in turn.replies[0].body
    assert (turn.talk.step, turn.talk.text) == ("district", "")


def test_the_answer_to_a_status_leaves_the_talk_alone() -> None:
    talk = say(None, *TO_TEXT).talk
    turn = answered(talk, Ask(CASE, "en"), Standing(CASE, "open", 2, AT), UP.zone)
    assert (turn.talk, turn.replies[0].body) == (talk, f"{CASE}: pending at level 2, due by 02/02/2026.")


@pytest.mark.parametrize("said", ["d:", "p:"])
def test_a_button_that_is_not_ours_is_asked_again_whatever_number_it_bears(said: str) -> None:
    for steps in (TO_DISTRICT, TO_CATEGORY):
        assert say(None, *steps, Choice(said + "9" * 5000)).replies


def test_every_text_stands_in_both_languages_with_the_same_slots() -> None:
    for key, name in texts().items():
        hindi, english = ({slot for _, slot, _, _ in Formatter().parse(text) if slot} for text in (name.hi, name.en))
        assert hindi == english, key
        assert name.hi, key
        assert name.en, key


OFFERED = st.sampled_from([
    Choice("l:hi"), Choice("l:en"), Choice("register"), Choice("edit"), Choice("cancel"), Choice("p:1"),
    Choice("p:999"), Choice("d:x"), Choice("c:"), Choice(""), Pin(26.8, 80.9), Pin(-90.0, 180.0), Media(FILE),
    Media(FILE, "क" * 1024),
    Other("reaction"), Text("status"), Text("Kanpur"), Text("पानी"), Text("जयपुर"), Text("क्ष्म्य" * 1100),
])  # fmt: skip


@given(st.data(), st.sampled_from(TALKING))
def test_whatever_is_said_every_reply_is_a_message_the_api_takes(data, profile) -> None:
    talk, offered = None, []
    for number in range(12):
        own = st.sampled_from([Choice(each) for each in offered]) if offered else OFFERED
        said = data.draw(st.one_of(own, OFFERED, st.builds(Text, st.text(max_size=40))))
        turn = step(profile, talk, Heard(said, f"wamid.{number}", AT))
        if isinstance(turn.wish, Lodge):
            turn = lodged(turn.talk, Lodged(CASE))
        elif isinstance(turn.wish, Ask):
            turn = answered(turn.talk, turn.wish, None, profile.zone)
        assert turn.replies, "nobody is left without an answer"
        for reply in turn.replies:
            check(shaped("919876543210", reply))
        talk, offered = turn.talk, ids(turn)


def test_no_menu_offers_more_than_a_message_takes() -> None:
    with pytest.raises(ValueError, match="rows"):
        menus.districts(UP, "hi", (), "talk-district-which")
