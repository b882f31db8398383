"""The webhook: verified once, then signed notifications, each message taken once and answered when it is durable."""

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec
from aiohttp import web

from agents.gateway.channels.common import complaint, known, plainly, secrets_of, standing, system_of
from agents.gateway.channels.whatsapp.payloads import Message, read
from agents.gateway.channels.whatsapp.replying import CloudApi, Replies, ReplyRefusedError, ReplyUnavailableError
from agents.gateway.channels.whatsapp.settings import WhatsAppSettings
from agents.gateway.channels.whatsapp.talks import Read, Talks
from agents.gateway.problems import Kind, Problem
from agents.gateway.routes import Route
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from agents.gateway.writing import submit, traceparent
from agents.settings import SettingsError, load
from streams.dialogue.said import Ask, Lodge
from streams.dialogue.talk import Heard, Lodged, Refused, Turn, answered, lodged, step
from streams.ids import case_id, digest

PATH: Final = "/channels/whatsapp"
CHANNEL: Final = "whatsapp"
SIGNATURE: Final = "X-Hub-Signature-256"
TRIES: Final = 8
"""Messages of one person that may come between in a row; a person types no faster."""
NEEDED: Final = ("whatsapp_verify_token", "whatsapp_app_secrets", "whatsapp_number_id", "whatsapp_token")

logger = logging.getLogger(__name__)


def routes(environ: Mapping[str, str] | None) -> tuple[Route, ...]:
    """The channel, where it is set up; raises SettingsError."""
    settings = load(WhatsAppSettings, environ)
    if not settings.whatsapp_system:
        return ()
    for name in NEEDED:
        if not getattr(settings, name):
            raise SettingsError(f"NIVARAN_{name.upper()} is not set")
    channel = WhatsApp(settings)
    return (
        Route("GET", PATH, channel.verify, "channel", plainly),
        Route("POST", PATH, channel.post, "channel", plainly, channel.serving),
    )


class WhatsApp:
    """The channel as it is set up."""

    def __init__(self, settings: WhatsAppSettings) -> None:
        self._settings = settings
        self._profile = system_of(settings.whatsapp_system, CHANNEL, "NIVARAN_WHATSAPP_SYSTEM")
        self._secrets = secrets_of(settings.whatsapp_app_secrets, "NIVARAN_WHATSAPP_APP_SECRETS")
        self._verify = secrets_of(settings.whatsapp_verify_token, "NIVARAN_WHATSAPP_VERIFY_TOKEN")
        self._replies: Replies | None = None

    async def serving(self, _app: web.Application) -> AsyncIterator[None]:
        settings = self._settings
        self._replies = CloudApi(
            settings.whatsapp_api, settings.whatsapp_number_id, settings.whatsapp_token, settings.whatsapp_timeout
        )
        yield
        await self._replies.close()

    async def verify(self, request: web.Request) -> web.Response:
        """`GET /channels/whatsapp`: Meta asks for its challenge back when the webhook is set up."""
        query = request.query
        if query.get("hub.mode") != "subscribe" or not known(query.get("hub.verify_token", ""), self._verify):
            raise Problem(Kind.FORBIDDEN, "hub.mode must be subscribe, hub.verify_token the one that is set here")
        return web.Response(text=query.get("hub.challenge", ""))

    async def post(self, request: web.Request) -> web.Response:
        """`POST /channels/whatsapp`: 200 when everything in it is durable; 503 makes Meta send all of it again."""
        services = request.app[SERVICES]
        raw = await _body(request, self._settings.whatsapp_max_body)
        self._allow(request, raw)
        try:
            received = read(raw, self._settings.whatsapp_number_id)
        except msgspec.MsgspecError:
            raise Problem(Kind.MALFORMED, "no notification of the WhatsApp Business Platform") from None
        for what, count in received.beside.items():
            services.metrics.messages.labels(CHANNEL, what).inc(count)
        trace = traceparent(request)
        for message, heard in received.messages:
            outcome = await self._take(services, message, heard, trace)
            services.metrics.messages.labels(CHANNEL, outcome).inc()
        return web.Response(text="taken")

    def _allow(self, request: web.Request, raw: bytes) -> None:
        """The signature is one of either app secret; both are tried, in constant time."""
        given = request.headers.get(SIGNATURE, "").encode("utf-8", "surrogateescape")
        fits = [
            hmac.compare_digest(f"sha256={hmac.digest(each, raw, hashlib.sha256).hex()}".encode(), given)
            for each in self._secrets
        ]
        if not any(fits):
            raise Problem(Kind.UNAUTHENTICATED, f"{SIGNATURE} is not of this body and a secret that is known")

    async def _take(self, services: Services, message: Message, heard: Heard, trace: str) -> str:
        """Move the person's talk by one message, once; what became of it, for the metrics. Raises Problem."""
        talks = Talks(services, self._settings.whatsapp_hours)
        name = talks.name(message.sender)
        for _ in range(TRIES):
            before = await talks.read(name)
            if before.kept.knows(message.id):
                if before.kept.owes(message.id):
                    await self._answer(talks, name, before, message)
                return "repeated"
            turn = step(self._profile.at(heard.at), before.kept.talk, heard)
            turn, outcome = await self._grant(services, turn, message, trace)
            now = await talks.write(name, before, before.kept.moved(turn.talk, message.id, turn.replies))
            if now is not None:
                await self._answer(talks, name, now, message)
                return outcome
        raise Problem(Kind.UNAVAILABLE, "too many messages of one person at once", retry_after=RETRY_UNAVAILABLE)

    async def _grant(self, services: Services, turn: Turn, message: Message, trace: str) -> tuple[Turn, str]:
        """Do what the talk wishes; it is durable before the talk says so."""
        match turn.wish:
            case Lodge() as wish:
                return await self._lodge(services, turn, wish, message, trace)
            case Ask() as wish:
                found = await standing(services, wish.case)
                return answered(turn.talk, wish, found, self._profile.zone), "status"
            case None:
                return turn, "talk"

    async def _lodge(
        self, services: Services, turn: Turn, wish: Lodge, message: Message, trace: str
    ) -> tuple[Turn, str]:
        key = submission_key(wish.key)
        mobile = f"+{message.sender.removeprefix('+')}"
        body = complaint(self._profile, CHANNEL, wish, mobile, wish.at)
        body |= {"attachments": msgspec.to_builtins(wish.attachments)} if wish.attachments else {}
        try:
            done = await submit(services, body, key, trace)
        except Problem as problem:
            if problem.kind is Kind.KEY_REUSED:  # durable before, with another district or subject: that one stands
                return lodged(turn.talk, Lodged(case_id(self._profile.code, CHANNEL, key))), "repeated"
            if problem.kind is Kind.IN_FLIGHT:  # pressed twice, and the first press is not durable yet
                raise Problem(Kind.UNAVAILABLE, "still in hand", retry_after=RETRY_UNAVAILABLE) from None
            if problem.kind is not Kind.INVALID_FIELDS:
                raise
            return lodged(turn.talk, Refused(tuple(error.detail for error in problem.errors))), "refused"
        return lodged(turn.talk, Lodged(done.answer.case)), "repeated" if done.replayed else "lodged"

    async def _answer(self, talks: Talks, name: str, held: Read, message: Message) -> None:
        """Send what is owed. Where the API is away the POST fails, and Meta's next try sends it."""
        assert self._replies is not None
        try:
            for reply in held.kept.owed:
                await self._replies.send(message.sender, reply)
        except ReplyUnavailableError:
            raise Problem(Kind.UNAVAILABLE, "the reply was not taken", retry_after=RETRY_UNAVAILABLE) from None
        except ReplyRefusedError as error:
            logger.warning("a reply was refused (code %s): the person is not told", error)
        if held.kept.owed:
            await talks.write(name, held, held.kept.paid())


def submission_key(message: str) -> str:
    """A wamid holds the number it came from, in base64: its hash is the complaint's key."""
    return f"wa-{digest(message, length=40)}"


async def _body(request: web.Request, most: int) -> bytes:
    """The raw body: signed as it is, and larger than other bodies here."""
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > most:
            raise Problem(Kind.TOO_LARGE)
        parts.append(part)
    return b"".join(parts)
