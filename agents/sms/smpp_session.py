"""A bound SMPP 3.4 session: requests with their responses by sequence number, keep-alive, and what the SMSC delivers.

The PDUs are aiosmpplib's. The session is ours: it must say of every request whether it was surely not taken.
"""

import asyncio
import itertools
import logging
import ssl
from collections.abc import Callable
from struct import Struct as Layout
from typing import Final, NamedTuple

from aiosmpplib import (
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    PduHeader,
    SmppCommand,
    SmppCommandStatus,
    SmppMessage,
    Unbind,
    UnbindResp,
)

HEADER: Final = Layout("!IIII")
LONGEST_PDU: Final = 65_536
RESPONSE: Final = 0x8000_0000
"""Bit of a command id that makes it a response."""
QUIET_S: Final = 30.0
"""After so long without a request the SMSC is asked whether it is there."""

logger = logging.getLogger(__name__)


class Pdu(NamedTuple):
    """A PDU as it came: command and status as numbers, because operators have statuses of their own."""

    command: int
    status: int
    sequence: int
    whole: bytes

    @property
    def body(self) -> bytes:
        return self.whole[HEADER.size :]


class BindRefusedError(ConnectionError):
    """The SMSC does not let us in; the message is its status, eight hex digits."""


class Where(NamedTuple):
    """An SMSC's address."""

    host: str
    port: int
    tls: bool


class Session:
    """Made by `bound`. `deliver` is given what the SMSC delivers and answers with the status to respond."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        patience: float,
        deliver: Callable[[DeliverSm], SmppCommandStatus],
    ) -> None:
        self._reader, self._writer, self._patience, self._deliver = reader, writer, patience, deliver
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self.alive = True
        self._tasks = [asyncio.create_task(self._read(), name="smpp-read")]

    @classmethod
    async def bound(
        cls, where: Where, bind: BindTransceiver, patience: float, deliver: Callable[[DeliverSm], SmppCommandStatus]
    ) -> "Session":
        """Connect and bind, each within `patience` seconds; raises BindRefusedError, OSError, TimeoutError."""
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(
                where.host, where.port, ssl=ssl.create_default_context() if where.tls else None
            )
        session = cls(reader, writer, patience, deliver)
        try:
            status = (await session.ask(bind)).status
        except BaseException:
            await session.close()
            raise
        if status != SmppCommandStatus.ESME_ROK:
            await session.close()
            raise BindRefusedError(f"{status:08x}")
        session._tasks.append(asyncio.create_task(session._keep(), name="smpp-keep"))
        return session

    async def ask(self, request: SmppMessage) -> Pdu:
        """Send, and wait for the response; raises ConnectionError, TimeoutError: it may have been taken then."""
        number = request.sequence_num = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._patience):
                self._writer.write(request.pdu())
                await self._writer.drain()
                return await self._waiting[number]
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """Unbind where that is still possible, and go."""
        if self.alive:
            try:
                await self.ask(Unbind())
            except (OSError, TimeoutError):
                logger.info("the SMSC did not answer the unbind")
        self._end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self) -> None:
        self.alive = False
        self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the connection broke"))

    async def _keep(self) -> None:
        while self.alive:
            await asyncio.sleep(QUIET_S)
            try:
                await self.ask(EnquireLink())
            except (OSError, TimeoutError):
                self._end()

    async def _read(self) -> None:
        try:
            while True:
                self._take(await read_pdu(self._reader))
        except (OSError, EOFError, ValueError) as error:
            if self.alive:
                logger.warning("the SMPP session ended: %s", type(error).__name__)
        finally:
            self._end()

    def _take(self, pdu: Pdu) -> None:
        if pdu.command & RESPONSE:
            waiting = self._waiting.get(pdu.sequence)
            if waiting is not None and not waiting.done():
                waiting.set_result(pdu)
            return
        self._writer.write(self._answered(pdu).pdu())
        if pdu.command == SmppCommand.UNBIND:
            raise EOFError("the SMSC unbound")

    def _answered(self, pdu: Pdu) -> SmppMessage:
        match pdu.command:
            case SmppCommand.ENQUIRE_LINK:
                return EnquireLinkResp(pdu.sequence)
            case SmppCommand.UNBIND:
                return UnbindResp(pdu.sequence)
            case SmppCommand.DELIVER_SM:
                try:
                    delivered = DeliverSm.from_pdu(pdu.whole, header_of(pdu), "ascii")
                except (ValueError, LookupError):
                    return DeliverSmResp(pdu.sequence, SmppCommandStatus.ESME_RINVMSGLEN)
                assert isinstance(delivered, DeliverSm)
                return DeliverSmResp(pdu.sequence, self._deliver(delivered))
            case _:
                return GenericNack(pdu.sequence, SmppCommandStatus.ESME_RINVCMDID)


async def read_pdu(reader: asyncio.StreamReader) -> Pdu:
    """The next one; raises EOFError, OSError, and ValueError for a length that none can have."""
    head = await reader.readexactly(HEADER.size)
    length, command, status, sequence = HEADER.unpack(head)
    if not HEADER.size <= length <= LONGEST_PDU:
        raise ValueError(f"a PDU of {length} bytes")
    return Pdu(command, status, sequence, head + await reader.readexactly(length - HEADER.size))


def header_of(pdu: Pdu) -> PduHeader:
    """As the library's parsers want it; raises ValueError for a command it does not know."""
    return PduHeader(len(pdu.whole), SmppCommand(pdu.command), SmppCommandStatus.ESME_ROK, pdu.sequence)
