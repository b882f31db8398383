"""Systems are data: no code names one, and each of the shipped ones holds what is known of it."""

import re
from pathlib import Path

import pytest

from schemas.base import Place
from streams.case.route import route
from streams.profiles.due import Kind, days_of
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.profiles.texts import filled, placeholder, registered, steps
from streams.text import segments

ROOT = Path(__file__).parents[2]
SYSTEMS = {name: each for name, each in profiles().items() if each.zone == "Asia/Kolkata"}
NAMES = re.compile(
    r"\bUP\b|\bMP\b|(?i:1076|igrs|jansunwai|1905|sampark|\b181\b|nyc|uttar pradesh|uttarakhand|rajasthan|madhya)"
)
TEXTS = [(name, key) for name, each in SYSTEMS.items() for key in each.templates]


@pytest.mark.parametrize("package", ["streams", "agents"])
def test_no_code_names_a_system(package: str) -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in (ROOT / package).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if NAMES.search(line)
    ]
    assert named == []


def test_five_systems_are_shipped() -> None:
    assert set(SYSTEMS) == {"up-1076", "up-igrs", "uttarakhand-1905", "rajasthan-sampark", "mp-181"}
    assert {name: len(each.districts) for name, each in SYSTEMS.items()} == {
        "up-1076": 75, "up-igrs": 75, "uttarakhand-1905": 13, "rajasthan-sampark": 41, "mp-181": 55,
    }  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_nobody_is_without_an_owner(system: str) -> None:
    profile = SYSTEMS[system]
    for department in profile.departments:
        for district in profile.districts:
            for level in range(1, profile.last_level + 1):
                assert not route(profile, department, Place(district), level).fallback, (department, district, level)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_category_has_its_department_and_every_department_a_category(system: str) -> None:
    profile = SYSTEMS[system]
    assert {category.department for category in profile.categories.values()} == set(profile.departments)


def test_departments_of_different_states_have_feeds_of_their_own() -> None:
    states = {
        name: {min(each.districts)} | set(each.departments) for name, each in SYSTEMS.items() if name != "up-igrs"
    }
    departments = [department for each in states.values() for department in each]
    assert len(departments) == len(set(departments))


@pytest.mark.parametrize(("system", "key"), TEXTS)
def test_every_text_fits_one_part_or_says_why_not(system: str, key: str) -> None:
    template = SYSTEMS[system].templates[key]
    text = filled(template, case="9" * 18, due="31/12/2026", level="9")
    assert segments(text) == 1 or template.why_longer
    assert text.endswith(f"-{SYSTEMS[system].dlt.header}")  # type: ignore[union-attr]
    assert "{case}" in template.text


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_step_of_a_system_is_told_in_hindi_or_says_why_not(system: str) -> None:
    profile = SYSTEMS[system]
    told = {key.removesuffix(".hi") for key in profile.templates if key.endswith(".hi")}
    assert told | set(profile.unsaid) == steps(profile)
    assert not told & set(profile.unsaid)


@pytest.mark.parametrize("system", SYSTEMS)
def test_shipped_ids_are_visibly_placeholders(system: str) -> None:
    profile = SYSTEMS[system]
    ids = [template.id for template in profile.templates.values()]
    assert all(map(placeholder, ids))
    assert len(ids) == len(set(ids))
    assert profile.dlt is not None
    assert placeholder(profile.dlt.entity)


def test_a_registered_text_has_anonymous_slots() -> None:
    text = registered(SYSTEMS["up-1076"].templates["registered.citizen.hi"])
    assert text == "शिकायत {#var#} दर्ज। निस्तारण तिथि {#var#} तक। -CMHELP"


def test_a_slot_takes_thirty_characters_and_splits_no_akshara() -> None:
    template = SYSTEMS["up-1076"].templates["registered.officer.hi"]
    told = filled(template, case="क" * 29 + "क्षि" + "त", due="31/12/2026", level="1")
    assert "क" * 29 + "," in told
    assert "क्" not in told.partition(",")[0].removeprefix("नई शिकायत " + "क" * 29)


def test_days_go_by_category_then_source_then_type_then_level() -> None:
    rajasthan, igrs = SYSTEMS["rajasthan-sampark"], SYSTEMS["up-igrs"]
    assert [days_of(rajasthan, level, Kind("complaint", "street-light")) for level in (1, 2, 3, 4)] == [3, 3, 4, 5]
    assert days_of(rajasthan, 1, Kind("complaint", "bribe-demand")) == 7
    assert days_of(igrs, 1, Kind("complaint", "ration-card", "tehsil-divas")) == 7
    assert days_of(igrs, 1, Kind("complaint", "ration-card", "portal")) == 15


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_asked_of_a_profile_does_not_grow_with_the_systems(system: str) -> None:
    """One system's version is found by its own versions only."""
    profile: Profile = SYSTEMS[system]
    assert profile.at(2_000_000_000_000) is profile
    assert profile.named("unknown") is profile
