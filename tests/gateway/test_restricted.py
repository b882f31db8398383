"""Cases of restricted classes: over HTTP they are seen in the roles their system names for them, and in no other."""

import msgspec
import pytest

from agents.audit.board import ShadowSource
from agents.gateway.auth import tokens
from agents.readmodel.reader import FeedEntry
from agents.readmodel.review import Registers
from agents.settings import SettingsError
from schemas import events as e
from schemas.base import Because
from schemas.codec import encode
from streams.profiles.load import profile
from tests.gateway.conftest import CASE, running, settings
from tests.gateway.test_feed import ids, listening
from tests.simulated import weeks_folded

UP = profile("up-1076")
SEEN_BY = ["call-centre", "supervisor", "police"]
FOUND = {
    "case": CASE, "system": "up-1076", "status": "open", "registered_at": 5, "category": "fir-not-registered",
    "restricted": "police", "visible_to": SEEN_BY, "timeline": [{"text": "थाने में सुनवाई नहीं"}],
}  # fmt: skip


RAISED = e.EscalationRaised(
    case=CASE, seq=3, at=7, system="up-1076", case_type="complaint", district=159, department="police",
    category="fir-not-registered", cause="time-out", from_level=1, to_level=2, from_office="police:co@159",
    to_office="police:sp@159", age_ms=2, due_at=None, because=Because("r", "p", "c"), restricted="police",
    visible_to=tuple(SEEN_BY),
)  # fmt: skip


@pytest.mark.parametrize(("role", "status"), [("officer", 403), ("call-centre", 200), ("officer/police", 200)])
async def test_a_restricted_case_is_shown_to_the_roles_it_names(gateway, role, status):
    gateway.board.cases[CASE] = FOUND
    found, answer, _ = await gateway.get(f"/v1/cases/{CASE}", role=role)
    assert found == status
    if status == 200:
        assert answer == FOUND
    else:
        assert not {"police", "fir-not-registered"} & set(msgspec.json.encode(answer).decode().split('"'))


async def test_the_citizen_is_told_how_it_stands_and_no_more(gateway):
    gateway.board.cases[CASE] = FOUND
    status, answer, _ = await gateway.get(f"/v1/cases/{CASE}", role="citizen-channel")
    assert (status, answer) == (200, {"case": CASE, "system": "up-1076", "status": "open", "registered_at": 5})


@pytest.mark.parametrize(("role", "heard"), [("officer", ["2-0"]), ("officer/police", ["1-0", "2-0"])])
async def test_escalations_are_heard_of_by_the_roles_they_name(gateway, role, heard):
    gateway.board.feed += [
        FeedEntry("1-0", "police", 159, encode(RAISED), tuple(SEEN_BY)),
        FeedEntry("2-0", "water", 159, b"{}"),
    ]
    async with listening(gateway, last="0-0", role=role) as response:
        assert await ids(response, len(heard)) == heard


async def test_on_a_districts_board_a_restricted_case_counts_without_its_number():
    source = ShadowSource(weeks_folded())
    registers = Registers(source, "up-1076", UP.zone)
    lines = {district: await registers.defaulters(district, "2026-01") for district in UP.districts}
    restricted = {each.due_at: district for district, found in lines.items() for each in found if each.restricted}
    last = max(restricted)
    async with running() as gateway:
        gateway.board.source = source
        gateway.services.clock.now = lambda: last + 1
        boards = {}
        for role in ("state-administrator", "state-administrator/supervisor"):
            status, found, _ = await gateway.get(f"/v1/districts/{restricted[last]}/board?system=up-1076", role=role)
            assert status == 200
            boards[role] = found["systems"][0]["defaulters_today"]
    hidden, shown = boards.values()
    assert len(hidden) == len(shown)
    assert any(each["case"] is None for each in hidden)
    assert all(each["case"] is not None for each in shown)


def test_a_token_may_be_for_a_district_and_name_roles():
    known = tokens(settings(api_tokens="district-administrator/police+vigilance@159:a-token-of-16-chars"))
    caller = known.caller("Bearer a-token-of-16-chars")
    assert (caller.role, caller.districts) == ("district-administrator", {159})
    assert caller.sees == {"district-administrator", "police", "vigilance"}


def test_a_role_that_no_system_names_is_refused_at_start():
    with pytest.raises(SettingsError, match="no system lets a role 'polise' see restricted cases; there are") as told:
        tokens(settings(api_tokens="officer/polise:a-token-of-16-chars"))
    assert "16-chars" not in str(told.value)
