"""Mobile Seva and NIC as the sender meets them, against sandboxes that check the published forms."""

import hashlib
import logging
import re

import aiohttp
import pytest
from msgspec.structs import replace

from agents.settings import SettingsError, load
from agents.sms import mobile_seva, nic
from agents.sms.faults import Faults
from agents.sms.formats import gateway_of
from agents.sms.gateway import Answer, Message, without_key
from agents.sms.mobile_seva import MobileSevaSettings
from agents.sms.nic import NicSettings
from agents.sms.sandboxes.form import FormSandbox
from agents.sms.settings import SmsSettings
from streams.profiles.load import profile
from tests.agents.sandboxing import served
from tests.agents.sms_accounts import (
    ACCOUNTS,
    ENGLISH,
    ENTITY,
    HINDI,
    KEY,
    NUMBER,
    SECRETS,
    TEMPLATE,
    FakeMemory,
    form_of,
    request,
    sending,
)

FORMATS = ("mobile-seva", "nic")
MESSAGE = Message("sms-1", NUMBER, HINDI, TEMPLATE, "CMHELP-G", ENTITY)


def test_mobile_seva_sends_unicode_as_entities_and_hashes_them():
    account = load(MobileSevaSettings, ACCOUNTS["mobile-seva"])
    sent = mobile_seva.form(replace(MESSAGE, text="अ😀 1"), account).fields()
    content = "&#2309;&#55357;&#56832;&#32;&#49;"
    assert sent == {
        "username": "updept",
        "password": hashlib.sha1(b"pass word 17", usedforsecurity=False).hexdigest(),
        "senderid": "CMHELP",
        "content": content,
        "smsservicetype": "unicodemsg",
        "key": hashlib.sha512(f"updeptCMHELP{content}a-key-of-the-tests".encode()).hexdigest(),
        "templateid": TEMPLATE,
        "bulkmobno": NUMBER,
        "entityid": ENTITY,
    }


def test_mobile_seva_sends_plain_text_as_it_is_and_hashes_the_password_as_the_account_wants():
    account = load(MobileSevaSettings, {**ACCOUNTS["mobile-seva"], "NIVARAN_SMS_HASH": "md5"})
    sent = mobile_seva.form(replace(MESSAGE, text=ENGLISH), account)
    assert (sent.smsservicetype, sent.content, sent.mobileno, sent.bulkmobno) == ("singlemsg", ENGLISH, NUMBER, "")
    assert sent.password == hashlib.md5(b"pass word 17", usedforsecurity=False).hexdigest()


def test_nic_sends_unicode_in_hex_as_its_page_shows():
    assert nic.ucs2_hex("परीक्षण संदेश") == "FEFF092A093009400915094D09370923002009380902092609470936"
    sent = nic.form(MESSAGE, load(NicSettings, ACCOUNTS["nic"])).fields()
    assert sent == {
        "username": "up.sms",
        "pin": "p&in#17",
        "message": nic.ucs2_hex(HINDI),
        "mnumber": "91" + NUMBER,
        "signature": "CMHELP",
        "dlt_entity_id": ENTITY,
        "dlt_template_id": TEMPLATE,
        "msgType": "UC",
    }


@pytest.mark.parametrize(("text", "concat"), [(ENGLISH, ""), ("a" * 161, "1"), ("क" * 70, ""), ("क" * 71, "1")])
def test_nic_is_told_of_a_text_of_several_parts(text: str, concat: str):
    assert nic.form(replace(MESSAGE, text=text), load(NicSettings, ACCOUNTS["nic"])).concat == concat


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", [HINDI, ENGLISH])
async def test_a_message_arrives_as_it_was_written_and_its_report_id_is_kept(name: str, text: str):
    async with sending(name) as on:
        outcome = await on.send(request(text))
        (entry,) = on.sandbox.ledger.accepted.values()
        assert (outcome.outcome, outcome.code, outcome.ref) == ("accepted", "", entry.id)
        assert on.memory.refs == {entry.id: outcome.id}
        assert [shown.text for shown in on.sandbox._latest] == [text]


@pytest.mark.parametrize(
    ("name", "account", "changes", "code"),
    [
        ("mobile-seva", {"NIVARAN_SMS_USERNAME": "other"}, {}, "mobile-seva-401-credentials"),
        ("mobile-seva", {"NIVARAN_SMS_PASSWORD": "other"}, {}, "mobile-seva-401-credentials"),
        ("mobile-seva", {"NIVARAN_SMS_HASH": "md5"}, {}, "mobile-seva-401-credentials"),
        ("mobile-seva", {"NIVARAN_SMS_SECURE_KEY": "other"}, {}, "mobile-seva-416-key-mismatch"),
        ("mobile-seva", {}, {"header": "NOBODY"}, "mobile-seva-411-sender-not-approved"),
        ("mobile-seva", {}, {"template": "placeholder-01"}, "mobile-seva-423-bad-template"),
        ("mobile-seva", {}, {"template": ""}, "mobile-seva-423-bad-template"),
        ("mobile-seva", {}, {"entity": "placeholder-entity"}, "mobile-seva-422-bad-entity"),
        ("nic", {"NIVARAN_SMS_PIN": "other"}, {}, "nic-api-2-credentials"),
        ("nic", {}, {"header": "NOBODY"}, "nic-api-19-unauthorised"),
        ("nic", {}, {"template": "placeholder-01"}, "nic-api-99"),
        ("nic", {}, {"entity": ""}, "nic-api-99"),
        ("nic", {}, {"text": "क" * 71}, "nic-api-99"),
    ],
)
async def test_what_the_gateway_refuses_is_an_outcome_with_its_code(
    name: str, account: dict[str, str], changes: dict[str, str], code: str
):
    async with sending(name, **account) as on:
        outcome = await on.send(request(**changes))
        assert (outcome.outcome, outcome.code) == ("refused", code)
        assert on.sandbox.ledger.summary().deliveries == 0
        assert on.memory.kept == {}, "what was refused may be called again once it is mended"


RIGHT = mobile_seva.form(MESSAGE, load(MobileSevaSettings, ACCOUNTS["mobile-seva"])).fields()
NIC_RIGHT = nic.form(MESSAGE, load(NicSettings, ACCOUNTS["nic"])).fields()


def keyed(**changes: str) -> dict[str, str]:
    """A Mobile Seva request with these changes whose key is right for them."""
    fields = RIGHT | changes
    key = mobile_seva.key(fields["username"], fields["senderid"], fields["content"], "a-key-of-the-tests")
    return {name: value for name, value in {**fields, "key": key}.items() if value}


@pytest.mark.parametrize(
    ("name", "method", "fields", "answer"),
    [
        ("mobile-seva", "POST", RIGHT, (200, "402,MsgID = ")),
        ("mobile-seva", "GET", RIGHT, (405, "GET is not served")),
        ("mobile-seva", "POST", {**RIGHT, "key": ""}, (200, "ERROR : 416 ")),
        ("mobile-seva", "POST", {k: v for k, v in RIGHT.items() if k != "key"}, (200, "ERROR : 425 ")),
        ("mobile-seva", "POST", {**RIGHT, "content": "&#2309;"}, (200, "ERROR : 416 ")),
        ("mobile-seva", "POST", keyed(content=HINDI), (400, "unicodemsg: content must be decimal entities")),
        ("mobile-seva", "POST", keyed(smsservicetype="singlemsg", content=HINDI), (400, "singlemsg: content must be")),
        ("mobile-seva", "POST", keyed(smsservicetype="hindi"), (400, "smsservicetype: must be")),
        ("mobile-seva", "POST", keyed(bulkmobno="981234567"), (200, "ERROR : 406 ")),
        ("mobile-seva", "POST", keyed(bulkmobno="", mobileno=NUMBER), (200, "ERROR : 406 ")),
        ("mobile-seva", "POST", {**RIGHT, "templateId": TEMPLATE}, (400, "no such field: templateId")),
        ("mobile-seva", "POST", keyed(content="&#2325;" * 71), (200, "ERROR : 410 ")),
        ("nic", "POST", NIC_RIGHT, (200, "Message Accepted for Request ID=")),
        ("nic", "GET", NIC_RIGHT, (200, "Message Accepted for Request ID=")),
        ("nic", "POST", {**NIC_RIGHT, "mnumber": ""}, (200, "Message Rejected for Request ID= ~code=API-3 ")),
        ("nic", "POST", {**NIC_RIGHT, "mnumber": NUMBER}, (200, "Message Rejected for Request ID= ~code=API-99 ")),
        ("nic", "POST", {**NIC_RIGHT, "message": HINDI}, (200, "Message Rejected for Request ID= ~code=API-99 ")),
        ("nic", "POST", {**NIC_RIGHT, "msgType": "U"}, (200, "Message Rejected for Request ID= ~code=API-99 ")),
        ("nic", "POST", {**NIC_RIGHT, "senderid": "x"}, (400, "no such field: senderid")),
    ],
)
async def test_the_sandbox_takes_the_published_form_and_no_other(
    name: str, method: str, fields: dict[str, str], answer: tuple[int, str]
):
    form = form_of(name)
    async with served(FormSandbox(form)) as (_, url), aiohttp.ClientSession() as session:
        sent = {"data": fields} if method == "POST" else {"params": fields}
        async with session.request(method, url + form.path, **sent) as response:
            assert (response.status, (await response.text())[: len(answer[1])]) == answer


@pytest.mark.parametrize(("name", "fields"), [("mobile-seva", RIGHT), ("nic", NIC_RIGHT)])
async def test_a_body_of_another_type_and_a_repeated_field_are_refused(name: str, fields: dict[str, str]):
    form = form_of(name)
    async with served(FormSandbox(form)) as (_, url), aiohttp.ClientSession() as session:
        async with session.post(url + form.path, json=fields) as response:
            assert response.status == 415
        twice = aiohttp.FormData([*fields.items(), ("username", "again")])
        async with session.post(url + form.path, data=twice) as response:
            assert (response.status, await response.text()) == (400, "a field was given twice")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"402,MsgID = 150620161466003974245msdgsms", Answer("accepted", "", "150620161466003974245msdgsms")),
        (b"402,MsgID = 07082019847hpgovt-hpssa\r\n", Answer("accepted", "", "07082019847hpgovt-hpssa")),
        (b"ERROR : 406 Invalid mobile number\r\n", Answer("refused", "mobile-seva-406-bad-number")),
        (b"401", Answer("refused", "mobile-seva-401-credentials")),
        (b"403", Answer("unavailable", "mobile-seva-403-no-credits")),
        (b"404", Answer("unknown", "mobile-seva-404-database")),
        (b"409", Answer("accepted", "mobile-seva-409-operator-timed-out")),
        (b"418", Answer("unavailable", "mobile-seva-418-daily-limit")),
        (b"499", Answer("unknown", "mobile-seva-499-unlisted")),
        (b"<html>4012</html>", Answer("unknown", "unreadable")),
        (b"", Answer("unknown", "unreadable")),
    ],
)  # fmt: skip
def test_what_mobile_seva_answers_means(body: bytes, answer: Answer):
    assert mobile_seva.read(body) == answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (
            b"Message Accepted for Request ID=12313946898506681731361~code=API000 & info=Platform accepted & Time =..",
            Answer("accepted", "", "12313946898506681731361"),
        ),
        (b"Message Accepted For Request ID=1231~code=API00 & info=Sms", Answer("accepted", "", "1231")),
        (b"Message Rejected for Request ID= ~code=API-3& info=x", Answer("refused", "nic-api-3-no-number")),
        (b"Message Rejected for Request ID=7~code=API-2 & info=x", Answer("refused", "nic-api-2-credentials")),
        (b"Message Accepted for Request ID=7~code=API-2", Answer("unknown", "unreadable")),
        (b"9812345670", Answer("unknown", "unreadable")),
    ],
)  # fmt: skip
def test_what_nic_answers_means(body: bytes, answer: Answer):
    assert nic.read(body) == answer


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(302, "refused"), (404, "refused"), (408, "unavailable"), (429, "unavailable"), (503, "unavailable"),
     (500, "unknown"), (502, "unknown"), (504, "unknown")],
)  # fmt: skip
def test_a_fault_of_a_server_without_keys_leaves_it_unknown(status: int, outcome: str):
    assert without_key(status) == Answer(outcome, f"http-{status}")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
async def test_after_a_time_out_no_second_call_is_made(name: str):
    async with sending(name, faults=Faults(silent=1.0)) as on:
        assert (await on.send()).outcome == "unknown"
        on.sandbox.faults = Faults()
        again = await on.send(attempt=2)
        assert (again.outcome, again.code) == ("unknown", "called-before")
        assert on.sandbox.ledger.summary().deliveries == 1


async def test_after_a_time_out_a_second_call_is_made_where_the_profile_says_so(monkeypatch: pytest.MonkeyPatch):
    up = profile("up-1076")
    changed = replace(up, sms=replace(up.sms, resend_without_key=True))
    monkeypatch.setattr("agents.sms.sender.profiles", lambda: {"up-1076": changed})
    async with sending("nic", faults=Faults(silent=1.0)) as on:
        assert (await on.send()).outcome == "unknown"
        on.sandbox.faults = Faults()
        assert (await on.send(attempt=2)).outcome == "accepted"
        assert (await on.send(attempt=3)).code == "called-before", "what was accepted is never called again"
        assert on.sandbox.ledger.summary().deliveries == 2


@pytest.mark.parametrize("name", FORMATS)
async def test_a_crash_between_answer_and_log_calls_once_and_tells_the_same(name: str):
    async with sending(name) as on:
        first, again = await on.send(), await on.send()
        assert (again.outcome, again.ref) == ("accepted", first.ref)
        assert on.sandbox.ledger.summary().deliveries == 1


@pytest.mark.parametrize("name", FORMATS)
async def test_an_absent_gateway_is_called_again(name: str):
    async with sending(name, faults=Faults(fail=1.0)) as on:
        assert (await on.send()).outcome == "unavailable"
        on.sandbox.faults = Faults()
        assert (await on.send(attempt=2)).outcome == "accepted"


async def test_without_its_memory_no_call_is_made():
    memory = FakeMemory()
    memory.up = False
    async with sending("nic", memory=memory) as on:
        outcome = await on.send()
        assert (outcome.outcome, outcome.code) == ("unavailable", "memory-away")
        assert on.sandbox.ledger.summary().deliveries == 0
        assert on.sender.lapses.labels("memory-away")._value.get() == 1


@pytest.mark.parametrize("name", FORMATS)
async def test_neither_secret_number_nor_text_is_logged_or_told(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    for faults in (Faults(), Faults(fail=1.0), Faults(silent=1.0)):
        async with sending(name, faults=faults) as on:
            told = repr(await on.send())
            assert NUMBER not in told + caplog.text
            assert "शिकायत" not in told + caplog.text
            assert not any(secret in told + caplog.text for secret in SECRETS)


@pytest.mark.parametrize(
    ("name", "url", "environ", "named"),
    [
        ("nic", "ftp://somewhere", ACCOUNTS["nic"], "NIVARAN_SMS_URL"),
        ("nic", "https://gateway", {}, "NIVARAN_SMS_"),
        ("mobile-seva", "https://gateway", {**ACCOUNTS["mobile-seva"], "NIVARAN_SMS_SECURE_KEY": ""}, "SECURE_KEY"),
        ("mobile-seva", "https://gateway", {**ACCOUNTS["mobile-seva"], "NIVARAN_SMS_HASH": "none"}, "SMS_HASH"),
    ],
)
def test_what_an_account_lacks_is_named_at_the_start(name: str, url: str, environ: dict[str, str], named: str):
    settings = load(SmsSettings, {"NIVARAN_CONTACT_KEY": KEY, "NIVARAN_SMS_URL": url, "NIVARAN_SMS_FORMAT": name})
    with pytest.raises(SettingsError, match=re.escape(named)):
        gateway_of(settings, environ)
