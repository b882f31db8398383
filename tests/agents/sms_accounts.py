"""Accounts, a sender and a memory for tests of the gateways' own forms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from agents.contact import Contacts
from agents.settings import load
from agents.sms.faults import Faults
from agents.sms.gateway import Answer
from agents.sms.memory import CALLED_BEFORE, Lapse, MemoryAwayError
from agents.sms.mobile_seva import MobileSevaSettings
from agents.sms.nic import NicSettings
from agents.sms.receipts import Receipts
from agents.sms.sandboxes.form import Form, FormSandbox, registered_headers
from agents.sms.sandboxes.mobile_seva import MobileSevaForm
from agents.sms.sandboxes.nic import NicForm
from agents.sms.sender import SmsSender
from agents.sms.settings import SmsSettings
from schemas.sms import SmsHandover, SmsOutcome, SmsRequested
from schemas.topics import SMS_OUTBOX
from streams.stage import Origin
from tests.agents.sandboxing import served

KEY = "A" * 43
CASE = "100000000000000017"
NUMBER = "9812345670"
NOW = 1_772_000_000_000
TEMPLATE, ENTITY = "1107160000000000017", "1101160000000000017"
HINDI = f"शिकायत {CASE} दर्ज। निस्तारण तिथि 28/08/2026 तक। -CMHELP"
ENGLISH = f"Complaint {CASE} registered, due 28/08/2026. -CMHELP"
ACCOUNTS = {
    "mobile-seva": {
        "NIVARAN_SMS_USERNAME": "updept",
        "NIVARAN_SMS_PASSWORD": "pass word 17",
        "NIVARAN_SMS_SECURE_KEY": "a-key-of-the-tests",
    },
    "nic": {"NIVARAN_SMS_USERNAME": "up.sms", "NIVARAN_SMS_PIN": "p&in#17"},
}
SECRETS = ("pass word 17", "a-key-of-the-tests", "p&in#17")
HEADERS = registered_headers("CMHELP")


class FixedClock:
    def now(self) -> int:
        return NOW

    def start(self) -> None: ...

    def stop(self) -> None: ...


class FakeMemory:
    """Redis's port: keeps in this process; can be away."""

    def __init__(self) -> None:
        self.kept: dict[str, Answer] = {}
        self.refs: dict[str, str] = {}
        self.up = True

    async def begin(self, sms: str) -> Answer | None:
        if not self.up:
            raise MemoryAwayError("ConnectionError")
        before = self.kept.get(sms)
        self.kept.setdefault(sms, CALLED_BEFORE)
        return before

    async def end(self, sms: str, answer: Answer) -> Lapse | None:
        if not self.up:
            return "report-id-lost" if answer.ref else "outcome-lost"
        if answer.outcome == "accepted":
            self.kept[sms] = Answer("accepted", "called-before", answer.ref)
            self.refs[answer.ref] = sms
        elif answer.outcome != "unknown":
            del self.kept[sms]
        return None

    async def close(self) -> None: ...


def form_of(name: str) -> Form:
    if name == "nic":
        return NicForm(load(NicSettings, ACCOUNTS[name]), HEADERS)
    return MobileSevaForm(load(MobileSevaSettings, ACCOUNTS[name]), HEADERS)


def request(text: str = HINDI, **changes: object) -> SmsRequested:
    values = {
        "id": f"{CASE}-1-citizen", "case": CASE, "system": "up-1076", "at": NOW, "audience": "citizen",
        "step": "registered", "language": "hi", "template": TEMPLATE, "text": text, "segments": 1,
        "contact": Contacts.from_text(KEY).seal(NUMBER, CASE), "entity": ENTITY, "header": "CMHELP-G", **changes,
    }  # fmt: skip
    return SmsRequested(**values)  # type: ignore[arg-type]


class Sending(NamedTuple):
    """A sender before a sandbox of its format."""

    sender: SmsSender
    sandbox: FormSandbox
    memory: FakeMemory

    async def send(self, handed: SmsRequested | None = None, attempt: int = 1) -> SmsOutcome:
        return await outcome_of(self.sender, handed, attempt)


async def outcome_of(sender: SmsSender, handed: SmsRequested | None = None, attempt: int = 1) -> SmsOutcome:
    """What the sender makes of a handover of this message (the usual one, where none is given)."""
    handed = request() if handed is None else handed
    output = await sender.send(handed.id, SmsHandover(handed, attempt, NOW), Origin(SMS_OUTBOX, 0, 0, NOW))
    assert isinstance(output.value, SmsOutcome)
    return output.value


@asynccontextmanager
async def sending(
    name: str,
    *,
    faults: Faults | None = None,
    receipts: Receipts | None = None,
    memory: FakeMemory | None = None,
    most: int = 1,
    **account: str,
) -> AsyncIterator[Sending]:
    """A sender of this format; `account` changes what the sender believes its account to be."""
    sandbox = FormSandbox(form_of(name), faults=faults, receipts=receipts, most=most)
    async with served(sandbox) as (_, url):
        environ = {**ACCOUNTS[name], **account}
        settings = SmsSettings(
            contact_key=KEY, sms_url=url + form_of(name).path, sms_format=name, sms_timeout=0.3  # type: ignore[arg-type]
        )  # fmt: skip
        memory = memory or FakeMemory()
        sender = SmsSender(settings, FixedClock(), memory=memory, environ=environ)
        await sender.open()
        try:
            yield Sending(sender, sandbox, memory)
        finally:
            await sender.close()
