"""The port to the Cloud API's messages endpoint, and its HTTP form."""

import logging
from typing import Any, Final, Protocol

import aiohttp
import msgspec

from streams.dialogue.said import Option, Reply

RETRIED: Final = frozenset({401, 403, 408, 425, 429})
"""Beside 5xx: a token that is mended, a rate that is over; the message itself is right."""

logger = logging.getLogger(__name__)


class ReplyUnavailableError(RuntimeError):
    """The reply was not taken, and may be later."""


class ReplyRefusedError(RuntimeError):
    """The reply was not taken and will not be: the message says the API's own code, never what was sent."""


class Replies(Protocol):
    """Hands replies over. Raises ReplyUnavailableError and ReplyRefusedError."""

    async def send(self, to: str, reply: Reply) -> None: ...

    async def close(self) -> None: ...


class CloudApi:
    """POSTs to `<base>/<phone number id>/messages`; `base` holds the API's version."""

    def __init__(self, base: str, number_id: str, token: str, timeout: float) -> None:
        self._url = f"{base.rstrip('/')}/{number_id}/messages"
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout),
        )

    async def send(self, to: str, reply: Reply) -> None:
        body = msgspec.json.encode(shaped(to, reply))
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                status, answer = response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            logger.warning("the Cloud API is away (%s)", type(error).__name__)
            raise ReplyUnavailableError(type(error).__name__) from None
        if status == 200:  # noqa: PLR2004 - the API's only success
            return
        logger.warning("the Cloud API answers %s, code %s", status, code := _code(answer))
        if status in RETRIED or status >= 500:  # noqa: PLR2004
            raise ReplyUnavailableError(code)
        raise ReplyRefusedError(code)

    async def close(self) -> None:
        await self._session.close()


def shaped(to: str, reply: Reply) -> dict[str, Any]:
    """The message as the API publishes it."""
    head = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to}
    if reply.buttons:
        action: dict[str, Any] = {
            "buttons": [{"type": "reply", "reply": {"id": each.id, "title": each.title}} for each in reply.buttons]
        }
        return head | {"type": "interactive", "interactive": _interactive("button", reply, action)}
    if reply.rows:
        section = {"title": reply.section, "rows": [_row(each) for each in reply.rows]}
        action = {"button": reply.list_button, "sections": [section]}
        return head | {"type": "interactive", "interactive": _interactive("list", reply, action)}
    return head | {"type": "text", "text": {"preview_url": False, "body": reply.body}}


def _interactive(kind: str, reply: Reply, action: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "body": {"text": reply.body}, "action": action}


def _row(option: Option) -> dict[str, str]:
    row = {"id": option.id, "title": option.title}
    return row | {"description": option.description} if option.description else row


class Fault(msgspec.Struct, frozen=True):
    code: int = 0


class Faulty(msgspec.Struct, frozen=True):
    """The part of the API's error that is read: its message may hold what was sent."""

    error: Fault = Fault()


def _code(answer: bytes) -> str:
    try:
        return str(msgspec.json.decode(answer, type=Faulty).error.code)
    except msgspec.MsgspecError:
        return "none"
