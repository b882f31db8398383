"""Missed calls to return and recordings to cite, over HTTP on a real Redis."""

import asyncio
import csv
import hashlib
import io

import pytest

from agents.gateway.services import connect
from schemas.commands import ConfirmSatisfied
from tests.gateway.conftest import CASE, NOW, TOKENS
from tests.gateway.ivr import AUDIO, done, passthru, serving, told

pytestmark = pytest.mark.live


@pytest.fixture
async def telephony(redis_url):
    """A gateway; what other tests left is gone."""
    redis = connect(redis_url, 10)
    async for key in redis.scan_iter(match="nivaran-gateway:*"):
        await redis.delete(key)
    async with serving(redis_url) as (gateway, place):
        yield gateway, place
    await redis.aclose()


async def rows(gateway) -> list[dict]:
    status, answer, headers = await gateway.get("/v1/call-backs", role="call-centre")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    return answer["rows"]


async def test_a_missed_call_is_one_task_a_person_however_often_it_is_told(telephony) -> None:
    gateway, _ = telephony
    calls = [("c1", "09876543210"), ("c1", "09876543210"), ("c2", "+919876543210"), ("c3", "9876500000")]
    for call, caller in calls:
        assert (await told(gateway, passthru(call, caller)))[0] == 200
    assert (await told(gateway, passthru("c2", "9876543210"), form=True))[0] == 200
    found = {row["mobile"]: row for row in await rows(gateway)}
    assert {mobile: row["calls"] for mobile, row in found.items()} == {"9876543210": 2, "9876500000": 1}
    assert {(row["first_at"], row["last_at"]) for row in found.values()} == {(NOW, NOW)}
    headers = {"Authorization": f"Bearer {TOKENS['call-centre']}"}
    async with gateway.client.get("/v1/call-backs?format=csv", headers=headers) as response:
        lines = list(csv.DictReader(io.StringIO(await response.text())))
    assert {line["mobile"] for line in lines} == set(found)


@pytest.mark.parametrize(
    "change", [{"CallType": "completed"}, {"CallType": "voicemail"}, {"Direction": "outbound-dial"}]
)
async def test_what_was_answered_or_was_our_own_call_is_no_task(telephony, change) -> None:
    gateway, _ = telephony
    assert (await told(gateway, passthru("c1", "9876543210", **change)))[0] == 200
    assert await rows(gateway) == []


async def test_a_task_that_is_done_goes_and_a_later_call_is_a_new_one(telephony) -> None:
    gateway, _ = telephony
    await told(gateway, passthru("c1", "9876543210"))
    [task] = await rows(gateway)
    assert await done(gateway, task["id"], role="officer") == 403
    assert [await done(gateway, task["id"]) for _ in range(2)] == [204, 404]
    await told(gateway, passthru("c1", "9876543210"))
    assert await rows(gateway) == [], "told again of a call that was returned"
    await told(gateway, passthru("c2", "9876543210"))
    assert [row["calls"] for row in await rows(gateway)] == [1]


async def test_the_same_call_told_at_once_by_many_is_one(telephony) -> None:
    gateway, _ = telephony
    answers = await asyncio.gather(*(told(gateway, passthru("c1", "9876543210")) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert [row["calls"] for row in await rows(gateway)] == [1]


async def test_a_recording_is_known_by_its_call_and_an_action_can_cite_it(telephony) -> None:
    gateway, place = telephony
    sent = passthru("c9", "9876543210", CallType="completed", DialCallDuration="142", RecordingUrl=f"{place.url}a.mp3")
    assert [(await told(gateway, dict(sent)))[0] for _ in range(2)] == [200, 200]
    assert place.asked == 1
    status, recording, _ = await gateway.get("/v1/recordings/c9", role="call-centre")
    assert status == 200
    assert recording == {
        "store": "exotel", "ref": "a.mp3", "sha256": hashlib.sha256(AUDIO).hexdigest(),
        "started_at": 1_771_833_620_000, "duration_ms": 142_000,
    }  # fmt: skip
    body = {"type": "confirm-satisfied", "by": {"role": "call-centre", "officer": "a7"}, "recording": recording}
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", body))[0] == 202
    [entry] = gateway.log.entries
    assert isinstance(entry.value, ConfirmSatisfied)
    assert entry.value.recording.ref == "a.mp3"
    assert (await gateway.get("/v1/recordings/c8", role="call-centre"))[0] == 404


async def test_a_recording_that_is_not_there_yet_is_told_of_again(telephony) -> None:
    gateway, place = telephony
    sent = passthru("c9", "9876543210", CallType="completed", DialCallDuration="142", RecordingUrl=f"{place.url}a.mp3")
    place.there = False
    assert (await told(gateway, dict(sent)))[0] == 503
    assert (await told(gateway, sent | {"RecordingUrl": f"{place.url}moved.mp3"}))[0] == 503, "no redirect is followed"
    place.there = True
    assert (await told(gateway, dict(sent)))[0] == 200


async def test_a_hash_that_the_provider_tells_needs_no_fetching(telephony) -> None:
    gateway, place = telephony
    sent = passthru("c9", "9", CallType="completed", RecordingUrl=f"{place.url}a.mp3", sha256="a" * 64)
    assert (await told(gateway, sent, form=True))[0] == 200
    assert not place.asked


async def test_no_number_stands_in_redis_in_clear(telephony, redis_url) -> None:
    gateway, _ = telephony
    await told(gateway, passthru("c1", "9876543210"))
    redis = connect(redis_url, 10)
    dumped = [await redis.dump(key) + key async for key in redis.scan_iter(match="nivaran-gateway:*")]
    await redis.aclose()
    assert dumped
    assert not any(b"9876543210" in each for each in dumped)
