"""One call to a subscriber, and what its answer means for the record."""

import time
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

import aiohttp
from msgspec import Meta, Struct

from agents.webhooks.guard import Guard, GuardedResolver
from agents.webhooks.message import CONTENT_TYPE, Message
from agents.webhooks.subscriptions import Subscriber

Outcome = Literal["delivered", "refused", "failed", "gone"]
ABOUT_THE_RECORD: Final = frozenset({400, 406, 413, 415, 422})
"""Answers by which an endpoint says that it will not have this record; every other one is about the endpoint."""
GONE: Final = 410
HEADERS: Final[Mapping[str, str]] = {"Content-Type": CONTENT_TYPE, "User-Agent": "nivaran-webhooks"}


class Answer(NamedTuple):
    """What came of a call; `code` without address or content; `wait_s` where the endpoint asked for time."""

    outcome: Outcome
    code: str
    wait_s: float = 0.0


class Pace(Struct, frozen=True):
    """Seconds between attempts: doubling from the first pause to the longest.

    The convention's own example goes from 5 s to about a day; ours keeps to an hour, so that a subscriber who is back
    waits no longer.
    """

    first_s: Annotated[float, Meta(gt=0)] = 5.0
    longest_s: Annotated[float, Meta(gt=0)] = 3600.0

    def pause(self, attempts: int, drawn: float, asked_s: float = 0.0) -> float:
        """Seconds after this many attempts: by `drawn` in [0, 1) between half and all of the step.

        Where the endpoint asked for more it gets it, up to the longest pause.
        """
        step = min(self.first_s * 2.0 ** min(attempts - 1, 32), self.longest_s)
        return max(step * (1 + drawn) / 2, min(asked_s, self.longest_s))


class Caller:
    """Makes calls: no redirects, no proxy of the environment, no cookies, and never to an address the guard refuses."""

    def __init__(self, guard: Guard) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=GuardedResolver(guard), limit=0),  # each subscription has its bound
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def call(self, subscriber: Subscriber, message: Message) -> Answer:
        """A refusal is an answer, an absent endpoint too: nothing is raised for either."""
        subscription = subscriber.subscription
        signed = subscriber.signer.headers(message.id, int(time.time()), message.body)
        try:
            async with self._session.post(
                subscription.url,
                data=message.body,
                headers={**HEADERS, **signed},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=subscription.timeout),
            ) as response:
                return _answer(response.status, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer("failed", type(error).__name__.removesuffix("Error").lower()[:64])

    async def close(self) -> None:
        await self._session.close()


def _answer(status: int, retry_after: str) -> Answer:
    code = f"http-{status}"
    if 200 <= status < 300:  # noqa: PLR2004 - the convention: any of these, and no other
        return Answer("delivered", code)
    if status == GONE:
        return Answer("gone", code)
    wait = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return Answer("refused" if status in ABOUT_THE_RECORD else "failed", code, wait)
