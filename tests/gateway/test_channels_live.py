"""The channels with a real Redis: repeats are answered as before, and lists come from the read model."""

import uuid

import pytest
from redis.asyncio import Redis

from agents.gateway.channels.table import routes_of_channels
from agents.readmodel.model import ReadModel
from agents.readmodel.reader import Reader
from agents.readmodel.rebuild import drop
from schemas.events import CaseRegistered
from schemas.topics import CASE_EVENTS
from tests.boardlog import partitioned, slices, story_driver, values
from tests.gateway.conftest import NOW, running
from tests.gateway.test_cloudevents import BATCH, event, send
from tests.gateway.test_open311 import ENVIRON, FORM, ask

pytestmark = pytest.mark.live


@pytest.fixture
async def gateway(redis_url):
    routes = routes_of_channels(ENVIRON | {"NIVARAN_CLOUDEVENTS": "on"})
    async with running(redis_url, channels=routes) as found:
        yield found


@pytest.fixture
def form() -> dict[str, str]:
    """One that no other test of this run has: they share Redis."""
    return FORM | {"description": f"हैण्डपम्प {uuid.uuid4().hex} खराब है"}


async def test_a_window_begins_with_the_first_of_a_body_whatever_the_clock_says(gateway, form):
    window = 600_000
    edge = NOW // window * window + window
    said = []
    for at in (edge - 1000, edge + 1000, edge + window - 2000, edge + window - 500):
        gateway.services.clock.now = lambda at=at: at
        status, [request], headers = await ask(gateway, "requests.json", form)
        assert status == 200
        said.append((request["service_request_id"], "Idempotency-Replayed" in headers))
    first, again, still, later = said
    assert again == still == (first[0], True)
    assert later[0] != first[0]
    assert len(gateway.log.entries) == 2


async def test_a_key_used_with_another_body_is_refused(gateway, form):
    form |= {"idempotency_key": f"live-{uuid.uuid4().hex}"}
    assert (await ask(gateway, "requests.json", form))[0] == 200
    status, [error], _ = await ask(gateway, "requests.json", form | {"description": "कुछ और"})
    assert (status, error["code"]) == (400, 400)
    assert "idempotency key" in error["description"]


async def test_a_number_given_out_is_open_before_the_board_has_it(gateway, form):
    _, [request], _ = await ask(gateway, "requests.json", form)
    case = request["service_request_id"]
    _, [found], _ = await ask(gateway, f"requests/{case}.json", api_key=FORM["api_key"])
    assert (found["status"], found["extended_attributes"]["state"]) == ("open", "accepted")
    _, [token], _ = await ask(gateway, f"tokens/{case}.json", api_key=FORM["api_key"])
    assert token == {"service_request_id": case, "token": case}


async def test_an_event_sent_again_writes_nothing_and_another_of_its_id_is_refused(gateway):
    source = f"/portal/{uuid.uuid4().hex}"
    first = await send(gateway, event(source=source))
    status, answer, headers = await send(gateway, event(source=source))
    assert (status, answer, headers["Idempotency-Replayed"]) == (202, first[1], "true")
    status, problem, _ = await send(gateway, event(source=source, data=event()["data"] | {"text": "कुछ और"}))
    assert (status, "source and id" in problem["detail"]) == (422, True)
    status, problem, _ = await send(gateway, [event(source=source), event(source=source, id="2")], BATCH)
    assert [each.get("replayed", False) for each in problem["events"]] == [True, False]
    assert len(gateway.log.entries) == 2


async def test_lists_are_read_from_redis_the_latest_first(redis_url):
    redis = Redis.from_url(redis_url)
    prefix = f"listing-{uuid.uuid4().hex[:8]}"
    driver = story_driver()
    facts = [
        fact for fact in values(driver, CASE_EVENTS) if isinstance(fact, CaseRegistered) and fact.system == "up-1076"
    ]
    ranked = [fact.case for fact in sorted(facts, key=lambda fact: (fact.at, fact.case), reverse=True)]
    times = sorted(fact.at for fact in facts)
    middle = times[len(times) // 2]
    try:
        model, reader = ReadModel(redis, prefix), Reader(redis, prefix)
        for part in slices(partitioned(driver), seed=1):
            await model.apply(part)
        found = await reader.registered("up-1076", times[0], times[-1], lambda _: True)
        assert (found.whole, [view.case for view in found.views]) == (True, ranked)
        part = await reader.registered("up-1076", middle, times[-1], lambda view: view.status == "closed")
        assert {view.case for view in part.views} == {
            view.case for view in found.views if view.registered_at >= middle and view.status == "closed"
        }
    finally:
        await drop(redis, prefix)
        await redis.aclose()
