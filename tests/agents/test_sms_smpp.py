"""SMPP 3.4 as the sender meets it, against a sandbox SMSC that wants it as the specification and DLT do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from aiosmpplib import NPI, TON, DeliverSm, OptionalParam, PhoneNumber

from agents.settings import SettingsError, load
from agents.sms.faults import Faults
from agents.sms.formats import gateway_of
from agents.sms.ledger import Ledger
from agents.sms.receipts import Report
from agents.sms.sandboxes.smsc import Smsc
from agents.sms.sender import SmsSender
from agents.sms.settings import SmsSettings
from agents.sms.smpp import ENTITY_TAG, RECEIPTED_ID, TEMPLATE_TAG, SmppSettings, joined, receipt_of, submits, where
from agents.sms.smpp_session import Pdu, Where
from schemas.sms import SmsOutcome, SmsRequested
from tests.agents.sms_accounts import (
    CASE,
    ENGLISH,
    ENTITY,
    HEADERS,
    HINDI,
    KEY,
    NUMBER,
    TEMPLATE,
    FakeMemory,
    FixedClock,
    outcome_of,
    request,
)
from tests.agents.test_sms_formats import MESSAGE
from tests.gateway.conftest import running
from tests.gateway.test_sms_reports import Remembered, routes
from tests.waiting import auntil

ACCOUNT = {"NIVARAN_SMS_SYSTEM_ID": "up-cm", "NIVARAN_SMS_PASSWORD": "pw-17"}


class Bound(NamedTuple):
    sender: SmsSender
    smsc: Smsc
    memory: FakeMemory

    async def send(self, handed: SmsRequested | None = None, attempt: int = 1) -> SmsOutcome:
        return await outcome_of(self.sender, handed, attempt)


@asynccontextmanager
async def bound(faults: Faults | None = None, memory: FakeMemory | None = None, **account: str) -> AsyncIterator[Bound]:
    smsc = Smsc(load(SmppSettings, ACCOUNT), HEADERS, Ledger(None), faults)
    server = await smsc.serve("127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = SmsSettings(
        contact_key=KEY, sms_url=f"smpp://127.0.0.1:{port}", sms_format="smpp", sms_timeout=0.5
    )  # fmt: skip
    memory = memory or FakeMemory()
    sender = SmsSender(settings, FixedClock(), memory=memory, environ={**ACCOUNT, **account})
    await sender.open()
    try:
        yield Bound(sender, smsc, memory)
    finally:
        await sender.close()
        smsc.cut()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("text", [HINDI, ENGLISH])
async def test_a_message_arrives_as_it_was_written_with_its_tags(text: str):
    async with bound() as on:
        outcome = await on.send(request(text))
        ((ref, _),) = on.smsc.ledger.accepted.items()
        (taken,) = on.smsc.taken
    assert (outcome.outcome, outcome.code, outcome.ref) == ("accepted", "", ref)
    assert on.memory.refs == {ref: outcome.id}
    assert (taken.text, taken.to, taken.template, taken.entity) == (text, "91" + NUMBER, TEMPLATE, ENTITY)
    assert taken.header == "CMHELP"


@pytest.mark.parametrize(
    ("text", "parts"),
    [("क" * 70, 1), ("क" * 71, 2), ("क" * 66 + "😀" + "क" * 10, 2), ("a" * 160, 1), ("a" * 161, 2),
     ("a" * 152 + "{" + "b" * 20, 2), ("शिकायत दर्ज। " * 12, 3)],
)  # fmt: skip
async def test_a_longer_text_goes_in_parts_that_join_to_it(text: str, parts: int):
    async with bound() as on:
        assert (await on.send(request(text))).outcome == "accepted"
        assert len(on.smsc.taken) == parts
        assert "".join(part.text for part in on.smsc.taken) == text


def test_how_a_submit_sm_is_made():
    (submit,) = submits(MESSAGE, receipt=True)
    assert (submit.source, submit.destination) == (
        PhoneNumber("CMHELP", TON.ALPHANUMERIC, NPI.UNKNOWN),
        PhoneNumber("91" + NUMBER, TON.INTERNATIONAL, NPI.ISDN),
    )
    assert {each.tag: each.value for each in submit.optional_params} == {ENTITY_TAG: ENTITY, TEMPLATE_TAG: TEMPLATE}
    assert (ENTITY_TAG, TEMPLATE_TAG) == (0x1400, 0x1401)
    pdu = submit.pdu()
    assert b"\x14\x00\x00\x13" + ENTITY.encode() in pdu
    assert b"\x14\x01\x00\x13" + TEMPLATE.encode() in pdu
    assert HINDI.encode("utf-16-be") in pdu
    assert submit.registered_delivery == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"header": "NOBODY"}, "smpp-0000000a"),
        ({"template": ""}, "smpp-000000c3"),
        ({"template": "placeholder-01"}, "smpp-000000c4"),
        ({"entity": "placeholder-entity"}, "smpp-000000c4"),
    ],
)
async def test_what_the_smsc_refuses_is_an_outcome_with_its_status(changes: dict[str, str], code: str):
    async with bound() as on:
        outcome = await on.send(request(**changes))
        assert (outcome.outcome, outcome.code, on.smsc.taken) == ("refused", code, [])


@pytest.mark.parametrize(
    ("account", "code"),
    [({"NIVARAN_SMS_PASSWORD": "other"}, "smpp-bind-0000000e"), ({"NIVARAN_SMS_SYSTEM_ID": "x"}, "smpp-bind-0000000f")],
)
async def test_a_bind_that_is_refused_is_no_gateway(account: dict[str, str], code: str):
    async with bound(**account) as on:
        outcome = await on.send()
        assert (outcome.outcome, outcome.code) == ("unavailable", code)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(fail=1.0), ("unavailable", "smpp-00000014")),
        (Faults(throttle=1.0), ("unavailable", "smpp-00000058")),
        (Faults(silent=1.0), ("unknown", "timeout")),
    ],
)
async def test_a_full_queue_is_told_from_silence(faults: Faults, said: tuple[str, str]):
    async with bound(faults) as on:
        outcome = await on.send()
        assert (outcome.outcome, outcome.code) == said


async def test_after_silence_no_second_submit_is_made():
    async with bound(Faults(silent=1.0)) as on:
        await on.send()
        on.smsc.faults = Faults()
        assert (await on.send(attempt=2)).code == "called-before"
        assert on.smsc.ledger.summary().deliveries == 1


async def test_a_connection_that_breaks_is_made_again():
    async with bound() as on:
        assert (await on.send()).outcome == "accepted"
        on.smsc.cut()
        session = on.sender._gateway._session
        await auntil(lambda: not session.alive, what="the break is noticed")
        assert (await on.send(request(id=f"{CASE}-2-citizen"))).outcome == "accepted"
        assert on.smsc.ledger.summary().deliveries == 2


async def test_an_smsc_that_is_not_there_is_unavailable(unused_tcp_port: int):
    settings = SmsSettings(
        contact_key=KEY, sms_url=f"smpp://127.0.0.1:{unused_tcp_port}", sms_format="smpp", sms_timeout=0.5
    )  # fmt: skip
    sender = SmsSender(settings, FixedClock(), memory=FakeMemory(), environ=ACCOUNT)
    await sender.open()
    assert (await outcome_of(sender)).outcome == "unavailable"
    await sender.close()


def reply(status: int, body: bytes = b"ref-1\x00") -> Pdu:
    return Pdu(0x8000_0004, status, 1, b"\x00" * 16 + body)


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([reply(0)], ("accepted", "", "ref-1")),
        ([reply(0), reply(0, b"ref-2\x00")], ("accepted", "", "ref-1")),
        ([reply(0), reply(0x58)], ("unknown", "smpp-00000058", "")),
        ([reply(0x0B), reply(0x0B)], ("refused", "smpp-0000000b", "")),
        ([reply(0x44A)], ("refused", "smpp-0000044a", "")),
        ([reply(8)], ("unknown", "smpp-00000008", "")),
        ([ConnectionError()], ("unknown", "connection", "")),
        ([reply(0), TimeoutError()], ("unknown", "timeout", "")),
    ],
)
def test_what_the_responses_to_its_parts_mean_of_a_message(replies: list[Pdu | BaseException], said: tuple[str, ...]):
    assert joined(replies) == said


@pytest.mark.parametrize(
    ("text", "esm_class", "tags", "report"),
    [
        ("id:17f sub:001 dlvrd:001 submit date:2602020810 done date:2602020810 stat:DELIVRD err:000 text:", 4, {},
         {"id": "17f", "stat": "DELIVRD"}),
        ("id:17f stat:UNDELIV done date:260202081059 err:0A1", 4, {RECEIPTED_ID: "18"},
         {"id": "18", "stat": "UNDELIV"}),
        ("stat:DELIVRD", 4, {}, None),
        ("id:17f", 4, {}, None),
        ("id:17f stat:DELIVRD", 0, {}, None),
    ],
)  # fmt: skip
def test_what_a_receipt_says(text: str, esm_class: int, tags: dict[int, str], report: dict[str, str] | None):
    params = [OptionalParam(tag, value) for tag, value in tags.items()]
    found = receipt_of(DeliverSm(1, short_message=text, esm_class=esm_class, optional_params=params))
    assert found == (None if report is None else Report(report))


@pytest.mark.parametrize("undelivered", [0.0, 1.0])
async def test_a_receipt_comes_to_the_log_through_the_http_gateway(undelivered: float):
    memory = FakeMemory()
    async with running(redis=Remembered("smpp", memory), channels=routes()) as gateway:
        url = str(gateway.client.make_url("/channels/sms/smpp/reports"))
        reporting = {"NIVARAN_SMS_REPORT_URL": url, "NIVARAN_SMS_REPORT_KEY": "a-key-of-the-tests"}
        async with bound(Faults(undelivered=undelivered), memory, **reporting) as on:
            outcome = await on.send()
            await auntil(lambda: bool(gateway.log.entries), what="the receipt is in the log")
            assert on.smsc.answered == [0]
        (entry,) = gateway.log.entries
    assert (entry.value.id, entry.value.delivered) == (outcome.id, not undelivered)


async def test_without_an_address_for_receipts_none_is_asked_for():
    async with bound() as on:
        await on.send()
        assert on.smsc.answered == []


async def test_an_smsc_that_asks_is_answered_and_one_that_unbinds_is_left():
    async with bound() as on:
        await on.send()
        session = on.sender._gateway._session
        (writer,) = on.smsc._writers
        writer.write(bytes.fromhex("00000010 00000015 00000000 00000007"))  # enquire_link
        writer.write(bytes.fromhex("00000010 000000ff 00000000 00000008"))  # no such command
        writer.write(bytes.fromhex("00000010 00000006 00000000 00000009"))  # unbind
        await auntil(lambda: not session.alive, what="the session ended")
        assert (await on.send(request(id=f"{CASE}-2-citizen"))).outcome == "accepted"


async def test_neither_secret_number_nor_text_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with bound(Faults(silent=1.0)) as on:
        told = repr(await on.send())
        on.smsc.cut()
        await asyncio.sleep(0)
    for secret in (NUMBER, "शिकायत", "pw-17"):
        assert secret not in told + caplog.text


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smpp://smsc.example:2775", Where("smsc.example", 2775, tls=False)),
        ("smpps://10.0.0.1:3550", Where("10.0.0.1", 3550, tls=True)),
    ],
)
def test_an_address(url: str, found: Where):
    assert where(url) == found


@pytest.mark.parametrize("url", ["smpp://smsc.example", "smpp://smsc.example:x", "smpp://:2775", "http://smsc:2775"])
def test_an_address_that_is_none_is_refused_at_the_start(url: str):
    settings = load(SmsSettings, {"NIVARAN_CONTACT_KEY": KEY, "NIVARAN_SMS_URL": url, "NIVARAN_SMS_FORMAT": "smpp"})
    with pytest.raises(SettingsError, match="NIVARAN_SMS_URL"):
        gateway_of(settings, ACCOUNT)
