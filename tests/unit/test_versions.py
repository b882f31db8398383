"""A profile changes with a date: a level keeps the rules it began under, unless the change holds for running clocks."""

import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas import commands as c
from schemas import topics as t
from schemas.base import Actor, Place
from streams.calendar import midnight
from streams.case.stage import stage
from streams.driver import Driver
from streams.ids import case_id
from streams.profiles.due import Kind, due_at
from streams.profiles.load import read
from streams.profiles.profile import DAY_MS, Profile, ProfileError

SHIPPED = Path(__file__).parents[2] / "streams" / "profiles" / "up-1076"
ID = case_id("10", "call", "versions")
OFFICER = Actor("officer")
CHANGE = """
[marks]
mark = "S"
source = "an order"

[[levels]]
title = { hi = "स्तर 1", en = "Level 1" }
days = DAYS

[[levels]]
title = { hi = "स्तर 2", en = "Level 2" }
days = DAYS

[[levels]]
title = { hi = "स्तर 3", en = "Level 3" }
days = DAYS

[[levels]]
title = { hi = "स्तर 4", en = "Level 4" }
days = DAYS
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "up-1076"))


def change(folder: Path, date: str, days: int, more: str = "") -> None:
    (folder / "changes").mkdir(exist_ok=True)
    (folder / "changes" / f"{date}.toml").write_text(more + CHANGE.replace("DAYS", str(days)), "utf-8")


def edit(folder: Path, part: str, good: str, bad: str) -> None:
    text = (folder / part).read_text("utf-8")
    assert good in text
    (folder / part).write_text(text.replace(good, bad, 1), "utf-8")


def run(profile: Profile, at: int, until: int, *more: c.Action) -> list[tuple[str, int, str, int | None]]:
    """Fact, instant, policy and due instant of a case that nobody works on."""
    flow = Driver([stage(lambda: {profile.system: profile})], now=at)
    place = Place(161, {"block": "birdha"})
    flow.send(
        t.CASE_COMMANDS,
        ID,
        c.Register("register-1", ID, at, "up-1076", "complaint", "call", "hand-pump", place, "ct_" + "1" * 32, "पाठ"),
    )
    for command in more:
        flow.advance(command.at)
        flow.send(t.CASE_COMMANDS, ID, command)
    flow.advance(until)
    facts = [each.value for each in flow.log[t.CASE_EVENTS]]
    return [
        (type(fact).__name__, (fact.at - at) // DAY_MS, fact.because.policy.partition("@")[2],
         None if getattr(fact, "due_at", None) is None else (fact.due_at - at) // DAY_MS)
        for fact in facts
    ]  # fmt: skip


def test_a_level_keeps_the_version_it_began_under_and_the_next_takes_the_new(folder: Path) -> None:
    change(folder, "2026-03-05", 3)
    profile = read(folder)
    begin = midnight("2026-03-01", profile.zone)
    assert run(profile, begin, begin + 11 * DAY_MS) == [
        ("CaseRegistered", 0, "2026-01-01", None),
        ("CaseRouted", 0, "2026-01-01", 7),
        ("DefaulterWarned", 6, "2026-01-01", 7),
        ("BecameDefaulter", 7, "2026-01-01", 7),
        ("CaseEscalated", 7, "2026-03-05", 10),
        ("DefaulterWarned", 9, "2026-03-05", 10),
        ("BecameDefaulter", 10, "2026-03-05", 10),
        ("CaseEscalated", 10, "2026-03-05", 13),
    ]


def test_a_change_that_says_so_moves_running_clocks_and_never_into_the_past(folder: Path) -> None:
    change(folder, "2026-03-05", 5, "redates_running = true\n")
    change(folder, "2026-04-10", 3, "redates_running = true\n")
    profile = read(folder)
    begin = midnight("2026-03-01", profile.zone)
    assert run(profile, begin, begin + 6 * DAY_MS)[2:5] == [
        ("CaseRedated", 4, "2026-03-05", 5),
        ("DefaulterWarned", 4, "2026-03-05", 5),
        ("BecameDefaulter", 5, "2026-03-05", 5),
    ]
    begin = midnight("2026-04-07", profile.zone)
    assert run(profile, begin, begin + 4 * DAY_MS)[2:5] == [
        ("CaseRedated", 3, "2026-04-10", 3),
        ("DefaulterWarned", 3, "2026-04-10", 3),
        ("BecameDefaulter", 3, "2026-04-10", 3),
    ]


def test_whether_the_clock_or_a_command_passes_the_change_first_does_not_matter(folder: Path) -> None:
    change(folder, "2026-03-05", 5, "redates_running = true\n")
    profile = read(folder)
    begin = midnight("2026-03-01", profile.zone)
    late = c.View("view-00001", ID, begin + 6 * DAY_MS, OFFICER)
    flow = Driver([stage(lambda: {profile.system: profile})], now=begin)
    place = Place(161, {"block": "birdha"})
    register = c.Register(
        "register-1", ID, begin, "up-1076", "complaint", "call", "hand-pump", place, "ct_" + "1" * 32, "पाठ"
    )
    for command in (register, late):
        flow.send(t.CASE_COMMANDS, ID, command)
    lazy = [(type(each.value).__name__, each.value.at, each.value.because.policy) for each in flow.log[t.CASE_EVENTS]]
    prompt = run(profile, begin, begin + 6 * DAY_MS, late)
    assert [(name, (at - begin) // DAY_MS, policy.partition("@")[2]) for name, at, policy in lazy] == [
        each[:3] for each in prompt
    ]


def test_marks_of_a_change_are_its_own_and_the_others_stay(folder: Path) -> None:
    change(folder, "2026-03-05", 3)
    (later,) = read(folder).later
    assert later.version == "up-1076@2026-03-05"
    assert (later.sources["levels.3.days"].mark, later.sources["levels.3.days"].source) == ("S", "an order")
    assert later.sources["feedback.attempts"].mark == "D"
    assert later.feedback == read(folder).feedback


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('code = { value = "77", mark = "S", source = "order" }', "changes/2026-03-05.toml: code: cannot change"),
        ("reopen_dyas = { value = 3, mark = 'S', source = 'order' }", "changes/2026-03-05.toml: reopen_dyas: no such"),
        ("reopen_days = 3", "changes/2026-03-05.toml: reopen_days has no source mark"),
        (
            "[marks]\nmark = 'S'\nsource = 'x'\n[categories.x]\ndepartment = 'no'\nname = { hi = 'x', en = 'x' }",
            "categories.x.department: no department 'no' (as of changes/2026-03-05.toml)",
        ),
        ("redates_running = { value = 'yes', mark = 'S', source = 'x' }", "changes/2026-03-05.toml: redates_running"),
    ],
)
def test_a_bad_change_is_refused_with_file_key_and_reason(folder: Path, text: str, complaint: str) -> None:
    (folder / "changes").mkdir()
    (folder / "changes" / "2026-03-05.toml").write_text(text, "utf-8")
    with pytest.raises(ProfileError) as refused:
        read(folder)
    assert complaint in str(refused.value)


def test_a_change_named_by_no_date_is_refused(folder: Path) -> None:
    change(folder, "next-year", 3)
    with pytest.raises(ProfileError, match=r"changes/next-year.toml: valid_from: 'next-year' is no date"):
        read(folder)


WEEKLY = """days = { value = "working", mark = "S", source = "an order" }
weekly_off = { value = ["sat", "sun"], mark = "S", source = "an order" }
"""
CALENDAR = 'days = { value = "calendar", mark = "D", source = "no order found that the clock stops on holidays" }\n'
HOLIDAYS = """[marks]
mark = "S"
source = "a treasury order"

[holidays]
2026-03-04 = { hi = "होली", en = "Holi" }
"""


@pytest.mark.parametrize(
    ("due", "expected"),
    [("same-time", "2026-03-12T10:00:00"), ("end-of-day", "2026-03-12T23:59:59.999")],
)
def test_working_days_leave_out_weekly_and_listed_days(folder: Path, due: str, expected: str) -> None:
    edit(folder, "profile.toml", CALENDAR, WEEKLY)
    edit(folder, "profile.toml", 'due = { value = "same-time"', f'due = {{ value = "{due}"')
    (folder / "holidays.toml").write_text(HOLIDAYS, "utf-8")
    profile = read(folder)
    zone = ZoneInfo("Asia/Kolkata")
    monday = int(datetime(2026, 3, 2, 10, tzinfo=zone).timestamp() * 1000)
    found = due_at(profile, 1, Kind("complaint", "hand-pump"), monday)
    told = datetime.fromtimestamp(found / 1000, zone).replace(tzinfo=None).isoformat(timespec="milliseconds")
    assert told.startswith(expected)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('2026-02-30 = { hi = "x", en = "x" }', "holidays.toml: "),
        ('"26 January" = { hi = "x", en = "x" }', "holidays.toml: holidays"),
        ("2026-03-04 = 'Holi'", "holidays.toml: holidays"),
    ],
)
def test_a_bad_holiday_is_refused(folder: Path, line: str, complaint: str) -> None:
    (folder / "holidays.toml").write_text(f'[marks]\nmark = "S"\nsource = "order"\n[holidays]\n{line}\n', "utf-8")
    with pytest.raises(ProfileError, match=complaint):
        read(folder)
