"""What each role of a signed token may: every route with every role, its scope, and who looked at a restricted case."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAwayError

from agents.audit.board import ShadowSource
from agents.gateway.activities import LISTS
from agents.gateway.app import ROUTES
from agents.gateway.auth import ROLES
from agents.readmodel.calls import DueCall
from agents.readmodel.reader import FeedEntry
from agents.readmodel.review import Registers
from schemas.access import AccessRead
from schemas.codec import encode
from schemas.topics import ACCESS_READ
from streams.profiles.load import profile
from tests.gateway.conftest import CASE, COMPLAINT, NOW, Gateway, running
from tests.gateway.signing import Issuer, token
from tests.gateway.test_feed import ids
from tests.gateway.test_restricted import RAISED
from tests.simulated import weeks_folded

OFFICE = "water:district-officer@159"
CLAIMS: Mapping[str, dict[str, Any]] = {
    "officer": {"officer": "o-77"},
    "district-administrator": {"districts": [159]},
    "department-head": {"department": "water"},
}
SHORT = {
    "citizen-channel": "ch", "citizen": "ci", "call-centre": "cc", "officer": "of", "sms-gateway": "sm",
    "district-administrator": "dm", "department-head": "dh", "state-administrator": "cm", "support": "su",
}  # fmt: skip
OVERSEERS = "dm dh cm su"
MAY = {
    "POST /v1/complaints": "ch cc",
    "POST /v1/cases/{case}/actions": "cc of",
    "GET /v1/cases/{case}": f"ch ci cc of {OVERSEERS}",
    "GET /v1/districts/{lgd}/board": OVERSEERS,
    "GET /v1/escalations": f"cc of {OVERSEERS}",
    "GET /v1/feedback/calls": "cc",
    "POST /v1/sms/receipts": "sm",
    "POST /v1/officers/{officer}/activity": "of",
    **{f"GET /v1/officers/{name}": OVERSEERS for name in LISTS},
}
OF_A_SYSTEM = ("/v1/feedback/calls", *(f"/v1/officers/{name}" for name in LISTS))
WATER = {
    "case": CASE, "system": "up-1076", "status": "open", "registered_at": 5, "at": NOW, "district": 159,
    "department": "water", "category": "hand-pump", "case_type": "complaint", "units": {"block": "b1"}, "level": 1,
    "office": OFFICE,
}  # fmt: skip
POLICE = {**WATER, "department": "police", "office": "police:co@159", "restricted": "police",
          "visible_to": ["call-centre", "supervisor", "police"], "timeline": []}  # fmt: skip


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running(signed=Issuer("EdDSA").tokens()) as found:
        found.board.cases[CASE] = WATER
        yield found


def bearer(role: str, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(role=role, **(CLAIMS.get(role, {}) | changes))}"}


def note(**by: str) -> dict[str, Any]:
    return {"type": "add-note", "by": {"role": "officer", **by}, "text": "हैण्डपम्प देखा गया"}


def accesses(gateway: Gateway) -> list[AccessRead]:
    return [entry.value for entry in gateway.log.entries if entry.topic == ACCESS_READ]


async def asked(gateway: Gateway, route: str, role: str) -> int:
    method, path = route.split()
    full = path.format(case=CASE, lgd=159, officer="o-77") + (
        "?system=up-1076" if method == "GET" and path.count("/") > 2 and "cases" not in path else ""
    )
    if method == "GET" and path == "/v1/escalations":
        async with gateway.client.get(path, headers=bearer(role)) as response:
            return response.status
    if method == "GET":
        return (await gateway.get(full, role=None, **bearer(role)))[0]
    by = {"role": "call-centre"} if role == "call-centre" else {"role": "officer", "officer": "o-77"}
    body: Any = {
        "/v1/complaints": COMPLAINT,
        "/v1/cases/{case}/actions": {"type": "add-note", "by": by, "text": "देखा"},
        "/v1/sms/receipts": {"id": "sms-" + "0" * 32, "delivered": True},
        "/v1/officers/{officer}/activity": {"type": "login", "system": "up-1076"},
    }[path]
    headers = {"Idempotency-Key": f"of-the-table-{role}", **bearer(role)}
    async with gateway.client.post(full, json=body, headers=headers) as response:
        return response.status


def test_the_table_has_every_route_and_every_role():
    assert set(MAY) == {f"{route.method} {route.path}" for route in ROUTES if route.entrance == "token"}
    assert set(SHORT) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", MAY)
async def test_every_route_is_open_to_the_roles_of_the_table_alone(gateway, route, role):
    status = await asked(gateway, route, role)
    assert (status != 403) == (SHORT[role] in MAY[route].split())
    assert status < 500


@pytest.mark.parametrize(
    ("by", "claims", "status"),
    [
        ({"officer": "o-77"}, {}, 202),
        ({"officer": "o-78"}, {}, 403),
        ({}, {}, 403),
        ({"officer": "o-77", "office": WATER["office"]}, {"office": WATER["office"]}, 202),
        ({"officer": "o-77"}, {"office": WATER["office"]}, 202),
        ({"officer": "o-77", "office": "water:dm@159"}, {"office": WATER["office"]}, 403),
        ({"officer": "o-77"}, {"office": "revenue:dm@161"}, 403),
        ({"officer": "o-77"}, {"districts": [159]}, 202),
        ({"officer": "o-77"}, {"districts": [161]}, 403),
        ({"officer": "o-77"}, {"department": "revenue"}, 403),
        ({"officer": "o-77"}, {"systems": ["rajasthan-sampark"]}, 403),
    ],
    ids=str,
)  # fmt: skip
async def test_an_officer_acts_as_himself_and_for_his_own_office(gateway, by, claims, status):
    found, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", note(**by), **bearer("officer", **claims))
    assert found == status, problem


async def test_every_office_of_the_cases_chain_may(gateway):
    then = profile("up-1076")
    chain = then.chain("water", "hand-pump", "complaint", 159)
    posts = [f"water:{level[0].post}@159" for level in chain.levels if level[0].unit == "district"]
    assert posts
    for number, office in enumerate(posts):
        status, problem, _ = await gateway.post(
            f"/v1/cases/{CASE}/actions", note(officer="o-77"), key=f"of-the-chain-{number}",
            **bearer("officer", office=office),
        )  # fmt: skip
        assert status == 202, problem


async def test_what_the_read_model_cannot_tell_is_not_open(gateway):
    async def away(_case: str) -> None:
        raise RedisAwayError

    scoped, body = bearer("officer", office=WATER["office"]), note(officer="o-77")
    gateway.board.cases.clear()
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", body, **scoped))[0] == 404
    gateway.board.case = away
    status, _, headers = await gateway.post(f"/v1/cases/{CASE}/actions", body, **scoped)
    assert (status, headers["Retry-After"], gateway.log.entries) == (503, "5", [])
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", body, **bearer("officer")))[0] == 202


@pytest.mark.parametrize(
    ("role", "claims", "status"),
    [
        ("district-administrator", {"districts": [161]}, 403), ("district-administrator", {}, 200),
        ("department-head", {"department": "revenue"}, 403), ("department-head", {}, 200),
        ("support", {"systems": ["rajasthan-sampark"]}, 403), ("support", {}, 200), ("state-administrator", {}, 200),
    ],
)  # fmt: skip
async def test_a_case_is_read_within_the_scope(gateway, role, claims, status):
    assert (await gateway.get(f"/v1/cases/{CASE}", role=None, **bearer(role, **claims)))[0] == status
    assert accesses(gateway) == []


@pytest.mark.parametrize(("system", "status"), [("up-1076", 202), ("rajasthan-sampark", 403), (["up-1076"], 400)])
async def test_a_complaint_goes_to_a_system_the_token_is_for(gateway, system, status):
    scoped = bearer("call-centre", systems=["up-1076"])
    assert (await gateway.post("/v1/complaints", {**COMPLAINT, "system": system}, **scoped))[0] == status


async def test_a_citizen_is_told_how_any_case_stands_and_no_more(gateway):
    _, found, _ = await gateway.get(f"/v1/cases/{CASE}", role=None, **bearer("citizen"))
    assert found == {"case": CASE, "system": "up-1076", "status": "open", "registered_at": 5}


async def test_an_officer_tells_of_himself_and_a_department_head_sees_his_department_alone(gateway):
    login = {"type": "login", "system": "up-1076"}
    assert (await gateway.post("/v1/officers/o-78/activity", login, **bearer("officer")))[0] == 403
    head = bearer("department-head")
    gateway.board.source = ShadowSource(weeks_folded())
    _, found, _ = await gateway.get("/v1/districts/159/board?system=up-1076", role=None, **head)
    board = found["systems"][0]
    assert {row["department"] for row in board["rows"]} <= {"water"}
    assert board["pending"] == sum(row["pending"] for row in board["rows"])
    lists = "/v1/officers/missing?system=up-1076"
    assert (await gateway.get(lists + "&department=revenue", role=None, **head))[0] == 403
    other = bearer("support", systems=["rajasthan-sampark"])
    assert (await gateway.get(lists, role=None, **other))[0] == 403
    assert (await gateway.get("/v1/districts/159/board", role=None, **other))[0] == 403


@pytest.mark.parametrize(
    ("role", "claims", "status", "answer"),
    [
        ("officer", {}, 403, "refused"), ("officer", {"sees": ["police"]}, 200, "shown"),
        ("call-centre", {}, 200, "shown"), ("support", {}, 403, "refused"), ("citizen", {}, 200, "status-only"),
        ("citizen-channel", {}, 200, "status-only"), ("district-administrator", {"districts": [161]}, 403, "refused"),
    ],
)  # fmt: skip
async def test_a_read_of_a_restricted_case_is_written_down_before_it_is_answered(gateway, role, claims, status, answer):
    gateway.board.cases[CASE] = POLICE
    found, _, _ = await gateway.get(f"/v1/cases/{CASE}", role=None, **bearer(role, **claims))
    (entry,) = gateway.log.entries
    told = entry.value
    assert (found, entry.topic, entry.key, told.answer) == (status, ACCESS_READ, CASE, answer)
    assert (told.case, told.system, told.restricted, told.role, told.way, told.at) == (
        CASE, "up-1076", "police", role, "case", NOW,
    )  # fmt: skip
    assert not any(each in encode(told) for each in (b"o-77", b"f3c1"))

    gateway.log.up = False
    found, problem, _ = await gateway.get(f"/v1/cases/{CASE}", role=None, **bearer(role, **claims))
    assert (found, problem["type"]) == (503, "urn:nivaran:problem:unavailable")


async def test_the_same_reader_is_the_same_subject_over_new_tokens(gateway):
    gateway.board.cases[CASE] = POLICE
    for role, subject in (("call-centre", "a"), ("call-centre", "a"), ("call-centre", "b")):
        await gateway.get(f"/v1/cases/{CASE}", role=None, **bearer(role, sub=subject))
    first, again, other = (each.subject for each in accesses(gateway))
    assert first == again != other


async def test_calls_of_restricted_cases_are_written_down(gateway):
    lines = [
        DueCall(CASE, 1, 1, 159, "police", 1, "fir", None, ("call-centre",), "police"),
        DueCall("2", 2, 1, 159, "water", 1, "x"),
    ]

    async def calls(_system: str) -> list[DueCall]:
        return lines

    gateway.board.calls = calls
    path = "/v1/feedback/calls?system=up-1076"
    assert len((await gateway.get(path, role=None, **bearer("call-centre")))[1]["rows"]) == 2
    assert [(each.case, each.way) for each in accesses(gateway)] == [(CASE, "feedback-calls")]
    gateway.log.up = False
    assert (await gateway.get(path, role=None, **bearer("call-centre")))[0] == 503


async def test_escalations_of_restricted_cases_are_written_down_or_not_sent(gateway):
    gateway.board.feed += [
        FeedEntry("1-0", "police", 159, encode(RAISED), RAISED.visible_to), FeedEntry("2-0", "water", 159, b"{}"),
        FeedEntry("3-0", "water", 161, b"{}"),
    ]  # fmt: skip
    headers = bearer("officer", sees=["police"], districts=[159]) | {"Last-Event-ID": "0-0"}
    async with gateway.client.get("/v1/escalations", headers=headers) as response:
        assert await ids(response, 2) == ["1-0", "2-0"]
    assert [(each.case, each.way, each.answer) for each in accesses(gateway)] == [(CASE, "escalations", "shown")]
    gateway.log.up = False
    async with gateway.client.get("/v1/escalations", headers=headers) as response:
        assert b"police" not in await response.read()


async def test_numbers_of_restricted_cases_on_a_board_are_written_down():
    source = ShadowSource(weeks_folded())
    async with running(signed=Issuer("EdDSA").tokens()) as gateway:
        gateway.board.source = source
        path, district, last = "/v1/districts/{}/board?system=up-1076", *await _last_restricted(source)
        gateway.services.clock.now = lambda: last + 1
        _, found, _ = await gateway.get(
            path.format(district), role=None, **bearer("state-administrator", sees=["supervisor"])
        )
        blots = [each for each in found["systems"][0]["defaulters_today"] if each["restricted"]]
        assert blots
        assert [each.case for each in accesses(gateway)] == [each["case"] for each in blots]
        await gateway.get(path.format(district), role=None, **bearer("state-administrator"))
        assert len(accesses(gateway)) == len(blots)


async def _last_restricted(source: ShadowSource) -> tuple[int, int]:
    registers = Registers(source, "up-1076", profile("up-1076").zone)
    found = [
        (line.due_at, district)
        for district in profile("up-1076").districts
        for line in await registers.defaulters(district, "2026-01")
        if line.restricted
    ]
    due_at, district = max(found)
    return district, due_at
