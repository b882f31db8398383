"""The API keeps to its own description, whatever is sent."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate

from agents.gateway.activities import LISTS, REQUESTS
from agents.gateway.app import ROUTES
from agents.gateway.openapi import document
from agents.gateway.requests import ACTION_REQUESTS
from streams.profiles.load import profiles
from tests.gateway.conftest import CASE, COMPLAINT, TOKENS, running

pytestmark = pytest.mark.thorough
ROLES = {
    "actOnCase": "officer",
    "streamEscalations": "officer",
    "reportDelivery": "sms-gateway",
    "getDistrictBoard": "state-administrator",
    "tellOfOfficer": "officer",
    **{f"list{name.capitalize()}": "state-administrator" for name in LISTS},
}
MAX_BODY = 65_536
schema = schemathesis.openapi.from_dict(document(MAX_BODY)).exclude(operation_id="streamEscalations")
schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A gateway in a thread of its own."""
    found: Future[str] = Future()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with running() as gateway:
            gateway.board.cases[CASE] = {"case": CASE, "status": "open"}
            found.set_result(str(gateway.client.make_url("")).rstrip("/"))
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    yield found.result(20)
    loop.call_soon_threadsafe(ended.set)
    thread.join(20)
    loop.close()


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case, url):
    role = ROLES.get(case.operation.definition.raw.get("operationId"), "call-centre")
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {TOKENS[role]}"})


def test_the_description_is_valid_and_complete():
    found = document(MAX_BODY)
    validate(found)
    described = {
        (method.upper(), path) for path, item in found["paths"].items() for method in item if method != "parameters"
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    assert set(found["components"]["schemas"]["ActionRequest"]["discriminator"]["mapping"]) == set(ACTION_REQUESTS)
    assert set(found["components"]["schemas"]["ActivityRequest"]["discriminator"]["mapping"]) == set(REQUESTS)
    for system in profiles():
        assert f"ComplaintTo-{system}" in found["components"]["schemas"]


async def test_it_is_served(gateway):
    status, found, _ = await gateway.get("/openapi.json", role=None)
    assert (status, found["openapi"]) == (200, "3.1.0")
    assert "\\A" not in str(found)
    assert (await gateway.post("/v1/complaints", COMPLAINT))[0] == 202
