"""A gateway that is asked by a form and answers 200 in words of its own; it knows no idempotency key."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from agents.sms.calls import Calls
from agents.sms.gateway import Answer, Message, without_key

OK: Final = 200


class Form(Struct, frozen=True):
    """The fields of one request, in the gateway's own names."""

    def fields(self) -> dict[str, str]:
        """What is sent: fields without a value are left out."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}


class FormGateway:
    """POSTs the form: in a query, number and secret would stand in the access logs on the way."""

    def __init__(
        self,
        url: str,
        form: Callable[[Message], Form],
        read: Callable[[bytes], Answer],
        *,
        timeout: float,
        bound: int,
    ) -> None:
        """`read` says what a reply with status 200 means."""
        self._url, self._form, self._read = url, form, read
        self._calls = Calls(timeout=timeout, bound=bound)

    async def hand_over(self, message: Message) -> Answer:
        reply = await self._calls.post(self._url, self._form(message).fields())
        if isinstance(reply, Answer):
            return reply
        answer = self._read(reply.body) if reply.status == OK else without_key(reply.status)
        # an id made of the number would take it into the log
        return answer._replace(ref="") if message.to in answer.ref else answer

    async def close(self) -> None:
        await self._calls.close()
