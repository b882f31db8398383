"""A sandbox SMSC: binds, takes submit_sm as SMPP 3.4 and India's DLT tags want it, and delivers receipts."""

import asyncio
import re
from typing import Final

from aiosmpplib import (
    TON,
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    EnquireLinkResp,
    GenericNack,
    PhoneNumber,
    SmppCommand,
    SmppMessage,
    SubmitSm,
    SubmitSmResp,
    UnbindResp,
)
from aiosmpplib import SmppCommandStatus as Status

from agents.sms.faults import Faults
from agents.sms.gateway import Message
from agents.sms.ledger import Entry, Ledger
from agents.sms.sandbox import digest_of, hidden, now
from agents.sms.sandboxes.form import DELIVERED, NOT_DELIVERED
from agents.sms.smpp import ENTITY_TAG, TEMPLATE_TAG, SmppSettings
from agents.sms.smpp_session import Pdu, header_of, read_pdu
from streams.text import segments, units

NUMBER: Final = re.compile(r"91[6-9][0-9]{9}|00[0-9]{10}", re.ASCII)
DLT_ID: Final = re.compile(r"[0-9]{19}", re.ASCII)
RECEIPT: Final = 0b0000_0100
"""esm_class of a deliver_sm that is a delivery receipt."""


class Smsc:
    """One account; keeps a ledger as the other sandboxes do, and fails when it is told to."""

    def __init__(
        self, account: SmppSettings, headers: frozenset[str], ledger: Ledger, faults: Faults | None = None
    ) -> None:
        self._account, self._headers, self.ledger = account, headers, ledger
        self.faults = faults or Faults()
        self.taken: list[Message] = []
        self.answered: list[int] = []
        """Statuses of the ESME's answers to receipts."""
        self._number = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._session, host, port)

    def cut(self) -> None:
        """Break every connection, as a network does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bound = False
        self._writers.add(writer)
        try:
            while True:
                pdu = await read_pdu(reader)
                if pdu.command == SmppCommand.DELIVER_SM_RESP:
                    self.answered.append(pdu.status)
                    continue
                answers = self._bind(pdu) if pdu.command == SmppCommand.BIND_TRANSCEIVER else self._asked(pdu, bound)
                bound |= any(isinstance(each, BindTransceiverResp) and not each.command_status for each in answers)
                for each in answers:
                    writer.write(each.pdu())
                await writer.drain()
                if pdu.command == SmppCommand.UNBIND:
                    return
        except (OSError, EOFError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _bind(self, pdu: Pdu) -> list[SmppMessage]:
        bind = BindTransceiver.from_pdu(pdu.whole, header_of(pdu))
        assert isinstance(bind, BindTransceiver)
        status = Status.ESME_ROK
        if bind.system_id != self._account.sms_system_id:
            status = Status.ESME_RINVSYSID
        elif bind.password != self._account.sms_password:
            status = Status.ESME_RINVPASWD
        return [BindTransceiverResp(pdu.sequence, status, "sandbox")]

    def _asked(self, pdu: Pdu, bound: bool) -> list[SmppMessage]:
        match pdu.command:
            case SmppCommand.ENQUIRE_LINK:
                return [EnquireLinkResp(pdu.sequence)]
            case SmppCommand.UNBIND:
                return [UnbindResp(pdu.sequence)]
            case SmppCommand.SUBMIT_SM:
                return self._submitted(pdu) if bound else [SubmitSmResp(pdu.sequence, Status.ESME_RINVBNDSTS)]
            case _:
                return [GenericNack(pdu.sequence, Status.ESME_RINVCMDID)]

    def _submitted(self, pdu: Pdu) -> list[SmppMessage]:
        submit = SubmitSm.from_pdu(pdu.whole, header_of(pdu), "gsm0338")
        assert isinstance(submit, SubmitSm)
        if (wrong := self._wrong(submit)) is not None:
            self.ledger.add(Entry("", "refused", now(), code=wrong.name.lower()))
            return [SubmitSmResp(pdu.sequence, wrong)]
        tags = _tags(submit)
        text = submit.short_message
        message = Message(
            "", submit.destination.number, text, tags[TEMPLATE_TAG], submit.source.number, tags[ENTITY_TAG]
        )
        digest = digest_of(message)
        fault, _ = self.faults.drawn(digest, 1)
        if fault in {"fail", "throttle"}:
            self.ledger.add(Entry(digest, "unavailable", now(), code=fault))
            return [SubmitSmResp(pdu.sequence, Status.ESME_RMSGQFUL if fault == "fail" else Status.ESME_RTHROTTLED)]
        self._number += 1
        ref = f"{now():x}{self._number:04x}"
        silent = fault == "silent"
        self.taken.append(message)
        self.ledger.add(
            Entry(ref, "accepted", now(), hidden(message.to), message.template, units(text), segments(text), silent,
                  "", digest)
        )  # fmt: skip
        receipts = [self._receipt(submit, ref, digest)] if submit.registered_delivery else []
        return receipts if silent else [SubmitSmResp(pdu.sequence, Status.ESME_ROK, message_id=ref), *receipts]

    def _wrong(self, submit: SubmitSm) -> Status | None:
        tags = _tags(submit)
        if submit.source.ton != TON.ALPHANUMERIC or submit.source.number not in self._headers:
            return Status.ESME_RINVSRCADR
        if submit.destination.ton != TON.INTERNATIONAL or not NUMBER.fullmatch(submit.destination.number):
            return Status.ESME_RINVDSTADR
        if not tags.keys() >= {ENTITY_TAG, TEMPLATE_TAG}:
            return Status.ESME_RMISSINGOPTPARAM
        if not all(DLT_ID.fullmatch(tags[each]) for each in (ENTITY_TAG, TEMPLATE_TAG)):
            return Status.ESME_RINVOPTPARAMVAL
        return None if submit.short_message else Status.ESME_RINVMSGLEN

    def _receipt(self, submit: SubmitSm, ref: str, digest: str) -> SmppMessage:
        self._number += 1
        status = DELIVERED if self.faults.delivered(digest) else NOT_DELIVERED
        text = f"id:{ref} sub:001 dlvrd:001 submit date:2602020810 done date:260202081000 stat:{status} err:000 text:"
        return DeliverSm(
            self._number,
            short_message=text,
            source=submit.destination,
            destination=PhoneNumber(submit.source.number),
            esm_class=RECEIPT,
            registered_delivery=0,
        )


def _tags(submit: SubmitSm) -> dict[int, str]:
    return {each.tag: each.value for each in submit.optional_params or [] if isinstance(each.value, str)}
