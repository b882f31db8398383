"""Every kind of mistake in a system's files is refused with file, key and what would be right."""

import shutil
from pathlib import Path

import pytest

from schemas.base import Place
from streams.intake.validate import Fault, faults, place_faults
from streams.profiles.load import profile, read
from streams.profiles.profile import ProfileError

SHIPPED = Path(__file__).parents[2] / "streams" / "profiles"
MARKS = '[marks]\nmark = "S"\nsource = "order"\n'
JAN_2023, JAN_2026 = 1_672_531_200_000, 1_767_225_600_000


def copy(system: str, to: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / system, to / system))


@pytest.mark.parametrize(
    ("system", "part", "good", "bad", "complaint"),
    [
        ("up-igrs", "profile.toml", "approved_at = { value = 2", "approved_at = { value = 7",
         "up-igrs/profile.toml: closing.approved_at: 7, the profile has levels 1 to 4"),
        ("up-igrs", "profile.toml", '"stay"', '"sideways"', "profile.toml: levels.0.time_out: Invalid enum value"),
        ("up-igrs", "sources.toml", "level = { value = 4", "level = { value = 5",
         "up-igrs/sources.toml: intake_sources.cm-office.level: 5, the profile has levels 1 to 4"),
        ("up-igrs", "sources.toml", "[15, 15, 15, 15]", "[15, 15, 15]",
         "up-igrs/sources.toml: intake_sources.cm-office.days: 3 figures, the profile has 4 levels"),
        ("up-igrs", "sources.toml", '["counter"]', '["call"]',
         "intake_sources.cm-helpline.channels: call stands for dm-office already"),
        ("up-igrs", "categories.toml", "[not_taken.rti]", "[not_taken.mutation]",
         "up-igrs/categories.toml: not_taken.mutation: is a category, which is taken"),
        ("up-igrs", "categories.toml", '["demand"]', '["complaint"]',
         "not_taken.aid-or-job.case_types: ['complaint'] are case_types, which are taken"),
        ("up-igrs", "profile.toml", '["rti", "sub-judice", "suggestion", "aid-or-job", "service-matter"]', "[]",
         "up-igrs/profile.toml: closing.special.reasons: none"),
        ("mp-181", "profile.toml", "sends_back = { value = true", "send_back = { value = true",
         "mp-181/profile.toml: levels.3: Object contains unknown field `send_back`"),
        ("mp-181", "offices.toml", 'departments = { value = ["mp-police"]', 'departments = { value = ["police"]',
         "mp-181/offices.toml: restricted.police.departments: no department 'police'"),
        ("rajasthan-sampark", "categories.toml", "days = [3, 3, 4, 5]", "days = [3, 3, 4]",
         "rajasthan-sampark/categories.toml: categories.power-cut.days: 3 figures, the profile has 4 levels"),
        ("rajasthan-sampark", "categories.toml", "days = [3, 3, 4, 5]", "days = [3, 3, 4, 1]",
         "categories.power-cut.days: not longer than warn_before_hours, 24"),
        ("uttarakhand-1905", "profile.toml", "[closing]", "[clsing]", "uttarakhand-1905/profile.toml: clsing: no such"),
        ("uttarakhand-1905", "sms.toml", '"disposed-partial.citizen.hi"', '"disposed-special.citizen.hi"',
         "uttarakhand-1905/sms.toml: templates.disposed-special.citizen.hi: no such step"),
        ("uttarakhand-1905", "sms.toml", '"closed-recorded.citizen" =', '"closed-rcorded.citizen" =',
         "uttarakhand-1905/sms.toml: unsaid.closed-rcorded.citizen: no such step and audience"),
        ("uttarakhand-1905", "sms.toml", 'id = "placeholder-01"', 'id = ""',
         "uttarakhand-1905/sms.toml: templates.registered.citizen.hi.id: Expected `str` matching"),
        ("uttarakhand-1905", "sms.toml", 'id = "placeholder-01", ', "",
         "uttarakhand-1905/sms.toml: templates.registered.citizen.hi: Object missing required field `id`"),
        ("uttarakhand-1905", "sms.toml", "[dlt]", "[other]", "uttarakhand-1905/sms.toml: "),
        ("uttarakhand-1905", "sms.toml", "[unsaid]", "[levels]",
         "uttarakhand-1905/sms.toml: levels: stands in profile.toml already"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path: Path, system: str, part: str, good: str, bad: str, complaint: str) -> None:
    folder = copy(system, tmp_path)
    text = (folder / part).read_text("utf-8")
    assert good in text
    (folder / part).write_text(text.replace(good, bad, 1), "utf-8")
    with pytest.raises(ProfileError) as refused:
        read(folder)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ('chain = "no-such"', "offices.toml: routes.0.chain: no chain 'no-such'"),
        ('chain = "police"\ncategory = "no-such"', "offices.toml: routes.0.category: no category 'no-such'"),
        ('chain = "police"\ndistrict = 1', "offices.toml: routes.0.district: no district 1"),
        ('chain = "police"\ncase_type = "information"', "up-igrs/offices.toml: routes.0.case_type: no case_type"),
    ],
)
def test_a_route_names_what_there_is(tmp_path: Path, route: str, complaint: str) -> None:
    folder = copy("up-igrs", tmp_path)
    text = (folder / "offices.toml").read_text("utf-8")
    text = text.replace("[chains.development]", f"[[routes]]\n{route}\n\n[chains.development]", 1)
    (folder / "offices.toml").write_text(text, "utf-8")
    with pytest.raises(ProfileError) as refused:
        read(folder)
    assert complaint in str(refused.value)


def test_a_route_sends_some_cases_of_a_department_another_way(tmp_path: Path) -> None:
    folder = copy("up-igrs", tmp_path)
    text = (folder / "offices.toml").read_text("utf-8")
    route = '[[routes]]\nchain = "revenue"\ncategory = "village-head"\ndistrict = 159\n\n[chains.development]'
    (folder / "offices.toml").write_text(text.replace("[chains.development]", route, 1), "utf-8")
    found = read(folder)
    assert found.chain("panchayati-raj", "village-head", "complaint", 159) is found.chains["revenue"]
    assert found.chain("panchayati-raj", "village-head", "complaint", 161) is found.chains["development"]
    assert found.chain("panchayati-raj", "toilet-scheme", "complaint", 159) is found.chains["development"]


HEAD = "kind,district,code,name,valid_from,valid_to\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind,code\n", "places.csv: line 1: must name the columns code, district, kind, name"),
        (HEAD + "block,54,ukhimath\n", "places.csv: line 2: must have 6 fields"),
        (HEAD + "block,54,a,A,,\nblock,54,a,A,,\n", "places.csv: line 3: code: block 54/a stands there already"),
        (HEAD + "block,54,a,A,2026,\n", "places.csv: line 2: Expected `str` matching"),
        (HEAD + "block,54,a,A,2026-01-02,2026-01-02\n", "places.csv: line 2: valid_to: not after valid_from"),
        (HEAD + "ward,54,a,A,,\n", "places.csv: kind: 'ward' is none of unit_kinds"),
        (HEAD + "block,159,a,A,,\n", "places.csv: district: no district 159"),
    ],
)
def test_a_bad_list_of_places_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    folder = copy("uttarakhand-1905", tmp_path)
    (folder / "places.csv").write_text(text, "utf-8")
    with pytest.raises(ProfileError) as refused:
        read(folder)
    assert complaint in str(refused.value)


def test_places_hold_from_a_day_to_a_day(tmp_path: Path) -> None:
    folder = copy("uttarakhand-1905", tmp_path)
    text = HEAD + "block,54,ukhimath,Ukhimath,,2026-01-01\nblock,54,guptkashi,Guptkashi,2026-01-01,\n"
    (folder / "places.csv").write_text(text, "utf-8")
    found = read(folder)

    def wrong(code: str, at: int) -> list[Fault]:
        return list(place_faults(found, Place(54, {"block": code}), at))

    assert wrong("ukhimath", JAN_2023) == []
    assert wrong("guptkashi", JAN_2026) == []
    assert [each.detail for each in wrong("ukhimth", JAN_2023)] == ["no block 'ukhimth' in 54; nearest: ukhimath"]
    assert wrong("ukhimath", JAN_2026)[0].reason == "unknown-unit"
    assert wrong("guptkashi", JAN_2023)[0].reason == "unknown-unit"
    assert list(place_faults(found, Place(54, {"tehsil": "anything"}), JAN_2026)) == []


def test_a_district_exists_from_its_day_on() -> None:
    rajasthan = profile("rajasthan-sampark")
    assert [each.reason for each in place_faults(rajasthan, Place(772), JAN_2023)] == ["unknown-district"]
    assert list(place_faults(rajasthan, Place(772), JAN_2026)) == []


def test_unknown_names_are_answered_with_the_nearest() -> None:
    up, mp = profile("up-igrs"), profile("mp-181")
    told = list(faults(up, "complaint", "mutatoin", Place(159), "hi", None, channel="portal", source="tehsil-diwas"))
    assert [each.detail.partition(", ")[0] for each in told] == [
        "no category 'mutatoin'; nearest: mutation",
        "no source 'tehsil-diwas'; nearest: tehsil-divas",
    ]
    (channel,) = faults(mp, "complaint", "mutation", Place(417), "hi", None, channel="camp")
    assert channel.detail == "mp-181 takes app, call, portal, not camp"


@pytest.mark.parametrize(("language", "words"), [("hi", "जन सूचना अधिकारी"), ("en", "public information officer")])
def test_a_subject_that_is_not_taken_is_answered_in_the_citizens_language(language: str, words: str) -> None:
    (told,) = faults(profile("up-igrs"), "complaint", "rti", Place(159), language, None)  # type: ignore[arg-type]
    assert told.reason == "not-taken"
    assert words in told.detail
