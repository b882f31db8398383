"""Senders that sign: what Standard Webhooks' own library signs is taken, anything else is not."""

import base64
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from standardwebhooks import Webhook

from agents.gateway.channels.cloudevents.binding import cloudevents
from agents.settings import SettingsError
from schemas.commands import AddNote
from schemas.intake import Submitted
from tests.gateway.conftest import CASE, running
from tests.gateway.test_cloudevents import BATCH, STRUCTURED, event, note

OLD, NEW, OFFICES = ("whsec_" + base64.b64encode(each * 32).decode() for each in (b"o", b"n", b"f"))
ENVIRON = {
    "NIVARAN_CLOUDEVENTS_SECRETS": f"lalitpur/citizen-channel:{OLD}, lalitpur/citizen-channel:{NEW}, "
    f"tehsils/call-centre:{OFFICES}"
}


@pytest.fixture
async def gateway():
    async with running(channels=cloudevents(ENVIRON)) as found:
        yield found


async def send(gateway, body, *secrets, sender="lalitpur", content=STRUCTURED, late_s=0, signed_body=None, **headers):
    raw = msgspec.json.encode(body)
    at = datetime.now(UTC) - timedelta(seconds=late_s)
    text = raw.decode() if signed_body is None else signed_body
    signatures = " ".join(Webhook(secret).sign("msg_1", at, text) for secret in secrets)
    told = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signatures}
    sent = {"Content-Type": content} | told | headers
    async with gateway.client.post(f"/channels/events/{sender}", data=raw, headers=sent) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize("secrets", [(OLD,), (NEW,), (OFFICES, NEW)])
async def test_what_one_of_the_secrets_signed_is_taken(gateway, secrets):
    status, answer = await send(gateway, event(), *secrets)
    [entry] = gateway.log.entries
    assert isinstance(entry.value, Submitted)
    assert (status, answer["case"]) == (202, entry.value.case)


async def test_each_sender_has_its_role(gateway):
    status, _ = await send(gateway, note(), OFFICES, sender="tehsils")
    assert (status, type(gateway.log.entries[0].value)) == (202, AddNote)
    assert gateway.log.entries[0].value.case == CASE
    assert (await send(gateway, note(), OLD))[0] == 403
    assert (await send(gateway, event(), OFFICES, sender="tehsils"))[0] == 202


async def test_a_batch_is_signed_as_a_whole(gateway):
    status, answer = await send(gateway, [event(id="1"), event(id="2")], OLD, content=BATCH)
    assert (status, [each["status"] for each in answer["events"]]) == (202, [202, 202])


@pytest.mark.parametrize(
    ("secrets", "more"),
    [
        ((), {}),
        ((OFFICES,), {}),
        ((OLD,), {"sender": "nobody"}),
        ((OLD,), {"sender": "tehsils"}),
        ((OLD,), {"signed_body": "{}"}),
        ((OLD,), {"late_s": 301}),
        ((OLD,), {"late_s": -302}),
        ((OLD,), {"webhook-id": "msg_2"}),
        ((OLD,), {"webhook-id": ""}),
        ((OLD,), {"webhook-timestamp": "now"}),
        ((OLD,), {"webhook-timestamp": "9" * 400}),
        ((OLD,), {"webhook-signature": "v1,\u00e4"}),
        ((OLD,), {"webhook-signature": "v1a,c2ln"}),
    ],
)
async def test_what_is_not_signed_so_is_refused_and_nothing_is_taken(gateway, secrets, more):
    status, problem = await send(gateway, event(), *secrets, **more)
    assert (status, gateway.log.entries) == (401, [])
    assert "webhook-" in problem["detail"]
    assert OLD not in msgspec.json.encode(problem).decode()


async def test_without_secrets_nothing_is_served_there():
    assert cloudevents({}) == ()
    assert [route.path for route in cloudevents({"NIVARAN_CLOUDEVENTS": "on"})] == ["/v1/events"]


@pytest.mark.parametrize(
    "text",
    [
        "lalitpur:" + OLD,
        "lalitpur/support:" + OLD,
        f"/officer:{OLD}",
        "a/officer:whsec_short",
        f"a/officer:{OLD},a/call-centre:{NEW}",
        f"a/officer:{OLD},a/officer:{NEW},a/officer:{OFFICES}",
    ],
)
def test_settings_that_cannot_be_taken_are_named_and_not_shown(text):
    with pytest.raises(SettingsError, match="NIVARAN_CLOUDEVENTS_SECRETS") as error:
        cloudevents({"NIVARAN_CLOUDEVENTS_SECRETS": text})
    assert OLD not in str(error.value)
