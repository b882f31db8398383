"""The port to an SMS gateway, and its HTTP form."""

import re
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

import aiohttp
from msgspec import Struct, json

from agents.telemetry.trace import TRACEPARENT, current
from schemas.sms import Refusal

ACCEPTED: Final = frozenset({200, 202})
UNAVAILABLE: Final = frozenset({408, 425, 429})
CODE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,58}", re.ASCII)


class Message(Struct, frozen=True):
    """What a gateway is told: the id is its idempotency key; header, entity and template id are as registered (DLT)."""

    id: str
    to: str
    text: str
    template: str
    header: str
    entity: str = ""


class Answer(NamedTuple):
    """What came of a call; `code` says more, without number or text."""

    outcome: Refusal
    code: str = ""


class Gateway(Protocol):
    """Hands a message over. A refusal is an answer, an absent gateway too: nothing is raised for either."""

    async def hand_over(self, message: Message) -> Answer: ...

    async def close(self) -> None: ...


class Refused(Struct, frozen=True):
    """The part of a gateway's refusal that is read."""

    code: str = ""


class HttpGateway:
    """POSTs a message as JSON, its id in `Idempotency-Key`.

    200 and 202 accept it; 408, 425, 429 and 5xx are no gateway for now; any other answer refuses it. A connection that
    cannot be made is no gateway; one that breaks, or is silent for `timeout` seconds after the request was sent, leaves
    it unknown whether the gateway has taken the message.
    """

    def __init__(self, url: str, *, timeout: float, bound: int, token: str = "") -> None:
        self._url = url
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=bound),
            cookie_jar=aiohttp.DummyCookieJar(),
            # connecting has its own limit: a call that timed out there has surely not been taken
            timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
        )

    async def hand_over(self, message: Message) -> Answer:
        try:
            return await self._post(message)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("unavailable", _named(error))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Answer("unknown", _named(error))

    async def _post(self, message: Message) -> Answer:
        headers = {"Idempotency-Key": message.id}
        if (trace := current.get()) is not None:
            headers[TRACEPARENT] = trace.decode("ascii", "replace")
        call = self._session.post(self._url, data=json.encode(message), headers=headers, allow_redirects=False)
        async with call as response:
            body = await response.read()
            return _answer(response.status, body)

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _answer(status: int, body: bytes) -> Answer:
    if status in ACCEPTED:
        return Answer("accepted")
    code = _code(body) or f"http-{status}"
    return Answer("unavailable" if status in UNAVAILABLE or status >= 500 else "refused", code)  # noqa: PLR2004


def _code(body: bytes) -> str:
    """The gateway's own code, where it is a plain word: anything else could hold what was sent."""
    try:
        code = json.decode(body, type=Refused).code
    except ValueError:
        return ""
    return code if CODE.fullmatch(code) and not code.isdecimal() else ""


def _named(error: Exception) -> str:
    return type(error).__name__.removesuffix("Error").lower()[:64]
