"""Open311 as its clients read it: how a request stands, and lists of requests by the page's filters."""

import pytest

from agents.readmodel.listing import MOST_LISTED, read_listing
from schemas.codec import iso
from streams.profiles.profile import DAY_MS
from tests.gateway.conftest import CASE, NOW
from tests.gateway.open311 import FORM, KEY, OPEN, RESTRICTED, ask, folded, number, said, served


@pytest.fixture
async def gateway():
    async with served() as found:
        yield found


async def test_how_a_request_stands(gateway):
    gateway.board.cases[CASE] = OPEN
    status, [found], _ = await ask(gateway, f"requests/{CASE}.json", api_key=KEY)
    assert status == 200
    assert (found["status"], found["service_code"], found["agency_responsible"]) == ("open", "hand-pump", "जल निगम")
    assert found["requested_datetime"] == iso(NOW - DAY_MS)
    assert found["expected_datetime"] == found["extended_attributes"]["due"] == iso(NOW + DAY_MS)
    assert found["extended_attributes"] == {
        "state": "open", "level": 2, "due": iso(NOW + DAY_MS), "owner_office": "water:dm@159", "satisfaction": None,
        "escalations": 1, "duplicate_of": None,
    }  # fmt: skip
    assert found["address"] == "block gola, लखीमपुर खीरी"
    _, (_, [(_, parts)]), _ = await ask(gateway, f"requests/{CASE}.xml", api_key=KEY)
    assert [name for name, _ in parts] == list(found)
    assert dict(dict(parts)["extended_attributes"])["level"] == "2"


@pytest.mark.parametrize(
    ("shown", "status", "state", "satisfaction"),
    [
        ({"status": "disposed"}, "open", "disposed", None),
        ({"status": "closed", "outcome": "satisfied", "closed_at": NOW}, "closed", "closed", "satisfied"),
        ({"status": "closed", "outcome": "special", "closed_at": NOW}, "closed", "closed", None),
        ({"status": "recorded"}, "closed", "recorded", None),
    ],
)
async def test_closed_is_what_has_an_end(gateway, shown, status, state, satisfaction):
    gateway.board.cases[CASE] = OPEN | shown
    _, [found], _ = await ask(gateway, f"requests/{CASE}.json", api_key=KEY)
    extended = found["extended_attributes"]
    assert (found["status"], extended["state"], extended["satisfaction"]) == (status, state, satisfaction)


async def test_numbers_that_became_no_case_of_their_own(gateway):
    other = await number(gateway)
    gateway.board.cases[other] = {"case": other, "status": "duplicate", "duplicate_of": CASE}
    gateway.board.cases[CASE] = {
        "case": CASE, "status": "rejected", "system": "up-1076", "reason": "monthly-cap",
        "detail": "mobile: ten a month", "at": NOW,
    }  # fmt: skip
    _, [linked], _ = await ask(gateway, f"requests/{other}.json", api_key=KEY)
    assert (linked["status"], linked["extended_attributes"]["duplicate_of"]) == ("closed", CASE)
    assert CASE in linked["status_notes"]
    _, [token], _ = await ask(gateway, f"tokens/{other}.json", api_key=KEY)
    assert token == {"service_request_id": CASE, "token": other}
    _, [refused], _ = await ask(gateway, f"requests/{CASE}.json", api_key=KEY)
    assert refused["status"] == "closed"
    assert refused["status_notes"].endswith("mobile: ten a month")


async def test_of_a_restricted_case_the_citizen_is_told_how_it_stands_and_no_more(gateway):
    gateway.board.cases[CASE] = RESTRICTED
    _, [found], _ = await ask(gateway, f"requests/{CASE}.json", api_key=KEY)
    told = {name for name, value in found.items() if value is not None}
    assert told == {"service_request_id", "status", "status_notes", "requested_datetime", "extended_attributes"}
    assert {name for name, value in found["extended_attributes"].items() if value is not None} == {"state"}


async def test_an_operator_may_let_requests_be_read_without_a_key():
    async with served(NIVARAN_OPEN311_READING="open") as gateway:
        gateway.board.cases[CASE] = RESTRICTED
        status, [found], _ = await ask(gateway, f"requests/{CASE}.json")
        assert (status, found["service_code"]) == (200, None)
        status, _, _ = await ask(gateway, "requests.json", {name: FORM[name] for name in FORM if name != "api_key"})
        assert status == 403


async def test_lists_are_the_cases_registered_in_the_time_that_the_filters_let_through(gateway):
    gateway.board.source, views = folded()
    last = max(view.registered_at for view in views)
    gateway.services.clock.now = lambda: last + 1
    since, until = last - 5 * DAY_MS, last - DAY_MS
    query = {
        "api_key": KEY, "jurisdiction_id": "up-1076", "start_date": iso(since), "end_date": iso(until),
        "service_code": "hand-pump,garbage", "status": "open",
    }  # fmt: skip
    status, found, _ = await ask(gateway, "requests.json", **query)
    expected = [
        view.case
        for view in sorted(views, key=lambda view: (view.registered_at, view.case), reverse=True)
        if since <= view.registered_at <= until
        and view.category in {"hand-pump", "garbage"}
        and view.status in {"registered", "open", "disposed"}
        and not view.visible_to
    ]
    assert status == 200
    assert expected
    assert [each["service_request_id"] for each in found] == expected
    _, (root, requests), _ = await ask(gateway, "requests.xml", **query)
    assert (root, len(requests)) == ("service_requests", len(expected))


async def test_without_filters_the_latest_come_and_none_that_is_restricted(gateway):
    gateway.board.source, views = folded()
    last = max(view.registered_at for view in views)
    gateway.services.clock.now = lambda: last
    _, found, _ = await ask(gateway, "requests.json", api_key=KEY, jurisdiction_id="up-1076")
    restricted = {view.case for view in views if view.visible_to}
    assert restricted
    assert len(found) == min(MOST_LISTED, len(views) - len(restricted))
    assert not restricted & {each["service_request_id"] for each in found}
    times = [each["requested_datetime"] for each in found]
    assert times == sorted(times, reverse=True)


async def test_numbers_override_every_other_filter(gateway):
    gateway.board.cases[CASE] = OPEN
    query = {"api_key": KEY, "service_request_id": f"{CASE}, 109", "status": "closed"}
    status, found, _ = await ask(gateway, "requests.json", **query)
    assert (status, [each["service_request_id"] for each in found]) == (200, [CASE])


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"start_date": "2026-01-01"}, {"start_date"}),
        ({"start_date": "2026-02-01T00:00:00+05:30", "end_date": "2026-01-01T00:00:00Z"}, {"end_date"}),
        ({"start_date": iso(NOW - 91 * DAY_MS)}, {"start_date"}),
        ({"start_date": iso(NOW - 150 * DAY_MS), "end_date": iso(NOW - 120 * DAY_MS)}, {"start_date"}),
        ({"status": "open,shut", "service_code": "handpump"}, {"status", "service_code"}),
        ({"service_request_id": ",".join(map(str, range(51)))}, {"service_request_id"}),
        ({"page": "2"}, {"page"}),
    ],
)
async def test_a_list_that_cannot_be_answered_is_refused(gateway, query, fields):
    status, errors, _ = await ask(gateway, "requests.json", api_key=KEY, jurisdiction_id="up-1076", **query)
    assert (status, said(errors)) == (400, fields)


async def test_a_time_with_too_many_cases_to_filter_is_refused(gateway, monkeypatch):
    monkeypatch.setattr("agents.readmodel.listing.MOST_LOOKED_AT", 10)
    monkeypatch.setattr("agents.readmodel.listing.TOGETHER", 5)
    gateway.board.source, views = folded()
    last = max(view.registered_at for view in views)
    listing = await read_listing(gateway.board.source, "up-1076", 0, last, lambda view: view.category == "none")
    assert not listing.whole
    gateway.services.clock.now = lambda: last
    query = {"api_key": KEY, "jurisdiction_id": "up-1076", "service_code": "bribe-demand"}
    status, errors, _ = await ask(gateway, "requests.json", **query)
    assert (status, said(errors)) == (400, {"start_date"})
