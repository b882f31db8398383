"""Telephony's door: set up, keys, parameters; and what it does without Redis."""

import pytest

from agents.gateway.channels.ivr.calls import PATH, routes
from agents.settings import SettingsError
from tests.gateway.conftest import MOBILE
from tests.gateway.ivr import ENVIRON, KEY, NEXT_KEY, passthru, serving, told


def test_it_is_served_only_where_it_is_set_up() -> None:
    assert routes({}) == ()
    assert {route.path for route in routes(ENVIRON)} == {
        PATH, "/v1/call-backs", "/v1/call-backs/{id}/done", "/v1/recordings/{call}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("SYSTEM", "up-1077"), ("KEYS", ""), ("KEYS", "short"), ("PARAMETERS", "phone=From"), ("PARAMETERS", "call="),
     ("RECORDINGS", "https://host"), ("RECORDINGS", "ftp://host/"), ("STORE", "A Store"), ("DAYS", "0")],
)  # fmt: skip
def test_a_bad_setting_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"NIVARAN_IVR_{name}"):
        routes(ENVIRON | {f"NIVARAN_IVR_{name}": value})


async def test_either_key_is_known_and_no_other() -> None:
    begun = passthru("call-1", MOBILE, CallType="call")
    async with serving() as (gateway, _):
        for key, status in ((KEY, 200), (NEXT_KEY, 200), ("", 401), ("another-key-altogether", 401)):
            assert (await told(gateway, begun | {"key": key}))[0] == status
            assert (await told(gateway, begun | {"key": key}, form=True))[0] == status


@pytest.mark.parametrize(
    ("change", "field"),
    [({"CallSid": ""}, "CallSid"), ({"CallSid": "a b"}, "CallSid"), ({"CallFrom": "anonymous"}, "CallFrom")],
)
async def test_a_bad_parameter_is_named(change: dict[str, str], field: str) -> None:
    async with serving() as (gateway, _):
        status, answer = await told(gateway, passthru("call-1", MOBILE, **change))
    assert (status, [line.partition(":")[0] for line in answer.splitlines()[1:]]) == (400, [field])


@pytest.mark.parametrize(
    ("change", "field"),
    [({"StartTime": "now"}, "StartTime"), ({"DialCallDuration": "1.5"}, "DialCallDuration"),
     ({"sha256": "x"}, "sha256"),
     *(({"RecordingUrl": url}, "RecordingUrl") for url in (
         "http://169.254.169.254/latest", "{}../secret", "{}%2e%2e/secret", "{}", "{}" + "x" * 201, "file:///etc/passwd",
     ))],
)  # fmt: skip
async def test_a_recording_told_wrongly_or_kept_elsewhere_is_not_fetched(change: dict[str, str], field: str) -> None:
    async with serving() as (gateway, place):
        sent = passthru("call-1", MOBILE, CallType="completed", RecordingUrl=f"{place.url}a.mp3", DialCallDuration="7")
        status, answer = await told(gateway, sent | {name: text.format(place.url) for name, text in change.items()})
    assert (status, [line.partition(":")[0] for line in answer.splitlines()[1:]]) == (400, [field])
    assert not place.asked


async def test_while_redis_is_away_no_missed_call_and_no_recording_is_taken() -> None:
    async with serving() as (gateway, place):
        assert (await told(gateway, passthru("call-1", MOBILE)))[0] == 503
        recorded = passthru("call-1", MOBILE, CallType="completed", RecordingUrl=f"{place.url}a.mp3")
        assert (await told(gateway, recorded))[0] == 503
        assert (await gateway.get("/v1/call-backs", role="call-centre"))[0] == 503


async def test_lists_are_for_the_call_centre_only() -> None:
    async with serving() as (gateway, _):
        for path in ("/v1/call-backs", "/v1/recordings/call-1"):
            assert (await gateway.get(path, role="officer"))[0] == 403
            assert (await gateway.get(path, role=None))[0] == 401


async def test_recordings_are_left_where_no_place_is_set() -> None:
    async with serving(NIVARAN_IVR_RECORDINGS="") as (gateway, place):
        sent = passthru("call-1", MOBILE, CallType="completed", RecordingUrl=f"{place.url}a.mp3")
        assert (await told(gateway, sent))[0] == 200
        async with gateway.client.get("/metrics") as response:
            assert 'messages_total{channel="ivr",outcome="recording-not-taken"} 1.0' in await response.text()
    assert not place.asked
