"""R12: a district's board as its administrator asks for it: his own district, every department, and nothing else."""

import pytest

from agents.audit.board import ShadowSource
from agents.gateway.auth import tokens
from agents.readmodel.district import systems_of
from agents.readmodel.review import Registers
from agents.settings import SettingsError
from streams.profiles.load import profile
from tests.gateway.conftest import NOW, running, settings
from tests.simulated import weeks_folded

OWN, TWO, STATE = "district-administrator@159", "district-administrator@161+162", "state-administrator"


@pytest.fixture(scope="module")
def source() -> ShadowSource:
    return ShadowSource(weeks_folded())


@pytest.fixture
async def gateway(source):
    async with running() as found:
        found.board.source = source
        yield found


async def test_an_administrator_sees_every_department_of_his_own_district(gateway, source):
    status, found, headers = await gateway.get("/v1/districts/159/board?system=up-1076", role=OWN)

    assert (status, headers["Cache-Control"]) == (200, "no-store")
    (board,) = found["systems"]
    assert (found["district"], found["at"], board["system"]) == (159, NOW, "up-1076")
    assert board["name"]["hi"] == "लखीमपुर खीरी"
    rows = board["rows"]
    assert len({row["department"] for row in rows}) > 3
    assert {row["department"] for row in rows} <= set(profile("up-1076").departments)
    assert sum(row["pending"] for row in rows) == board["pending"] > 0
    assert all(sum(row["ages"]) == row["pending"] for row in rows)
    assert len(board["ages_days"]) + 1 == len(rows[0]["ages"])


@pytest.mark.parametrize("role", ["citizen-channel", "call-centre", "officer", "sms-gateway"])
async def test_other_roles_may_not(gateway, role):
    status, problem, _ = await gateway.get("/v1/districts/159/board", role=role)
    assert (status, problem["type"]) == (403, "urn:nivaran:problem:forbidden")


@pytest.mark.parametrize(
    ("role", "district", "status"),
    [(OWN, 159, 200), (OWN, 161, 403), (OWN, 999, 403), (OWN, 0, 403), (TWO, 161, 200), (TWO, 162, 200),
     (TWO, 159, 403), (STATE, 159, 200), (STATE, 120, 200), (STATE, 999, 404)],
)  # fmt: skip
async def test_the_scope_is_the_tokens_own_districts(gateway, role, district, status):
    found, answer, _ = await gateway.get(f"/v1/districts/{district}/board", role=role)
    assert found == status
    assert ("systems" in answer) == (status == 200)


@pytest.mark.parametrize("code", ["159x", "-1", "1599999", "%D9%A1", "159%2F161"])
async def test_what_is_no_code_is_no_district(gateway, code):
    assert (await gateway.get(f"/v1/districts/{code}/board", role=OWN))[0] == 404


async def test_a_mistyped_filter_is_refused_by_name(gateway):
    status, problem, _ = await gateway.get("/v1/districts/159/board?sistem=up-1076", role=OWN)
    assert status == 400
    assert [error["field"] for error in problem["errors"]] == ["sistem"]


async def test_no_token_no_board(gateway):
    assert (await gateway.get("/v1/districts/159/board", role=None))[0] == 401


@pytest.mark.parametrize("path", ["/v1/feedback/calls?system=up-1076"])
async def test_an_administrators_token_opens_no_list_with_numbers(gateway, path):
    assert (await gateway.get(path, role=OWN))[0] == 403


async def test_a_system_that_does_not_serve_the_district_is_told_with_those_that_do(gateway):
    assert (await gateway.get("/v1/districts/159/board?system=up-1076", role=OWN))[0] == 200
    status, problem, _ = await gateway.get("/v1/districts/159/board?system=nyc-council", role=OWN)
    assert (status, problem["detail"]) == (404, f"the district is served by {', '.join(systems_of(159))}")
    status, problem, _ = await gateway.get("/v1/districts/159/board?system=up-1067", role=OWN)
    detail = f"must be one of {', '.join(systems_of(159))}"
    assert (status, problem["errors"]) == (400, [{"field": "system", "detail": detail}])


async def test_it_says_what_the_log_says(gateway, source):
    """Pending, unseen, due soon and today's counts against the facts of the district themselves."""
    _, found, _ = await gateway.get("/v1/districts/159/board?system=up-1076", role=OWN)
    (board,) = found["systems"]
    stays = await _stays(source, 159)
    assert board["pending"] == len(stays)
    assert sum(row["unseen"] for row in board["rows"]) == sum(stay.seen_at is None for stay in stays)
    assert board["due_soon"] == sum(NOW < (stay.due_at or 0) <= NOW + 86_400_000 for stay in stays)
    assert sum(each["unseen"] for each in board["not_looked"]) == sum(stay.seen_at is None for stay in stays)
    unseen = [each["unseen"] for each in board["not_looked"]]
    assert unseen == sorted(unseen, reverse=True)


async def _stays(source, district):
    return await Registers(source, "up-1076", "Asia/Kolkata").present(district)


@pytest.mark.parametrize(
    ("line", "said"),
    [("district-administrator:a-token-of-16-chars", "needs its districts: district-administrator@159:token"),
     ("officer@159:a-token-of-16-chars", "the role officer is for no district"),
     ("district-administrator@Kheri:a-token-of-16-chars", "LGD codes joined by +"),
     ("district-administrator@159+:a-token-of-16-chars", "LGD codes joined by +")],
)  # fmt: skip
def test_a_token_without_its_districts_is_refused_at_start(line, said):
    with pytest.raises(SettingsError, match="NIVARAN_API_TOKENS") as told:
        tokens(settings(api_tokens=line))
    assert said in str(told.value)
    assert "16-chars" not in str(told.value)
