"""The SMS sender: what it makes of each answer, and what it never shows."""

import asyncio
import logging
from pathlib import Path

import pytest
from aiohttp import web

from agents.contact import Contacts
from agents.settings import SettingsError, load
from agents.sms.breaker import FIRST_PAUSE_S, Breaker
from agents.sms.faults import Faults
from agents.sms.gateway import Answer, Message
from agents.sms.generic import HttpGateway
from agents.sms.offices import Directory, offices
from agents.sms.sandbox import Sandbox
from agents.sms.sender import SmsSender
from agents.sms.settings import SmsSettings
from schemas.sms import SmsHandover, SmsOutcome, SmsRequested
from schemas.topics import SMS_OUTBOX, SMS_REQUESTED
from streams.stage import Origin
from tests.agents.sandboxing import served

KEY = "A" * 43
CASE = "100000000000000017"
NUMBER = "9812345670"
NOW = 1_772_000_000_000


class FixedClock:
    def now(self) -> int:
        return NOW

    def start(self) -> None: ...

    def stop(self) -> None: ...


def request(**changes: object) -> SmsRequested:
    values = {
        "id": f"{CASE}-1-citizen",
        "case": CASE,
        "system": "up-1076",
        "at": NOW,
        "audience": "citizen",
        "step": "registered",
        "language": "hi",
        "template": "placeholder-01",
        "text": f"शिकायत {CASE} दर्ज। -CMHELP",
        "segments": 1,
        "contact": Contacts.from_text(KEY).seal(NUMBER, CASE),
        **changes,
    }
    return SmsRequested(**values)  # type: ignore[arg-type]


async def sent(sender: SmsSender, handed: SmsRequested, attempt: int = 1) -> SmsOutcome:
    made = await sender.send(handed.id, SmsHandover(handed, attempt, NOW), Origin(SMS_OUTBOX, 0, 0, NOW))
    outcome = made.value
    assert isinstance(outcome, SmsOutcome)
    assert (made.topic, made.key, made.at) == (SMS_REQUESTED, handed.id, NOW)
    assert (outcome.id, outcome.attempt) == (handed.id, attempt)
    return outcome


def settings(url: str, **changes: str) -> SmsSettings:
    environ = {
        "NIVARAN_CONTACT_KEY": KEY,
        "NIVARAN_SMS_URL": f"{url}/messages",
        "NIVARAN_SMS_TIMEOUT": "0.3",
        **changes,
    }
    return load(SmsSettings, environ)


async def through(sandbox: Sandbox, handed: SmsRequested, **changes: str) -> SmsOutcome:
    async with served(sandbox) as (_, url):
        sender = SmsSender(settings(url, **changes), FixedClock())
        await sender.open()
        try:
            return await sent(sender, handed)
        finally:
            await sender.close()


async def test_the_citizen_is_texted_at_the_sealed_number():
    sandbox = Sandbox()
    outcome = await through(sandbox, request())
    assert (outcome.outcome, outcome.code) == ("accepted", "")
    (entry,) = sandbox.ledger.accepted.values()
    assert (entry.id, entry.to) == (f"{CASE}-1-citizen", "XXXXXXXX70")


async def test_the_officer_is_texted_at_the_number_of_the_office(tmp_path: Path):
    file = tmp_path / "offices.csv"
    file.write_text("office,mobile\nrevenue:tehsildar@161/mehrauni,+91 98765 43219\n", "utf-8")
    sandbox = Sandbox()
    handed = request(audience="officer", office="revenue:tehsildar@161/mehrauni", contact=None)
    assert (await through(sandbox, handed, NIVARAN_OFFICES=str(file))).outcome == "accepted"
    assert [entry.to for entry in sandbox.ledger.accepted.values()] == ["XXXXXXXX19"]


@pytest.mark.parametrize(
    ("handed", "code"),
    [
        (request(audience="officer", office="revenue:tehsildar@161/mehrauni"), "no-number"),
        (request(contact=None), "no-number"),
        (request(contact="AAAA"), "contact-unreadable"),
        (request(case="100000000000000025"), "contact-unreadable"),
        (request(template=""), "no-template"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_a_code(handed: SmsRequested, code: str):
    outcome = await through(Sandbox(), handed)
    assert (outcome.outcome, outcome.code) == ("refused", code)


async def test_who_has_no_number_is_counted_among_the_refused_though_nobody_was_called(unused_tcp_port: int):
    sender = SmsSender(settings(f"http://127.0.0.1:{unused_tcp_port}"), FixedClock())
    await sender.open()
    await sent(sender, request(contact=None))
    await sent(sender, request(contact="AAAA"))
    await sender.close()
    assert sender.calls.labels("refused")._value.get() == 2


@pytest.mark.parametrize(
    ("faults", "said"),
    [(Faults(fail=1.0), "unavailable"), (Faults(throttle=1.0), "unavailable"), (Faults(silent=1.0), "unknown")],
)
async def test_an_absent_gateway_is_told_from_one_that_may_have_taken_it(faults: Faults, said: str):
    assert (await through(Sandbox(faults=faults), request())).outcome == said


async def test_a_gateway_that_is_not_there_is_unavailable(unused_tcp_port: int):
    sender = SmsSender(settings(f"http://127.0.0.1:{unused_tcp_port}"), FixedClock())
    await sender.open()
    assert (await sent(sender, request())).outcome == "unavailable"
    await sender.close()


async def test_a_repeat_after_a_time_out_is_not_delivered_twice():
    async with served(Sandbox(faults=Faults(silent=1.0))) as (sandbox, url):
        sender = SmsSender(settings(url), FixedClock())
        await sender.open()
        assert (await sent(sender, request())).outcome == "unknown"
        sandbox.faults = Faults()
        assert (await sent(sender, request(), attempt=2)).outcome == "accepted"
        await sender.close()
    assert sandbox.ledger.summary().deliveries == 1


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b"", Answer("accepted")),
        (202, b"{}", Answer("accepted")),
        (302, b"", Answer("refused", "http-302")),
        (400, b'{"code":"dlt-mismatch"}', Answer("refused", "dlt-mismatch")),
        (400, b'{"code":"9812345670"}', Answer("refused", "http-400")),
        (400, '{"code":"शिकायत"}'.encode(), Answer("refused", "http-400")),
        (404, b"<html>", Answer("refused", "http-404")),
        (408, b"", Answer("unavailable", "http-408")),
        (429, b"", Answer("unavailable", "http-429")),
        (502, b"[]", Answer("unavailable", "http-502")),
    ],
)
async def test_what_each_answer_means(status: int, body: bytes, answer: Answer):
    async def take(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with HttpGateway(f"http://127.0.0.1:{runner.addresses[0][1]}/", timeout=2, bound=1) as gateway:
        assert await gateway.hand_over(Message("sms-1", NUMBER, "text", "template", "CMHELP")) == answer
    await runner.cleanup()


async def test_neither_number_nor_text_is_logged_or_told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    for faults in (Faults(), Faults(fail=1.0), Faults(silent=1.0)):
        outcome = await through(Sandbox(faults=faults), request())
        assert NUMBER not in repr(outcome)
    assert NUMBER not in caplog.text
    assert "शिकायत" not in caplog.text


async def test_an_absent_gateway_is_left_to_rest_and_then_tried_again():
    now = 0.0
    breaker = Breaker(lambda: now, failures=3)
    for _ in range(3):
        assert not breaker.open
        breaker.failed()
    assert breaker.open
    waiting = asyncio.ensure_future(breaker.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    now = FIRST_PAUSE_S
    await waiting
    breaker.failed()
    assert breaker.open, "one more failure is enough now"
    now = 10.0
    breaker.answered()
    breaker.failed()
    assert not breaker.open


@pytest.mark.parametrize(
    ("content", "fault"),
    [("office;mobile\n", "columns office, mobile"), ("office,mobile\na,b\n", "line 2: mobile"), (None, "No such file")],
)
def test_a_wrong_directory_is_refused_with_its_name_and_line(tmp_path: Path, content: str | None, fault: str):
    file = tmp_path / "offices.csv"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=fault) as caught:
        offices(str(file))
    assert str(file) in str(caught.value)


def test_numbers_for_the_sandbox_belong_to_no_network():
    number = offices("sandbox").mobile("revenue:tehsildar@161/mehrauni")
    assert number is not None
    assert number.startswith("00")
    assert number == offices("sandbox").mobile("revenue:tehsildar@161/mehrauni")
    assert Directory({}).mobile("revenue:tehsildar@161/mehrauni") is None


@pytest.mark.parametrize(
    ("name", "value"), [("NIVARAN_SMS_URL", ""), ("NIVARAN_CONTACT_KEY", ""), ("NIVARAN_SMS_HEADER", "no header")]
)
def test_a_missing_or_wrong_setting_is_named(name: str, value: str):
    with pytest.raises(SettingsError, match=name):
        settings("http://127.0.0.1:1", **{name: value})


async def test_an_address_that_is_none_is_refused_at_the_start():
    sender = SmsSender(settings("ftp://somewhere"), FixedClock())
    with pytest.raises(SettingsError, match="NIVARAN_SMS_URL"):
        await sender.open()
