"""Delivery reports in the gateways' own forms: each becomes the receipt of the message it names."""

from typing import Any

import pytest

from agents.gateway.channels.sms_reports import MEANS, sms_reports
from agents.gateway.channels.table import routes_of_channels
from agents.settings import SettingsError
from agents.sms.faults import Faults
from agents.sms.memory import ref_key
from agents.sms.receipts import Receipts
from schemas.sms import SmsReceipt
from schemas.topics import SMS_REQUESTED
from tests.agents.sms_accounts import CASE, FakeMemory, sending
from tests.gateway.conftest import NOW, Gateway, running
from tests.waiting import auntil

KEYS = "a-key-of-the-tests", "the-key-before-it"
SMS = f"{CASE}-1-citizen"
NIC = "/channels/sms/nic/reports"
SEVA = "/channels/sms/mobile-seva/reports"
REPORT = {
    "a2wackid": "ref-1", "a2wstatus": "SUCCESS", "carrierstatus": "DELIVRD", "lastutime": "2026/02/02/10/15",
    "custref": "", "submitdt": "2026/02/02/10/14", "mnumber": "919812345670", "acode": "up.sms", "senderid": "CMHELP",
}  # fmt: skip


class Lookups:
    """Redis's port as far as it is asked here: what was kept under a key."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        self.kept = kept

    def set_response_callback(self, *_: object) -> None: ...

    def pipeline(self, **_: object) -> "Asked":
        return Asked(self.kept)

    async def aclose(self) -> None: ...


class Asked:
    def __init__(self, kept: dict[str, bytes]) -> None:
        self._kept, self._keys = kept, list[str]()

    def execute_command(self, name: str, key: str, **_: object) -> None:
        assert name == "GET"
        self._keys.append(key)

    async def execute(self, **_: object) -> list[bytes | None]:
        return [self._kept.get(key) for key in self._keys]


class Remembered(Lookups):
    """What a sender's memory holds by now."""

    def __init__(self, form: str, memory: FakeMemory) -> None:
        self._form, self._memory = form, memory

    def pipeline(self, **_: object) -> Asked:
        return Asked({ref_key(self._form, ref): sms.encode() for ref, sms in self._memory.refs.items()})


def kept(ref: str = "ref-1") -> Lookups:
    return Lookups({ref_key(form, ref): SMS.encode() for form in ("nic", "mobile-seva")})


def routes(keys: str = ",".join(KEYS)) -> Any:
    return routes_of_channels({"NIVARAN_SMS_REPORT_KEYS": keys})


async def nic(gateway: Gateway, key: str = KEYS[0], **changes: str) -> tuple[int, str]:
    async with gateway.client.get(NIC, params={**REPORT, "key": key, **changes}) as response:
        return response.status, await response.text()


async def seva(gateway: Gateway, body: str | bytes, msgid: str = "ref-1", key: str = KEYS[0]) -> tuple[int, str]:
    async with gateway.client.post(SEVA, params={"msgid": msgid, "key": key}, data=body) as response:
        return response.status, await response.text()


def counted(gateway: Gateway, form: str, result: str) -> float:
    return gateway.services.metrics.sms_reports.labels(form, result)._value.get()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("word", [word for word, means in MEANS.items() if means is not None])
async def test_nic_s_report_is_the_receipt_of_the_message_it_names(word: str, key: str):
    async with running(redis=kept(), channels=routes()) as gateway:
        assert await nic(gateway, key, carrierstatus=word) == (200, "Ok")
        (entry,) = gateway.log.entries
    delivered = MEANS[word] is True
    assert (entry.topic, entry.key) == (SMS_REQUESTED, SMS)
    assert entry.value == SmsReceipt(SMS, NOW, delivered, "" if delivered else word.lower())


async def test_mobile_seva_s_report_tells_when():
    async with running(redis=kept(), channels=routes()) as gateway:
        # 1 770 000 000 is 2026-02-02 08:10:00 in India
        assert await seva(gateway, "919812345670,DELIVERED,2026-02-02 08:09:59\n") == (200, "Ok")
        assert await seva(gateway, "919812345670,FAILEDBYTELCO,2026-02-02 08:20:00") == (200, "Ok")
        values = [entry.value for entry in gateway.log.entries]
    assert values == [SmsReceipt(SMS, NOW - 1000, True), SmsReceipt(SMS, NOW, False, "failedbytelco")]


@pytest.mark.parametrize("word", [word for word, means in MEANS.items() if means is None])
async def test_what_is_not_final_is_counted_and_writes_nothing(word: str):
    async with running(redis=kept(), channels=routes()) as gateway:
        assert await nic(gateway, carrierstatus=word) == (200, "Ok")
        assert await seva(gateway, f"919812345670,{word},0000-00-00 00:00:00") == (200, "Ok")
        assert gateway.log.entries == []
        assert (counted(gateway, "nic", "not-final"), counted(gateway, "mobile-seva", "not-final")) == (1, 1)


async def test_a_report_of_no_known_message_is_said_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agents.gateway.channels.sms_reports.LOOK_AGAIN_S", (0.0,))
    async with running(redis=Lookups({}), channels=routes()) as gateway:
        assert await nic(gateway) == (404, "ERROR: no SMS is known by this id")
        assert gateway.log.entries == []
        assert counted(gateway, "nic", "unmatched") == 1


async def test_while_redis_is_away_the_report_is_to_come_again():
    async with running(channels=routes()) as gateway:
        async with gateway.client.get(NIC, params={**REPORT, "key": KEYS[0]}) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert gateway.log.entries == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"a2wackid": ""}, "a2wackid: the gateway's id"),
        ({"a2wackid": "x" * 65}, "a2wackid: the gateway's id"),
        ({"carrierstatus": ""}, "carrierstatus: must be one of DELIVRD"),
        ({"carrierstatus": "9812345670"}, "carrierstatus: must be one of DELIVRD"),
    ],
)
async def test_a_bad_parameter_of_nic_s_is_named_and_not_repeated(changes: dict[str, str], said: str):
    async with running(redis=kept(), channels=routes()) as gateway:
        status, text = await nic(gateway, **changes)
        assert (status, said in text, "9812345670" in text) == (400, True, False)
        assert counted(gateway, "nic", "refused") == 1


@pytest.mark.parametrize(
    ("body", "msgid", "said"),
    [
        ("", "ref-1", "body: one line"),
        ("919812345670,DELIVERED", "ref-1", "body: one line"),
        ("9198,DELIVERED,2026-02-02 08:10:00\n9199,DELIVERED,2026-02-02 08:10:00", "ref-1", "body: one line"),
        ("9198,ARRIVED,2026-02-02 08:10:00", "ref-1", "status: must be one of"),
        ("9198,DELIVERED,02/02/2026", "ref-1", "time: YYYY-MM-DD"),
        ("9198,DELIVERED,2026-02-02 08:10:00", "", "msgid: the gateway's id"),
        (b"\xff\xfe", "ref-1", "body: must be UTF-8"),
    ],
)
async def test_a_bad_field_of_mobile_seva_s_is_named(body: str | bytes, msgid: str, said: str):
    async with running(redis=kept(), channels=routes()) as gateway:
        status, text = await seva(gateway, body, msgid)
        assert (status, said in text) == (400, True)
        assert gateway.log.entries == []


@pytest.mark.parametrize("key", ["", "another-key-of-the-tests"])
async def test_without_a_known_key_nothing_is_taken(key: str):
    async with running(redis=kept(), channels=routes()) as gateway:
        assert await nic(gateway, key) == (401, "ERROR: key: not known")
        assert (await seva(gateway, "9198,DELIVERED,2026-02-02 08:10:00", key=key))[0] == 401
        assert gateway.log.entries == []


def test_without_a_key_it_is_not_served():
    assert sms_reports({}) == ()


@pytest.mark.parametrize("keys", ["short", f"{KEYS[0]},short", ",".join((*KEYS, "a-third-key-of-the-tests"))])
def test_a_key_that_is_none_is_refused_at_the_start(keys: str):
    with pytest.raises(SettingsError, match="NIVARAN_SMS_REPORT_KEYS"):
        routes(keys)


@pytest.mark.parametrize(("name", "path"), [("nic", NIC), ("mobile-seva", SEVA)])
@pytest.mark.parametrize("undelivered", [0.0, 1.0])
async def test_from_handover_to_receipt_through_sandbox_and_gateway(name: str, path: str, undelivered: float):
    memory = FakeMemory()
    async with running(redis=Remembered(name, memory), channels=routes(KEYS[1])) as gateway:
        receipts = Receipts(str(gateway.client.make_url(path)), KEYS[1])
        async with sending(name, receipts=receipts, memory=memory, faults=Faults(undelivered=undelivered)) as on:
            outcome = await on.send()
            assert outcome.outcome == "accepted"
            await auntil(lambda: receipts.sent == 1, what="the report was taken")
        (entry,) = gateway.log.entries
    assert (entry.value.id, entry.value.delivered) == (outcome.id, not undelivered)
