"""The webhook's door: set up, verified, signed; and what it does without Redis."""

import pytest

from agents.gateway.channels.whatsapp.webhook import PATH, routes
from agents.settings import SettingsError
from tests.gateway.whatsapp import ENVIRON, VERIFY, Person, notification, post, serving, signed


def test_it_is_served_only_where_it_is_set_up_and_needs_all_of_it() -> None:
    assert routes({}) == ()
    assert [(route.method, route.path) for route in routes(ENVIRON)] == [("GET", PATH), ("POST", PATH)]
    for name in ("VERIFY_TOKEN", "APP_SECRETS", "NUMBER_ID", "TOKEN"):
        with pytest.raises(SettingsError, match=f"NIVARAN_WHATSAPP_{name}"):
            routes(ENVIRON | {f"NIVARAN_WHATSAPP_{name}": ""})
    for name, value in (("SYSTEM", "up-1077"), ("SYSTEM", "mp-181"), ("APP_SECRETS", "short"), ("API", "graph"),
                        ("TIMEOUT", "60")):  # fmt: skip
        with pytest.raises(SettingsError, match=f"NIVARAN_WHATSAPP_{name}"):
            routes(ENVIRON | {f"NIVARAN_WHATSAPP_{name}": value})


async def test_the_challenge_is_given_back_to_who_knows_the_verify_token() -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"}
    async with serving() as (gateway, _):
        async with gateway.client.get(PATH, params=asked) as response:
            assert (response.status, await response.text()) == (200, "1158201444")
        for change in ({"hub.verify_token": "another-token-altogether"}, {"hub.mode": "unsubscribe"}):
            async with gateway.client.get(PATH, params=asked | change) as response:
                assert response.status == 403
                assert "1158201444" not in await response.text()


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, signed(b"another body"),
     signed(b"{}", "a-secret-of-somebody-else"), {"X-Hub-Signature": "sha1=" + "0" * 40}, {"X-Hub-Signature-256": "é"}],
)  # fmt: skip
async def test_what_is_not_signed_with_an_app_secret_is_refused_unread(headers: dict[str, str]) -> None:
    async with serving() as (gateway, api):
        assert await post(gateway, b"{}", headers) == 401
    assert not api.messages


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"", 400), (b"[]", 400), (b"\xff", 400), (b'{"object": 1}', 400), (b"{}", 400), (b'{"object": "page"}', 200),
     (b'{"object": "page", "entry": [{"changes": [{"field": "messages"}]}]}', 200)],
)  # fmt: skip
async def test_signed_bodies_that_are_no_notification(raw: bytes, status: int) -> None:
    async with serving() as (gateway, _):
        assert await post(gateway, raw) == status


async def test_while_redis_is_away_nothing_is_taken_and_meta_sends_again() -> None:
    async with serving() as (gateway, api):
        someone = Person(gateway, api, "919876543210")
        assert await post(gateway, notification(someone.message("text", "नमस्ते"))) == 503
        assert await post(gateway, notification(statuses=[{"id": "wamid.OUT1"}])) == 200, "a report needs no Redis"
    assert not api.messages
    assert not gateway.log.entries
