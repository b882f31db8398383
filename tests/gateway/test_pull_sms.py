"""Pull SMS as an operator forwards them; Redis is away here. Shapes: docs/channels/pull-sms.md."""

from contextlib import asynccontextmanager

import pytest

from agents.contact import Contacts
from agents.gateway.channels.pull_sms import PATH, routes
from agents.settings import SettingsError
from schemas.topics import INTAKE_SUBMITTED
from streams.ids import citizen_token
from streams.text import segments
from tests.gateway.conftest import CASE, MOBILE, NOW, Gateway, running

KEY = "a-key-of-the-operator"
ENVIRON = {"NIVARAN_PULL_SMS_SYSTEM": "up-1076", "NIVARAN_PULL_SMS_KEYWORD": "CMHELP", "NIVARAN_PULL_SMS_KEYS": KEY}
# 2026-02-02 02:40:00 UTC is NOW; India is 5 h 30 min ahead
SENT_AT = "2026-02-02 08:00:00"
AS_PUBLISHED = {"mobileNumber": MOBILE, "timeStamp": SENT_AT, "operatorName": "", "areaCode": "", "key": KEY}
HINDI = "CMHELP SHIKAYAT खीरी हैण्डपम्प दो सप्ताह से खराब है"


@asynccontextmanager
async def serving(**more: str):
    async with running(channels=routes(ENVIRON | more)) as gateway:
        yield gateway


async def send(gateway: Gateway, text: str, **other: str) -> tuple[int, str]:
    async with gateway.client.get(PATH, params=AS_PUBLISHED | {"message": text} | other) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return response.status, await response.text()


def test_it_is_served_only_where_it_is_set_up() -> None:
    assert routes({}) == ()
    assert [route.path for route in routes(ENVIRON)] == [PATH]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"SYSTEM": "up-1077"}, "NIVARAN_PULL_SMS_SYSTEM"),
        ({"SYSTEM": "mp-181"}, "NIVARAN_PULL_SMS_SYSTEM"),  # takes call, portal, app
        ({"KEYS": ""}, "NIVARAN_PULL_SMS_KEYS"),
        ({"KEYS": "short"}, "NIVARAN_PULL_SMS_KEYS"),
        ({"KEYS": ",".join([KEY] * 3)}, "NIVARAN_PULL_SMS_KEYS"),
        ({"SOURCES": "10.0.0.256"}, "NIVARAN_PULL_SMS_SOURCES"),
        ({"KEYWORD": "two words"}, "NIVARAN_PULL_SMS_KEYWORD"),
        ({"KEYWORD": "MUKHYAMANTRIHELPLINE"}, "NIVARAN_PULL_SMS_KEYWORD"),  # the Hindi help would be two SMS long
        ({"PARAMETERS": "mobile=from"}, "NIVARAN_PULL_SMS_PARAMETERS"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(change: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        routes(ENVIRON | {f"NIVARAN_PULL_SMS_{name}": value for name, value in change.items()})


async def test_a_complaint_is_answered_with_its_number_once_it_is_durable() -> None:
    async with serving() as gateway:
        status, reply = await send(gateway, HINDI)
    [entry] = gateway.log.entries
    record = entry.value
    assert (status, segments(reply)) == (200, 1)
    assert record.case in reply
    assert (entry.topic, entry.key) == (INTAKE_SUBMITTED, citizen_token(b"k" * 32, MOBILE))
    assert (record.system, record.channel, record.category, record.place.district, record.language) == (
        "up-1076", "sms", "hand-pump", 159, "hi",
    )  # fmt: skip
    assert record.text == "हैण्डपम्प दो सप्ताह से खराब है"
    assert (record.at, record.received_at) == (NOW - 600_000, NOW)
    assert Contacts(b"k" * 32).open_sealed(record.contact, record.case) == MOBILE
    assert MOBILE not in entry.id + entry.key + record.id


async def test_a_message_forwarded_again_has_the_same_number_with_and_without_an_id() -> None:
    async with serving() as gateway:
        first, again = await send(gateway, HINDI), await send(gateway, HINDI, mobileNumber=f"+91 {MOBILE}")
        later = await send(gateway, HINDI, timeStamp="2026-02-02 08:00:01")
        named = [await send(gateway, HINDI, messageId="op-771", timeStamp=time) for time in (SENT_AT, SENT_AT)]
    assert first == again != later
    assert named[0] == named[1] != first
    assert len({entry.value.id for entry in gateway.log.entries}) == 3


async def test_the_operators_own_names_of_the_parameters() -> None:
    own = "mobile=who,time=when,message=what,id=mid,key=token"
    async with serving(NIVARAN_PULL_SMS_PARAMETERS=own) as gateway:
        sent = {"who": MOBILE, "when": SENT_AT, "what": HINDI, "token": KEY, "mid": "op-1"}
        async with gateway.client.get(PATH, params=sent) as response:
            assert response.status == 200
        async with gateway.client.get(PATH, params=sent | {"when": "yesterday"}) as response:
            assert (response.status, "when:" in await response.text()) == (400, True)
    assert len(gateway.log.entries) == 1


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("CMHELP", "SHIKAYAT|COMPLAINT"),
        ("CMHELP शिकायत", "जिले का नाम"),
        ("CMHELP COMPLAINT Kanpur hand pump broken", "Kanpur Dehat, Kanpur Nagar"),
        ("COMPLAINT Kheri zzzzzzz", "Subject not found"),
        ("COMPLAINT Kheri", "what happened"),
        ("COMPLAINT Kheri hand pump", "what happened"),
        ("STATUS", "18 digits"),
        ("STATUS 109763405948883350", "number is wrong"),
        ("स्थिति १२३", "संख्या गलत"),
    ],
)
async def test_what_says_too_little_is_answered_with_what_to_write(message: str, says: str) -> None:
    async with serving() as gateway:
        status, reply = await send(gateway, message)
    assert status == 200
    assert any(each in reply for each in says.split("|"))
    assert segments(reply) == 1
    assert not gateway.log.entries


async def test_how_a_case_stands_in_both_languages_and_with_devanagari_digits() -> None:
    devanagari = "".join(chr(ord("०") + int(digit)) for digit in CASE)
    async with serving() as gateway:
        assert await send(gateway, f"STATUS {CASE}") == (200, f"{CASE}: no case with this number was found.")
        gateway.board.cases[CASE] = {
            "case": CASE,
            "status": "open",
            "level": 2,
            "due_at": NOW,
        }
        assert await send(gateway, f"CMHELP STATUS {CASE[:9]} {CASE[9:]}") == (
            200, f"{CASE}: pending at level 2, due by 02/02/2026.",
        )  # fmt: skip
        assert await send(gateway, f"स्थिति {devanagari}") == (200, f"{CASE}: स्तर 2 पर लंबित, तिथि 02/02/2026 तक।")
        gateway.board.cases[CASE] |= {"visible_to": ["police"]}
        assert await send(gateway, f"STATUS {CASE}") == (200, f"{CASE}: being worked on."), "of a restricted class"
        for status in ("registered", "disposed", "closed", "recorded", "duplicate", "rejected"):
            gateway.board.cases[CASE] = {"case": CASE, "status": status, "duplicate_of": CASE}
            assert (await send(gateway, CASE))[0] == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [({"mobileNumber": "9876******"}, "mobileNumber"), ({"mobileNumber": ""}, "mobileNumber"),
     ({"timeStamp": "2026-02-30 10:00:00"}, "timeStamp"), ({"message": " "}, "message"),
     ({"message": "x" * 2001}, "message")],
)  # fmt: skip
async def test_a_bad_parameter_is_named(change: dict[str, str], field: str) -> None:
    async with serving() as gateway:
        status, answer = await send(gateway, HINDI, **change)
    assert status == 400
    assert [line.partition(":")[0] for line in answer.splitlines()[1:]] == [field]
    assert not gateway.log.entries


async def test_who_is_not_allowed_is_told_nothing_and_nothing_is_taken() -> None:
    async with serving(NIVARAN_PULL_SMS_KEYS=f"{KEY},the-key-that-comes-next") as gateway:
        assert (await send(gateway, HINDI, key="another-key-altogether"))[0] == 401
        assert (await send(gateway, HINDI, key=""))[0] == 401
        assert not gateway.log.entries
        assert (await send(gateway, HINDI, key="the-key-that-comes-next"))[0] == 200
    async with serving(NIVARAN_PULL_SMS_SOURCES="192.0.2.0/24") as gateway:
        assert (await send(gateway, HINDI))[0] == 403
    async with serving(NIVARAN_PULL_SMS_SOURCES="192.0.2.0/24, 127.0.0.0/8", NIVARAN_PULL_SMS_KEYS="") as gateway:
        assert (await send(gateway, HINDI))[0] == 200


async def test_while_kafka_is_away_nothing_is_accepted_and_the_same_message_can_come_again() -> None:
    async with serving() as gateway:
        gateway.log.up = False
        status, answer = await send(gateway, HINDI)
        assert (status, segments(answer)) == (503, 1)
        gateway.log.up = True
        assert (await send(gateway, HINDI))[0] == 200
    assert len(gateway.log.entries) == 1


async def test_the_metrics_tell_what_became_of_messages() -> None:
    async with serving() as gateway:
        for message in (HINDI, "CMHELP", f"STATUS {CASE}"):
            await send(gateway, message)
        async with gateway.client.get("/metrics") as response:
            text = await response.text()
    for outcome in ("lodged", "help", "status"):
        assert f'nivaran_gateway_messages_total{{channel="sms",outcome="{outcome}"}} 1.0' in text
    assert MOBILE not in text
