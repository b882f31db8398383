"""SMPP 3.4: a message as submit_sm with India's DLT tags, what each status means of it, and delivery receipts."""

import asyncio
import re
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Final
from urllib.parse import urlsplit

from aiosmpplib import (
    NPI,
    TON,
    BindTransceiver,
    DeliverSm,
    GSM7BitCodec,
    OptionalParam,
    PhoneNumber,
    SmppCommandStatus,
    SubmitSm,
)
from msgspec import Meta, Struct

from agents.settings import SettingsError
from agents.sms.gateway import Answer, Message
from agents.sms.numbers import with_country
from agents.sms.receipts import Receipts, Report
from agents.sms.smpp_session import BindRefusedError, Pdu, Session, Where
from schemas.sms import Refusal
from streams.text import GSM_UNITS, UCS2_UNITS

ENTITY_TAG: Final = 0x1400
TEMPLATE_TAG: Final = 0x1401
RECEIPTED_ID: Final = 0x001E
UDH: Final = 0b0100_0000
"""Bit of esm_class: the text begins with a user data header, here of concatenation."""
ESCAPE: Final = 0x1B
"""Before a letter of GSM-7's extension."""
MOST_WAITING: Final = 10_000
"""Receipts not yet posted; more are left with the SMSC, which delivers them again."""
MEANS: Final[Mapping[int, Refusal]] = MappingProxyType(
    {
        0x00: "accepted",
        0x04: "unavailable",  # not bound any more
        0x08: "unknown",  # a fault of the SMSC's system, before or after it stored the message
        0x14: "unavailable",  # message queue full
        0x58: "unavailable",  # throttled
    }
)
"""Status of submit_sm_resp -> what it means of the message; every other refuses it (SMPP 3.4, 5.1.3)."""
ID: Final = re.compile(r"\bid:\s*(\S+)", re.ASCII | re.IGNORECASE)
STATUS: Final = re.compile(r"\bstat:\s*([A-Z]+)", re.ASCII | re.IGNORECASE)


class SmppSettings(Struct, frozen=True, kw_only=True):
    """The account at an operator's SMSC; no secret has a default."""

    sms_system_id: Annotated[str, Meta(min_length=1, max_length=15)]
    sms_password: Annotated[str, Meta(min_length=1, max_length=8)]
    """At most eight characters, as SMPP has it."""
    sms_system_type: Annotated[str, Meta(max_length=12)] = ""
    sms_report_url: str = ""
    """The HTTP gateway's /channels/sms/smpp/reports, where receipts are taken; empty: none are asked for."""
    sms_report_key: str = ""
    """One of the gateway's NIVARAN_SMS_REPORT_KEYS."""


def where(url: str) -> Where:
    """`smpp://host:2775` (smpps: over TLS); raises SettingsError."""
    try:
        parts = urlsplit(url)
        found = parts.hostname, parts.port
    except ValueError:
        found = None, None
    host, port = found
    if not host or port is None:
        raise SettingsError("NIVARAN_SMS_URL: needs smpp://host:port or smpps://host:port")
    return Where(host, port, url.startswith("smpps:"))


class Smpp:
    """One session, bound when it is first needed and again when it broke; it knows no idempotency key."""

    def __init__(self, where: Where, account: SmppSettings, *, timeout: float, bound: int) -> None:
        self._where, self._account, self._timeout = where, account, timeout
        self._window = asyncio.Semaphore(bound)
        self._binding = asyncio.Lock()
        self._session: Session | None = None
        self.receipts = Receipts(account.sms_report_url, account.sms_report_key)
        self._posting = False

    async def hand_over(self, message: Message) -> Answer:
        async with self._window:
            try:
                session = await self._bound()
            except BindRefusedError as error:
                return Answer("unavailable", f"smpp-bind-{error}")
            except (OSError, TimeoutError) as error:
                return Answer("unavailable", _named(error))
            asked = (session.ask(part) for part in submits(message, receipt=bool(self._account.sms_report_url)))
            return joined(await asyncio.gather(*asked, return_exceptions=True))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self.receipts.stop()

    async def _bound(self) -> Session:
        async with self._binding:
            if not self._posting:
                await self.receipts.start()
                self._posting = True
            if self._session is None or not self._session.alive:
                if self._session is not None:
                    await self._session.close()
                account = self._account
                bind = BindTransceiver(
                    system_id=account.sms_system_id, password=account.sms_password, system_type=account.sms_system_type
                )
                self._session = await Session.bound(self._where, bind, self._timeout, self._delivered)
            return self._session

    def _delivered(self, delivered: DeliverSm) -> SmppCommandStatus:
        """A receipt is taken to the HTTP gateway; what a citizen texts is not taken here, and told so."""
        report = receipt_of(delivered)
        if report is None:
            return SmppCommandStatus.ESME_RX_P_APPN
        if self.receipts.waiting >= MOST_WAITING:
            return SmppCommandStatus.ESME_RX_T_APPN
        self.receipts.give(report)
        return SmppCommandStatus.ESME_ROK


def submits(message: Message, *, receipt: bool) -> list[SubmitSm]:
    """A submit_sm, or one for each part of a longer text, joined by a user data header."""
    plain: bool = GSM7BitCodec.is_gsm_text(message.text)
    parts = plain_parts(message) if plain else ucs2_parts(message)
    made = []
    for part in parts:
        submit = SubmitSm(
            short_message=message.text,
            source=PhoneNumber(message.header.partition("-")[0], TON.ALPHANUMERIC, NPI.UNKNOWN),
            destination=PhoneNumber(with_country(message.to), TON.INTERNATIONAL, NPI.ISDN),
            esm_class=UDH if len(parts) > 1 else 0,
            registered_delivery=int(receipt),
            encoding=None if plain else "ucs2",
            optional_params=[
                OptionalParam(tag, value)
                for tag, value in ((ENTITY_TAG, message.entity), (TEMPLATE_TAG, message.template))
                if value
            ],
        )
        submit.set_encoded_message(part)
        made.append(submit)
    return made


def plain_parts(message: Message) -> list[bytes]:
    """GSM-7, a septet an octet (domain.md D2: 160 alone, 153 joined); no escape without its letter."""
    data: bytes = GSM7BitCodec.get_codec_info().encode(message.text)[0]
    return _parts(message.id, data, GSM_UNITS, lambda part: part[-1] == ESCAPE, 1)


def ucs2_parts(message: Message) -> list[bytes]:
    """UCS-2, high byte first (domain.md D2: 70 units alone, 67 joined); no half of a surrogate pair."""
    alone, joined_ = UCS2_UNITS
    data = message.text.encode("utf-16-be")
    return _parts(message.id, data, (2 * alone, 2 * joined_), lambda part: 0xD8 <= part[-2] < 0xDC, 2)  # noqa: PLR2004


def _parts(sms: str, data: bytes, longest: tuple[int, int], broken: Callable[[bytes], bool], unit: int) -> list[bytes]:
    """Octets of each part, with a header of concatenation where there are several; its reference is of the SMS id."""
    alone, most = longest
    if len(data) <= alone:
        return [data]
    chunks = []
    while data:
        chunk = data[:most]
        if len(data) > most and broken(chunk):
            chunk = chunk[:-unit]
        chunks.append(chunk)
        data = data[len(chunk) :]
    reference = zlib.crc32(sms.encode()) & 0xFF
    return [bytes((5, 0, 3, reference, len(chunks), number)) + each for number, each in enumerate(chunks, start=1)]


def joined(replies: list[Pdu | BaseException]) -> Answer:
    """What the responses to a message's parts come to; a message some of whose parts were taken may arrive."""
    answers = [_answer(each) for each in replies]
    outcomes = {each.outcome for each in answers}
    if outcomes == {"accepted"}:
        return answers[0]
    worst = next(each for each in answers if each.outcome != "accepted")
    return worst if len(outcomes) == 1 else Answer("unknown", worst.code)


def _answer(reply: Pdu | BaseException) -> Answer:
    match reply:
        case ConnectionError() | TimeoutError():
            return Answer("unknown", _named(reply))
        case BaseException():
            raise reply
        case Pdu(status=status):
            outcome = MEANS.get(status, "refused")
            if outcome == "accepted":
                return Answer("accepted", ref=reply.body.partition(b"\x00")[0].decode("ascii", "replace")[:64])
            return Answer(outcome, f"smpp-{status:08x}")


def receipt_of(delivered: DeliverSm) -> Report | None:
    """The message's id and status word of a delivery receipt; None: it is none that can be read."""
    if not delivered.is_receipt():
        return None
    text = delivered.short_message or delivered.message_payload
    tagged = (each.value for each in delivered.optional_params or [] if each.tag == RECEIPTED_ID)
    told = ID.search(text)
    ref = next(tagged, told[1] if told is not None else "")
    status = STATUS.search(text)
    if not ref or status is None:
        return None
    return Report({"id": str(ref), "stat": status[1]})


def _named(error: BaseException) -> str:
    return type(error).__name__.removesuffix("Error").lower()[:64] or "timeout"
