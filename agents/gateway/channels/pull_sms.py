"""Pull SMS: an operator forwards what citizens send to a short or long code; the answer's body is the SMS they get."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from agents.gateway.channels.common import (
    Network,
    complaint,
    known,
    networks_of,
    plainly,
    secrets_of,
    standing,
    system_of,
    within,
)
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.requests import Mobile
from agents.gateway.routes import Route, address
from agents.gateway.services import SERVICES, Services
from agents.gateway.writing import submit, traceparent
from agents.settings import SettingsError, load
from streams.dialogue.pull import Ask, Help, Lodge, read, replies
from streams.dialogue.standing import told
from streams.dialogue.words import words
from streams.ids import citizen_token, digest
from streams.text import segments

PATH: Final = "/channels/pull-sms"
CHANNEL: Final = "sms"
TIME: Final = "%Y-%m-%d %H:%M:%S"
LONGEST: Final = 2000
"""Characters of a message: a Hindi SMS of ten parts has 670."""
KEY_DIGITS: Final = 40


class PullSmsSettings(Struct, frozen=True, kw_only=True):
    """Served where `pull_sms_system` is set; then keys or sources are needed, and both hold where both are set."""

    pull_sms_system: str = ""
    """The system that messages are for; empty: not served."""
    pull_sms_keyword: Annotated[str, Meta(pattern=r"\A\S{0,20}\Z", description="one word, at most 20 characters")] = ""
    """The operator's keyword, the first word of every message; it may also have been taken off."""
    pull_sms_keys: str = ""
    """Shared keys, of which the operator sends one as the parameter `key`: one, or two while it changes them."""
    pull_sms_sources: str = ""
    """Addresses or networks the operator forwards from, comma separated."""
    pull_sms_parameters: str = "mobile=mobileNumber,time=timeStamp,message=message,id=messageId,key=key"
    """How the operator names the parameters."""


class Names(NamedTuple):
    """How the operator names the parameters."""

    mobile: str
    time: str
    message: str
    id: str
    key: str


class Received(NamedTuple):
    """A message as the operator tells it. `at`: UTC ms."""

    mobile: str
    time: str
    at: int
    message: str
    id: str


def routes(environ: Mapping[str, str] | None) -> tuple[Route, ...]:
    """The channel, where it is set up; raises SettingsError."""
    settings = load(PullSmsSettings, environ)
    if not settings.pull_sms_system:
        return ()
    channel = PullSms(settings)
    return (Route("GET", PATH, channel.get, "channel", channel.tell),)


class PullSms:
    """The channel as it is set up."""

    def __init__(self, settings: PullSmsSettings) -> None:
        self._profile = system_of(settings.pull_sms_system, CHANNEL, "NIVARAN_PULL_SMS_SYSTEM")
        self._keys = secrets_of(settings.pull_sms_keys, "NIVARAN_PULL_SMS_KEYS") if settings.pull_sms_keys else ()
        self._sources: tuple[Network, ...] = networks_of(settings.pull_sms_sources, "NIVARAN_PULL_SMS_SOURCES")
        if not self._keys and not self._sources:
            raise SettingsError("NIVARAN_PULL_SMS_KEYS or NIVARAN_PULL_SMS_SOURCES must be set: who may send?")
        self._names = _names(settings.pull_sms_parameters)
        self._keyword = settings.pull_sms_keyword
        for reply in replies(self._profile, self._keyword):
            if segments(reply) > 1:
                raise SettingsError(f"NIVARAN_PULL_SMS_KEYWORD: too long, a reply does not fit one SMS: {reply}")

    async def get(self, request: web.Request) -> web.Response:
        """`GET /channels/pull-sms`: 200 with what the citizen is told, once what he asked for is durable."""
        services = request.app[SERVICES]
        self._allow(request, services)
        sent = self._received(request)
        asked = read(sent.message, self._keyword, self._profile.at(sent.at), sent.at)
        match asked:
            case Help():
                services.metrics.messages.labels(CHANNEL, "help").inc()
                return _reply(asked.reply)
            case Ask():
                found = await standing(services, asked.case)
                services.metrics.messages.labels(CHANNEL, "status").inc()
                return _reply(told(found, asked.case, asked.language, self._profile.zone))
            case Lodge():
                return await self._lodge(request, services, sent, asked)

    async def _lodge(self, request: web.Request, services: Services, sent: Received, asked: Lodge) -> web.Response:
        body = complaint(self._profile, CHANNEL, asked, sent.mobile, sent.at)
        try:
            done = await submit(services, body, self._key(services, sent), traceparent(request))
        except Problem as problem:
            if problem.kind is not Kind.INVALID_FIELDS:
                raise
            services.metrics.messages.labels(CHANNEL, "refused").inc()
            return _reply(_refusal(problem, asked))
        services.metrics.messages.labels(CHANNEL, "repeated" if done.replayed else "lodged").inc()
        return _reply(words(asked.language, "sms-registered", case=done.answer.case))

    def _key(self, services: Services, sent: Received) -> str:
        """The operator's id of the message; without one, the same words of the same person at the same second."""
        if sent.id:
            return f"mo-{digest(sent.id, length=KEY_DIGITS)}"
        person = citizen_token(services.identity.citizen_key, sent.mobile)
        return f"mo-{digest(person, sent.time, sent.message, length=KEY_DIGITS)}"

    def _allow(self, request: web.Request, services: Services) -> None:
        source = address(request, services.settings.trusted_proxies)
        if self._sources and not within(source, self._sources):
            raise Problem(Kind.FORBIDDEN, "messages are not taken from this address")
        if self._keys and not known(request.query.get(self._names.key, ""), self._keys):
            raise Problem(Kind.UNAUTHENTICATED, f"the parameter {self._names.key} holds no key that is known")

    def _received(self, request: web.Request) -> Received:
        names, query, errors = self._names, request.query, list[FieldError]()
        mobile, message = query.get(names.mobile, "").strip(), query.get(names.message, "")
        try:
            msgspec.convert(mobile, Mobile)
        except msgspec.ValidationError:
            errors.append(FieldError(names.mobile, "must be a telephone number of 10 to 15 digits"))
        time, at = query.get(names.time, "").strip(), 0
        try:
            at = _instant(time, self._profile.zone)
        except ValueError:
            errors.append(FieldError(names.time, "must be a local time like 2026-02-23 13:30:20"))
        if not message.strip() or len(message) > LONGEST:
            errors.append(FieldError(names.message, f"must be the message, at most {LONGEST} characters"))
        if errors:
            raise Problem(Kind.INVALID_FIELDS, "Parameters cannot be taken", errors=errors)
        return Received(mobile, time, at, message, query.get(names.id, "").strip())

    def tell(self, problem: Problem) -> web.Response:
        """A line for the operator; where nothing can be accepted for now, what the citizen may be told instead."""
        if problem.kind is Kind.UNAVAILABLE:
            text = words(self._profile.languages[0], "sms-away")
            return web.Response(status=problem.kind.status, text=text, headers=problem.headers)
        return plainly(problem)


def _names(text: str) -> Names:
    pairs = dict(each.strip().partition("=")[::2] for each in text.split(",") if each.strip())
    if set(pairs) != set(Names._fields) or not all(pairs.values()):
        need = ", ".join(f"{each}=..." for each in Names._fields)
        raise SettingsError(f"NIVARAN_PULL_SMS_PARAMETERS: must name each once: {need}")
    return Names(**pairs)


def _instant(time: str, zone: str) -> int:
    return round(datetime.strptime(time, TIME).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def _refusal(problem: Problem, asked: Lodge) -> str:
    """The words of the system's own rule where they fit one SMS."""
    for error in problem.errors:
        if error.field in {"category", "type"} and segments(error.detail) == 1:
            return error.detail
    return words(asked.language, "sms-refused")


def _reply(text: str) -> web.Response:
    return web.Response(text=text, headers={"Cache-Control": "no-store"})
