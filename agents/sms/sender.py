"""The SMS sender: carries out handovers and says what came of each; it decides nothing."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, get_args

from redis.asyncio import Redis

from agents.clock import Clock
from agents.contact import Contacts, SealError
from agents.sms.breaker import Breaker
from agents.sms.formats import FORMATS, gateway_of
from agents.sms.gateway import Answer, Gateway, Message
from agents.sms.memory import Lapse, Memory, MemoryAwayError, RedisMemory
from agents.sms.offices import Offices, offices
from agents.sms.settings import SmsSettings
from agents.telemetry import catalogue as c
from agents.telemetry.families import counters, gauge, histogram, histograms
from schemas.sms import Refusal, SmsHandover, SmsOutcome, SmsRequested
from schemas.topics import SMS_OUTBOX, SMS_REQUESTED
from streams.profiles.load import profiles
from streams.stage import Origin, Output

REDIS_TIMEOUT_S: Final = 2.0
"""How long Redis may take before it counts as away; a gateway that honours no key is then not called."""


class SmsSender:
    """A sender for the runtime; number and text are in its hands only for the length of a call."""

    name: Final = "sms-sender"
    reads: Final = SMS_OUTBOX
    writes: Final[tuple[str, ...]] = (SMS_REQUESTED,)
    records: Final = SmsHandover

    def __init__(
        self,
        settings: SmsSettings,
        clock: Clock,
        gateway: Gateway | None = None,
        memory: Memory | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`memory` is asked by formats that honour no idempotency key only; Redis, where none is given."""
        self.bound = settings.sms_bound
        self._settings, self._clock, self._environ = settings, clock, environ
        self._contacts = Contacts.from_text(settings.contact_key, settings.contact_key_previous)
        self._offices: Offices = offices(settings.offices)
        self._gateway, self._memory = gateway, memory
        self.calls, self.call, self.resting = counters(c.SMS_CALLS), histogram(c.SMS_CALL), gauge(c.SMS_RESTING)
        self.first_calls, self.accepted = counters(c.SMS_FIRST), histograms(c.SMS_ACCEPTED)
        for outcome in get_args(Refusal):  # there from the start: what begins at 1 has no increase
            self.calls.labels(outcome)
        self.lapses = counters(c.SMS_LAPSES)
        for lapse in get_args(Lapse):
            self.lapses.labels(lapse)
        self.collectors = (self.calls, self.call, self.resting, self.first_calls, self.accepted, self.lapses)

    async def open(self) -> None:
        """Raise SettingsError for an address that is none, and for an account that lacks something."""
        settings = self._settings
        if self._gateway is None:
            self._gateway = gateway_of(settings, self._environ)
        if FORMATS[settings.sms_format].honours_key:
            self._memory = None
        elif self._memory is None:
            redis = Redis.from_url(
                settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
            )
            self._memory = RedisMemory(redis, settings.sms_format)
        self._breaker = Breaker(asyncio.get_running_loop().time)
        self.resting.set_function(lambda: self._breaker.open)

    async def send(self, key: str, record: SmsHandover, origin: Origin) -> Output:  # noqa: ARG002 - the port's signature
        if record.attempt == 1:
            # before the call: while the gateway is away calls wait, and who is not told in time must be counted
            self.first_calls.labels(record.request.audience, record.request.step).inc()
        answer = await self._answer(record.request)
        at = max(self._clock.now(), record.at)
        self._count(record, answer, origin.at, at)
        outcome = SmsOutcome(record.request.id, record.attempt, at, answer.outcome, answer.code, answer.ref)
        return Output(SMS_REQUESTED, record.request.id, outcome, at)

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.close()
        if self._memory is not None:
            await self._memory.close()

    def _count(self, record: SmsHandover, answer: Answer, arrived_at: int, at: int) -> None:
        request = record.request
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
            return self._uncallable("contact-unreadable")
        if to is None:
            return self._uncallable("no-number")
        header = request.header or self._settings.sms_header
        message = Message(request.id, to, request.text, request.template, header, request.entity)
        if self._memory is None:
            return await self._call(message)
        return await self._once(message, self._memory, again=_may_arrive_twice(request.system))

    def _uncallable(self, code: str) -> Answer:
        """Refused before the gateway could: counted beside its refusals, for nobody is told either way."""
        self.calls.labels("refused").inc()
        return Answer("refused", code)

    def _number(self, request: SmsRequested) -> str | None:
        match request.audience:
            case "officer":
                return None if request.office is None else self._offices.mobile(request.office)
            case "citizen":
                sealed = request.contact
                return None if sealed is None else self._contacts.open_sealed(sealed, request.case)

    async def _once(self, message: Message, memory: Memory, *, again: bool) -> Answer:
        """Call where nobody has yet: a crash, a rebalance or a retry brings the same message here again.

        `again`: after a call that may have been taken, and has no answer, call once more.
        """
        await self._breaker.wait()  # before the note: who dies while he rests has not called
        try:
            before = await memory.begin(message.id)
        except MemoryAwayError:
            self.lapses.labels("memory-away").inc()
            return Answer("unavailable", "memory-away")
        if before is not None and (before.outcome == "accepted" or not again):
            self.lapses.labels("called-before").inc()
            return before
        answer = await self._call(message)
        if (lapse := await memory.end(message.id, answer)) is not None:
            self.lapses.labels(lapse).inc()
        return answer

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


def _may_arrive_twice(system: str) -> bool:
    profile = profiles().get(system)
    return profile is not None and profile.sms.resend_without_key
