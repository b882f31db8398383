"""The list of feedback calls: of three simulated weeks, and of cases told one by one."""

import base64
import csv
import io
import re

import pytest

from agents.audit.board import ShadowSource
from agents.gateway.call_rows import CallRow
from agents.readmodel.calls import due_calls
from agents.simulate.door import STAND_IN
from schemas import events as e
from schemas.codec import decoder
from schemas.topics import CASE_EVENTS
from tests.gateway.conftest import Gateway, running
from tests.simulated import weeks, weeks_folded

PATH = "/v1/feedback/calls"
UP = {"system": "up-1076"}
_decode = decoder(e.Event)


async def ask(gateway: Gateway, *, role: str = "call-centre", **query: str):
    path = f"{PATH}?" + "&".join(f"{name}={value}" for name, value in (UP | query).items())
    return await gateway.get(path, role=role)


@pytest.fixture
async def weeks_gateway():
    async with running() as gateway:
        gateway.board.source = ShadowSource(weeks_folded())
        yield gateway


def waiting() -> dict[str, e.FeedbackCallDue]:
    """From the facts alone: calls that fell due, and nothing of the case's feedback or end after them."""
    found: dict[str, e.FeedbackCallDue] = {}
    ends = (e.FeedbackAttempted, e.CitizenSatisfied, e.CitizenDissatisfied, e.CaseClosed)
    for entry in weeks().read(CASE_EVENTS):
        fact = _decode(entry.value or b"")
        if isinstance(fact, e.FeedbackCallDue):
            found[fact.case] = fact
        elif isinstance(fact, ends):
            found.pop(fact.case, None)
    return found


async def test_the_list_is_what_the_facts_say_of_every_case(weeks_gateway) -> None:
    status, answer, headers = await ask(weeks_gateway, limit="1000")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    due = waiting()
    assert due, "three weeks leave calls to make"
    held = {call.case: call for call in await due_calls(ShadowSource(weeks_folded()), "up-1076")}
    assert {case: (call.due_at, call.attempt) for case, call in held.items()} == {
        case: (fact.at, fact.attempt) for case, fact in due.items()
    }
    rows = answer["rows"]
    assert len(rows) + answer["left"] + answer["hidden"] == len(due)
    assert [row["due_at"] for row in rows] == sorted(row["due_at"] for row in rows)
    assert all(not held[row["case"]].visible_to for row in rows)
    assert answer["hidden"] == sum(bool(call.visible_to) for call in held.values())


async def test_it_is_narrowed_by_district_department_and_limit(weeks_gateway) -> None:
    _, whole, _ = await ask(weeks_gateway, limit="1000")
    first = whole["rows"][0]
    _, part, _ = await ask(weeks_gateway, district=str(first["district"]), department=first["department"])
    assert part["rows"]
    assert {(row["district"], row["department"]) for row in part["rows"]} == {(first["district"], first["department"])}
    _, one, _ = await ask(weeks_gateway, limit="1")
    assert (one["rows"], one["left"]) == ([first], len(whole["rows"]) - 1)


async def test_a_dialler_gets_the_same_as_csv(weeks_gateway) -> None:
    _, answer, _ = await ask(weeks_gateway, limit="5")
    sent = {"Authorization": "Bearer call-centre-token-of-the-tests"}
    async with weeks_gateway.client.get(PATH, params=UP | {"limit": "5", "format": "csv"}, headers=sent) as response:
        assert response.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert list(rows[0]) == list(CallRow.__struct_fields__)
    assert rows == [{name: str(value) for name, value in row.items()} for row in answer["rows"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"system": "up-1077"}, "system"), ({"district": "999999"}, "district"), ({"department": "nobody"}, "department"),
     ({"limit": "0"}, "limit"), ({"limit": "1001"}, "limit"), ({"limit": "x"}, "limit"), ({"format": "xml"}, "format"),
     ({"distrct": "159"}, "distrct")],
)  # fmt: skip
async def test_a_bad_filter_is_named(gateway, query: dict[str, str], field: str) -> None:
    status, problem, _ = await ask(gateway, **query)
    assert (status, [error["field"] for error in problem["errors"]]) == (400, [field])


@pytest.mark.parametrize("role", ["citizen-channel", "officer", "sms-gateway", "state-administrator"])
async def test_numbers_are_for_the_call_centre_only(gateway, role: str) -> None:
    assert (await ask(gateway, role=role))[0] == 403


async def test_the_number_is_opened_for_who_calls_and_stands_nowhere_in_clear() -> None:
    async with running(contact_key=base64.urlsafe_b64encode(STAND_IN).decode()) as gateway:
        gateway.board.source = ShadowSource(weeks_folded())
        _, answer, _ = await ask(gateway)
    held = weeks_folded().fields[weeks_folded().keys.calls("up-1076")]
    for row in answer["rows"]:
        assert re.fullmatch("[0-9]{10}", row["mobile"])
        assert row["mobile"].encode() not in held[row["case"]]


async def test_another_key_opens_nothing_and_the_row_is_still_there(weeks_gateway) -> None:
    _, answer, _ = await ask(weeks_gateway, limit="1")
    assert answer["rows"][0]["mobile"] == ""
