"""The SMS sender: carries out handovers and says what came of each; it decides nothing."""

import asyncio
import time
from typing import Annotated, Final, get_args

from msgspec import Meta

from agents.clock import Clock
from agents.contact import Contacts, SealError
from agents.runtime.ports import Sender
from agents.settings import Settings, SettingsError, load
from agents.sms.breaker import Breaker
from agents.sms.gateway import Answer, Gateway, HttpGateway, Message
from agents.sms.offices import Offices, offices
from agents.telemetry import catalogue as c
from agents.telemetry.families import counters, gauge, histogram, histograms
from schemas.sms import Refusal, SmsHandover, SmsOutcome, SmsRequested
from schemas.topics import SMS_OUTBOX, SMS_REQUESTED
from streams.stage import Origin, Output


class SmsSettings(Settings, frozen=True, kw_only=True):
    """Settings of the worker that sends."""

    contact_key: str
    """base64url of 32 bytes: opens contact details."""
    contact_key_previous: str = ""
    sms_url: str
    """Where the gateway takes messages."""
    sms_token: str = ""
    """Bearer token for the gateway; empty when it wants none."""
    sms_header: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Z0-9]{3,11}(-[PSTG])?\Z",
            description="3 to 11 capital letters and digits, with -P, -S, -T or -G after them where registered so",
        ),
    ] = "CMHELP"
    """The operator's registered sender name, for requests that name none."""
    sms_timeout: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Seconds without an answer after which it is unknown whether the gateway took the message."""
    sms_bound: Annotated[int, Meta(ge=1, le=2000)] = 100
    """Calls at a time."""
    offices: str = ""
    """CSV file with the columns `office,mobile`; `sandbox` for made-up numbers that no network has."""


class SmsSender:
    """A sender for the runtime; number and text are in its hands only for the length of a call."""

    name: Final = "sms-sender"
    reads: Final = SMS_OUTBOX
    writes: Final[tuple[str, ...]] = (SMS_REQUESTED,)
    records: Final = SmsHandover

    def __init__(self, settings: SmsSettings, clock: Clock, gateway: Gateway | None = None) -> None:
        self.bound = settings.sms_bound
        self._settings, self._clock = settings, clock
        self._contacts = Contacts.from_text(settings.contact_key, settings.contact_key_previous)
        self._offices: Offices = offices(settings.offices)
        self._gateway = gateway
        self.calls, self.call, self.resting = counters(c.SMS_CALLS), histogram(c.SMS_CALL), gauge(c.SMS_RESTING)
        self.first_calls, self.accepted = counters(c.SMS_FIRST), histograms(c.SMS_ACCEPTED)
        for outcome in get_args(Refusal):  # there from the start: what begins at 1 has no increase
            self.calls.labels(outcome)
        self.collectors = (self.calls, self.call, self.resting, self.first_calls, self.accepted)

    async def open(self) -> None:
        """Raise SettingsError for an address that is none."""
        settings = self._settings
        if not settings.sms_url.startswith(("http://", "https://")):
            raise SettingsError("NIVARAN_SMS_URL: needs an http:// or https:// address")
        if self._gateway is None:
            self._gateway = HttpGateway(
                settings.sms_url, timeout=settings.sms_timeout, bound=settings.sms_bound, token=settings.sms_token
            )
        self._breaker = Breaker(asyncio.get_running_loop().time)
        self.resting.set_function(lambda: self._breaker.open)

    async def send(self, key: str, record: SmsHandover, origin: Origin) -> Output:  # noqa: ARG002 - the port's signature
        answer = await self._answer(record.request)
        at = max(self._clock.now(), record.at)
        self._count(record, answer, origin.at, at)
        outcome = SmsOutcome(record.request.id, record.attempt, at, answer.outcome, answer.code)
        return Output(SMS_REQUESTED, record.request.id, outcome, at)

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.close()

    def _count(self, record: SmsHandover, answer: Answer, arrived_at: int, at: int) -> None:
        request = record.request
        if record.attempt == 1:
            self.first_calls.labels(request.audience, request.step).inc()
        accepted = self.accepted.labels(request.audience, request.step)
        if answer.outcome == "accepted":
            # a first handover has the timestamp of what began it; a later one was begun by a wake, and what it tells
            # of happened at `request.at`
            began = arrived_at if record.attempt == 1 else request.at
            accepted.observe(max(0, at - began) / 1000)

    async def _answer(self, request: SmsRequested) -> Answer:
        try:
            to = self._number(request)
        except SealError:
            return Answer("refused", "contact-unreadable")
        if to is None:
            return Answer("refused", "no-number")
        header = request.header or self._settings.sms_header
        return await self._call(Message(request.id, to, request.text, request.template, header, request.entity))

    def _number(self, request: SmsRequested) -> str | None:
        match request.audience:
            case "officer":
                return None if request.office is None else self._offices.mobile(request.office)
            case "citizen":
                sealed = request.contact
                return None if sealed is None else self._contacts.open_sealed(sealed, request.case)

    async def _call(self, message: Message) -> Answer:
        assert self._gateway is not None
        await self._breaker.wait()
        began = time.perf_counter()
        answer = await self._gateway.hand_over(message)
        self.call.observe(time.perf_counter() - began)
        if answer.outcome in {"accepted", "refused"}:
            self._breaker.answered()
        else:
            self._breaker.failed()
        self.calls.labels(answer.outcome).inc()
        return answer


def make_sender(settings: Settings, clock: Clock) -> Sender:  # noqa: ARG001 - its own settings hold those and more
    """The sender as a worker role asks for it; raises SettingsError or KeyFormatError."""
    return SmsSender(load(SmsSettings), clock)
