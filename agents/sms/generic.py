"""The generic HTTP form: JSON, with the SMS id as idempotency key; what a gateway of one's own choice is asked in."""

import re
from types import TracebackType
from typing import Final, Self

from msgspec import Struct, json

from agents.sms.calls import Calls
from agents.sms.gateway import SERVER_FAULTS, Answer, Message
from agents.telemetry.trace import TRACEPARENT, current

ACCEPTED: Final = frozenset({200, 202})
UNAVAILABLE: Final = frozenset({408, 425, 429})
CODE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,58}", re.ASCII)


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
        self._calls = Calls(timeout=timeout, bound=bound, headers=headers)

    async def hand_over(self, message: Message) -> Answer:
        headers = {"Idempotency-Key": message.id}
        if (trace := current.get()) is not None:
            headers[TRACEPARENT] = trace.decode("ascii", "replace")
        reply = await self._calls.post(self._url, json.encode(message), headers)
        return reply if isinstance(reply, Answer) else _answer(reply.status, reply.body)

    async def close(self) -> None:
        await self._calls.close()

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
    return Answer("unavailable" if status in UNAVAILABLE or status >= SERVER_FAULTS else "refused", code)


def _code(body: bytes) -> str:
    """The gateway's own code, where it is a plain word: anything else could hold what was sent."""
    try:
        code = json.decode(body, type=Refused).code
    except ValueError:
        return ""
    return code if CODE.fullmatch(code) and not code.isdecimal() else ""
