"""Officers over HTTP: what may be told by whom, what is written, and lists that end at the token's district."""

import msgspec
import pytest

from agents.readmodel.officer_reader import AbsentRow
from agents.readmodel.officer_views import OfficerView
from schemas.officers import Login, OpenTicket, PortalTime, TakeStep
from schemas.topics import OFFICER_ACTIVITY
from streams.profiles.profile import DAY_MS
from tests.gateway.conftest import CASE, NOW

PATH = "/v1/officers/UP159-0042/activity"
LOGIN = {"type": "login", "system": "up-1076"}
BOUND, STATE = "district-administrator@159", "state-administrator"


def row(district: int) -> AbsentRow:
    return AbsentRow(
        system="up-1076",
        day="2026-02-01",
        officer=f"of-{district}",
        district=district,
        department="revenue",
        office=f"revenue:dm@{district}",
        logins=0,
        minutes=0,
        flags=("under-checks",),
    )


def fields(problem: dict) -> set[str]:
    return {error["field"] for error in problem["errors"]}


async def test_a_login_is_durable_under_an_id_of_its_key(gateway):
    status, first, _ = await gateway.post(PATH, LOGIN, role="officer")
    _, again, _ = await gateway.post(PATH, LOGIN, role="officer")
    assert status == 202
    assert first == again, "the stage knows the repeat by its id"
    entry = gateway.log.entries[0]
    assert (entry.topic, entry.key) == (OFFICER_ACTIVITY, "up-1076|UP159-0042")
    assert entry.value == Login(first["id"], "up-1076", "UP159-0042", NOW)


@pytest.mark.parametrize(
    ("role", "body", "kind"),
    [
        ("officer", {"type": "portal-time", "minutes": 12}, PortalTime),
        ("officer", {"type": "open-ticket", "ticket": "login-17", "category": "login", "text": "नहीं खुलता"}, OpenTicket),
        (STATE, {"type": "take-step", "step": "warning", "cases": [CASE]}, TakeStep),
    ],
)
async def test_each_role_tells_what_it_may(gateway, role, body, kind):
    status, _, _ = await gateway.post(PATH, {"system": "up-1076"} | body, role=role)
    assert (status, type(gateway.log.entries[0].value)) == (202, kind)
    for other in {"officer", STATE, "call-centre", "citizen-channel"} - {role}:
        assert (await gateway.post(PATH, {"system": "up-1076"} | body, role=other))[0] == 403
    assert len(gateway.log.entries) == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"type": "logout", "system": "up-1076"}, {"type"}),
        ({"type": "login", "system": "up-1067"}, {"system"}),
        ({"type": "login", "system": "nyc-council"}, {"system"}),
        ({"type": "portal-time", "system": "up-1076", "minutes": 0}, {"minutes"}),
        ({"type": "portal-time", "system": "up-1076"}, {"minutes"}),
        ({"type": "login", "system": "up-1076", "name": "x"}, {"name"}),
        ({"type": "open-ticket", "system": "up-1076", "ticket": "t", "category": "login"}, {"ticket", "text"}),
        (
            {"type": "open-ticket", "system": "up-1076", "ticket": "ticket-1", "category": "rain", "text": "x"},
            {"category"},
        ),
    ],
)
async def test_what_cannot_be_taken_names_its_fields(gateway, body, wrong):
    status, problem, _ = await gateway.post(PATH, body, role="officer")
    assert (status, fields(problem)) == (400, wrong)
    assert gateway.log.entries == []


async def test_an_unknown_step_is_told_the_ladder(gateway):
    body = {"type": "take-step", "system": "up-1076", "step": "shouting", "cases": [CASE]}
    _, problem, _ = await gateway.post(PATH, body, role=STATE)
    assert problem["errors"][0]["detail"] == "must be one of warning, explanation-sought, charge-sheet"


@pytest.mark.parametrize("officer", ["9876543210", "a@b.in", "x", "ram%20kumar"])
async def test_a_number_or_an_address_is_no_officers_id(gateway, officer):
    assert (await gateway.post(f"/v1/officers/{officer}/activity", LOGIN, role="officer"))[0] == 404


async def test_texts_carry_no_numbers(gateway):
    body = {"type": "open-ticket", "system": "up-1076", "ticket": "login-17", "category": "login", "text": "9876543210"}
    await gateway.post(PATH, body, role="officer")
    assert "9876543210" not in msgspec.json.encode(gateway.log.entries[0].value).decode()


async def test_event_time_is_held_to_the_allowed_lateness(gateway):
    await gateway.post(PATH, LOGIN | {"occurred_at": NOW - 30 * DAY_MS}, role="officer")
    await gateway.post(PATH, LOGIN | {"occurred_at": NOW + DAY_MS}, role="officer", key="key-0002")
    assert [entry.value.at for entry in gateway.log.entries] == [NOW - 7 * DAY_MS, NOW]


async def test_a_bound_administrator_acts_in_his_district_only(gateway):
    body = {"type": "request-id", "system": "up-1076"}
    assert (await gateway.post(PATH, body, role=BOUND))[0] == 403, "nobody knows where this officer is"
    gateway.board.officers["UP159-0042"] = OfficerView("UP159-0042", "up-1076", 161, "revenue", "revenue:dm@161", 1)
    assert (await gateway.post(PATH, body, role=BOUND))[0] == 403
    gateway.board.officers["UP159-0042"] = OfficerView("UP159-0042", "up-1076", 159, "revenue", "revenue:dm@159", 1)
    assert (await gateway.post(PATH, body, role=BOUND))[0] == 202


@pytest.mark.parametrize("name", ["absent", "missing", "ladder", "conduct", "tickets"])
async def test_a_list_ends_at_the_tokens_district(gateway, name):
    gateway.board.rows = [row(159), row(161)]
    path = f"/v1/officers/{name}?system=up-1076"
    _, state, _ = await gateway.get(path, role=STATE)
    assert [each["district"] for each in state["rows"]] == [159, 161]
    _, own, _ = await gateway.get(path, role=BOUND)
    assert ([each["district"] for each in own["rows"]], own["districts"]) == ([159], [159])
    assert (await gateway.get(f"{path}&district=159", role=BOUND))[0] == 200
    assert (await gateway.get(f"{path}&district=161", role=BOUND))[0] == 403
    assert (await gateway.get(f"{path}&district=0", role=BOUND))[0] == 403
    for role in ("officer", "call-centre", "citizen-channel", "sms-gateway"):
        assert (await gateway.get(path, role=role))[0] == 403


async def test_without_a_day_it_is_the_last_one_whose_result_is_in(gateway):
    _, found, _ = await gateway.get("/v1/officers/absent?system=up-1076", role=STATE)
    assert found["day"] == "2026-02-01"  # NOW is 2 Feb 2026, 08:10 in India; the day before was cut at 06:00
    _, found, _ = await gateway.get("/v1/officers/conduct?system=up-1076", role=STATE)
    assert found["month"] == "2026-02"


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("", {"system"}),
        ("system=nyc-council", {"system"}),
        ("system=up-1076&district=99999&department=magic", {"district", "department"}),
        ("system=up-1076&day=2026-2-1", {"day"}),
        ("system=up-1076&month=2026-02&distrikt=159", {"month", "distrikt"}),
    ],
)
async def test_a_question_that_cannot_be_asked_names_its_fields(gateway, query, wrong):
    status, problem, _ = await gateway.get(f"/v1/officers/absent?{query}", role=STATE)
    assert (status, fields(problem)) == (400, wrong)


async def test_a_token_for_several_districts_sees_those(gateway):
    gateway.board.rows = [row(159), row(161), row(162)]
    _, found, _ = await gateway.get("/v1/officers/absent?system=up-1076", role="district-administrator@161+162")
    assert ([each["district"] for each in found["rows"]], found["districts"]) == ([161, 162], [161, 162])
