"""A sandbox SMS gateway: takes messages like a real one, sends none, keeps a ledger, and fails when it is told to."""

import asyncio
import hashlib
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.sms.faults import Faults
from agents.sms.gateway import Message
from agents.sms.ledger import Entry, Kind, Ledger
from agents.sms.receipts import Receipt, Receipts
from streams.text import segments, units

LATEST: Final = 200
"""Messages whose text is kept, in memory only, for looking at."""
SILENCE_S: Final = 120.0
LONGEST_MESSAGE: Final = 16_384
_decode: Final = msgspec.json.Decoder(Message).decode


class Shown(Struct, frozen=True):
    """A message that was taken, with its number hidden but for two digits."""

    id: str
    to: str
    text: str
    template: str
    header: str
    units: int
    segments: int


class Sandbox:
    """`POST /messages`, `GET /messages`, `GET /ledger`, `POST /control`, `GET /healthz`, `GET /readyz`."""

    def __init__(
        self, ledger: Path | None = None, faults: Faults | None = None, receipts: Receipts | None = None, most: int = 1
    ) -> None:
        self.ledger = Ledger(ledger)
        self.faults = faults or Faults()
        self.receipts = receipts or Receipts("")
        self._most = most
        self._times: defaultdict[str, int] = defaultdict(int)
        self._latest: deque[Shown] = deque(maxlen=LATEST)
        self._ending = asyncio.Event()

    def taking(self) -> tuple[web.RouteDef, ...]:
        """Where messages are taken."""
        return (web.post("/messages", self._take),)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LONGEST_MESSAGE)
        app.add_routes([
            *self.taking(),
            web.get("/messages", self._show),
            web.get("/ledger", self._summary),
            web.get("/control", self._current),
            web.post("/control", self._control),
            web.get("/healthz", self._health),
            web.get("/readyz", self._health),
        ])  # fmt: skip
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._end)
        app.on_cleanup.append(self._stop)
        return app

    async def _start(self, _: web.Application) -> None:
        await self.receipts.start()

    async def _end(self, _: web.Application) -> None:
        self._ending.set()

    async def _stop(self, _: web.Application) -> None:
        await self.receipts.stop()
        self.ledger.close()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            message = _decode(await request.read())
        except msgspec.MsgspecError:
            return self._refuse("", "malformed", 400)
        if request.headers.get("Idempotency-Key") != message.id or not message.id:
            return self._refuse(message.id, "key-mismatch", 400)
        if fault := _wrong(message, self._most):
            return self._refuse(message.id, fault, 422)
        return await self.answer(message)

    async def answer(self, message: Message) -> web.Response:
        self._times[message.id] += 1
        fault, delay = self.faults.drawn(message.id, self._times[message.id])
        if delay:
            await asyncio.sleep(delay)
        if fault in {"fail", "throttle"}:
            status = 503 if fault == "fail" else 429
            self.ledger.add(Entry(message.id, "unavailable", now(), code=f"http-{status}"))
            return _json({"code": fault}, status)
        return await self.accept(message, silent=fault == "silent")

    async def accept(self, message: Message, *, silent: bool) -> web.Response:
        before, digest = self.ledger.accepted.get(message.id), digest_of(message)
        if before is not None and before.digest != digest:
            return self._refuse(message.id, "key-reused", 409)
        self.keep(message, "accepted" if before is None else "repeated", digest, silent=silent)
        if before is None:
            delivered = self.faults.delivered(message.id)
            self.receipts.give(Receipt(message.id, delivered, "" if delivered else "absent-subscriber"))
        if silent:
            await self.say_nothing()
        return _json({"id": message.id, "status": "accepted"}, 202)

    def keep(self, message: Message, kind: Kind, digest: str, *, silent: bool) -> None:
        """Write a message that was taken to the ledger, its number hidden, and show it."""
        to, length, parts = hidden(message.to), units(message.text), segments(message.text)
        self.ledger.add(Entry(message.id, kind, now(), to, message.template, length, parts, silent, "", digest))
        if kind == "accepted":
            self._latest.append(Shown(message.id, to, message.text, message.template, message.header, length, parts))

    async def say_nothing(self) -> None:
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._ending.wait()
        except TimeoutError:
            pass

    def _refuse(self, id: str, code: str, status: int) -> web.Response:  # noqa: A002 - the message's own field name
        self.ledger.add(Entry(id[:64], "refused", now(), code=code))
        return _json({"code": code}, status)

    async def _show(self, request: web.Request) -> web.Response:
        part = request.query.get("id", "")
        return _json([shown for shown in reversed(self._latest) if part in shown.id])

    async def _summary(self, _: web.Request) -> web.Response:
        counts = msgspec.to_builtins(self.ledger.summary())
        return _json({**counts, "receipts_sent": self.receipts.sent, "receipts_waiting": self.receipts.waiting})

    async def _current(self, _: web.Request) -> web.Response:
        return _json(self.faults)

    async def _control(self, request: web.Request) -> web.Response:
        """Change what is named, keep the rest."""
        try:
            changes = msgspec.json.decode(await request.read(), type=dict[str, float | int])
            self.faults = msgspec.convert({**msgspec.to_builtins(self.faults), **changes}, Faults)
        except msgspec.MsgspecError as error:
            return _json({"code": "invalid", "detail": str(error)}, 400)
        return _json(self.faults)

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"status": "alive"})


def _wrong(message: Message, most: int) -> str:
    """What a real gateway would refuse it for; empty when nothing."""
    if not message.template:
        return "no-template"
    if not (message.to.isascii() and message.to.isdecimal() and 10 <= len(message.to) <= 15):  # noqa: PLR2004 - E.164
        return "bad-number"
    if not message.text:
        return "no-text"
    return "too-long" if segments(message.text) > most else ""


def hidden(number: str) -> str:
    return "X" * (len(number) - 2) + number[-2:]


def digest_of(message: Message) -> str:
    return hashlib.sha256(f"{message.to}\x00{message.template}\x00{message.text}".encode()).hexdigest()[:16]


def now() -> int:
    return time.time_ns() // 1_000_000


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
