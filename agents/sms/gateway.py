"""The port to an SMS gateway: what it is told, what came of it, and when it surely has not taken a message."""

from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from schemas.sms import Refusal

SERVER_FAULTS: Final = 500
NOT_TAKEN: Final = frozenset({408, 425, 429, 503})
"""HTTP statuses that say: not now, and nothing was taken."""


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
    ref: str = ""
    """The gateway's own id of what it accepted, by which its delivery report names it; empty where it gave none."""


class Gateway(Protocol):
    """Hands a message over. A refusal is an answer, an absent gateway too: nothing is raised for either."""

    async def hand_over(self, message: Message) -> Answer: ...

    async def close(self) -> None: ...


def without_key(status: int) -> Answer:
    """What an HTTP status other than 200 means of a gateway that honours no idempotency key.

    A fault of the server, or of a proxy before it, may come after it took the message: only what says so was not taken.
    """
    code = f"http-{status}"
    if status in NOT_TAKEN:
        return Answer("unavailable", code)
    return Answer("unknown" if status >= SERVER_FAULTS else "refused", code)
