"""A sandbox gateway that is asked by a form: checks it by the form's rules, and gives each message an id of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from aiohttp import web
from msgspec.structs import replace

from agents.sms.faults import Faults
from agents.sms.gateway import Message
from agents.sms.ledger import Entry
from agents.sms.receipts import Receipts, Report
from agents.sms.sandbox import Sandbox, digest_of, now
from streams.profiles.load import profiles
from streams.text import segments

FORM: Final = "application/x-www-form-urlencoded"
DELIVERED: Final = "DELIVRD"
NOT_DELIVERED: Final = "UNDELIV"


class Wrong(NamedTuple):
    """Why a request is refused: a word for the ledger, and the answer in the gateway's own form."""

    word: str
    body: str
    status: int = 200


class Form(Protocol):
    """What a document says of a request, of its answers, and of a delivery report."""

    path: str
    methods: frozenset[str]
    fields: frozenset[str]
    """Every field it has; one that it has not is refused."""

    def read(self, fields: Mapping[str, str]) -> Message | Wrong:
        """The message of a request, its id left empty."""
        ...

    def too_long(self) -> Wrong: ...

    def ref(self, at: int, number: int) -> str:
        """The id the gateway gives the `number`-th message it takes, at this instant (UTC ms)."""
        ...

    def taken(self, ref: str, at: int) -> str:
        """The answer to a message that was taken."""
        ...

    def report(self, ref: str, message: Message, at: int, *, delivered: bool) -> Report: ...


class FormSandbox(Sandbox):
    """Knows no idempotency key, as the gateways it stands for: the same request twice is two messages."""

    def __init__(
        self,
        form: Form,
        ledger: Path | None = None,
        faults: Faults | None = None,
        receipts: Receipts | None = None,
        most: int = 1,
    ) -> None:
        super().__init__(ledger, faults, receipts, most)
        self._form, self._longest = form, most
        self._number = 0

    def taking(self) -> tuple[web.RouteDef, ...]:
        return (web.route("*", self._form.path, self._take_form),)

    async def _take_form(self, request: web.Request) -> web.Response:
        fields = await _fields(request, self._form)
        found = fields if isinstance(fields, Wrong) else self._form.read(fields)
        if isinstance(found, Message) and segments(found.text) > self._longest:
            found = self._form.too_long()
        if isinstance(found, Wrong):
            self.ledger.add(Entry("", "refused", now(), code=found.word))
            return web.Response(text=found.body, status=found.status)
        return await self.answer(replace(found, id=digest_of(found)))

    async def accept(self, message: Message, *, silent: bool) -> web.Response:
        """Take it under a fresh id; the digest of what it says is beside it in the ledger."""
        self._number += 1
        at = now()
        ref = self._form.ref(at, self._number)
        self.keep(replace(message, id=ref), "accepted", message.id, silent=silent)
        self.receipts.give(self._form.report(ref, message, at, delivered=self.faults.delivered(message.id)))
        if silent:
            await self.say_nothing()
        return web.Response(text=self._form.taken(ref, at))


async def _fields(request: web.Request, form: Form) -> dict[str, str] | Wrong:
    """The request's fields, each once and each of the form."""
    if request.method not in form.methods:
        return Wrong("method", f"{request.method} is not served: {', '.join(sorted(form.methods))}", 405)
    given = list(request.query.items())
    if request.method == "POST":
        if request.content_type != FORM:
            return Wrong("content-type", f"the body must be {FORM}", 415)
        if given:
            return Wrong("query", "the fields belong into the body", 400)
        given = [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
    fields = dict(given)
    if len(given) != len(fields):
        return Wrong("repeated-field", "a field was given twice", 400)
    if unknown := sorted(set(fields) - form.fields):
        return Wrong("unknown-field", f"no such field: {', '.join(unknown)}", 400)
    return fields


def registered_headers(more: str) -> frozenset[str]:
    """Sender names a sandbox takes: those of the profiles and this one, without the operators' suffixes."""
    headers = {profile.dlt.header for profile in profiles().values() if profile.dlt is not None} | {more}
    return frozenset(header.partition("-")[0] for header in headers)
