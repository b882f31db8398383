"""An open loop: complaints sent at instants fixed beforehand, through the gateway or straight into the log."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, Self

import aiohttp
from confluent_kafka import Producer
from msgspec import json
from msgspec.structs import replace

from agents.gateway.log import LINGER_MS, durable_producer_config
from agents.gateway.records import Identity, complaint
from agents.runtime.envelope import Stamp
from agents.settings import Settings
from deploy.bench.lab import BenchError
from schemas.codec import encode
from schemas.commands import Register
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.intake.stage import INTAKE
from streams.stage import Origin

LEAD_S: Final = 0.5
CONNECTIONS: Final = 256
ANSWER_S: Final = 120.0
"""Beyond what a machine can take the queue is measured, not cut off."""
ACCEPTED: Final = 202
POLL_S: Final = 0.05


Door = Literal["gateway", "topic"]
"""How complaints come in: `POST /v1/complaints`, or straight onto the topic behind it."""


class Sent(NamedTuple):
    """A case and the instant (UTC, seconds) at which its complaint was to be sent, however late it was."""

    case: str
    due: float
    taken: float
    """When the way had answered; through the log, when the record was handed to the client."""


class Way(Protocol):
    """How a complaint comes in; `send` returns its case when it is accepted.

    What can be made beforehand is made by `prepare`, so that the load has little of the machine it is a load for.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def prepare(self, key: str, body: dict[str, Any]) -> Any: ...

    async def send(self, prepared: Any) -> str: ...


class Http:
    """`POST /v1/complaints` over kept connections."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = f"{url}/v1/complaints", token

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=ANSWER_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def prepare(self, key: str, body: dict[str, Any]) -> tuple[str, bytes]:
        return key, json.encode(body)

    async def send(self, prepared: tuple[str, bytes]) -> str:
        key, body = prepared
        call = self._session.post(self._url, data=body, headers={"Idempotency-Key": key})
        async with call as answer:
            found = await answer.read()
            if answer.status != ACCEPTED:
                raise BenchError(f"the gateway answered {answer.status}: {found.decode()[:300]}")
            return str(json.decode(found)["case"])


class Ready(NamedTuple):
    """A record to be written under `key` of `topic`; its `instants` are fields that say when it was sent, UTC ms."""

    topic: str
    key: str
    record: Submitted | Register
    instants: tuple[str, ...]


class Log:
    """The records the gateway would write, by a producer with its settings."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._identity, self._stamp = identity, Stamp("bench")
        self._errors: list[Any] = []
        self._producer = Producer(durable_producer_config(settings, ANSWER_S, linger_ms=LINGER_MS))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="delivery-reports", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._producer.flush, ANSWER_S)
        self._ended.set()
        await asyncio.to_thread(self._thread.join)
        if self._errors:
            raise BenchError(f"not everything was written: {self._errors[0]}")

    def prepare(self, key: str, body: dict[str, Any]) -> Ready:
        submitted = self._submitted(key, body)
        return Ready(INTAKE_SUBMITTED, submitted.citizen, submitted, ("at", "received_at"))

    async def send(self, prepared: Ready) -> str:
        now, subject = round(time.time() * 1000), prepared.key.encode()
        record = replace(prepared.record, **dict.fromkeys(prepared.instants, now))
        headers = self._stamp(record, f"submitted-{record.case}".encode(), subject, now, None)
        self._producer.produce(
            prepared.topic, encode(record), subject, headers=headers, timestamp=now, on_delivery=self._report
        )
        return record.case

    def _submitted(self, key: str, body: dict[str, Any]) -> Submitted:
        submitted, faults = complaint(body, key, round(time.time() * 1000), self._identity)
        if submitted is None:
            raise BenchError(f"the gateway would not take the body: {faults}")
        return submitted

    def _report(self, error: Any, message: Any) -> None:  # noqa: ARG002 - what is written is for those who note places
        if error is not None:
            self._errors.append(error)

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(POLL_S)


class Registrations(Log):
    """The commands that intake would make of the same submissions, straight onto the topic of the case stage."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        super().__init__(settings, identity)
        self.partitions: dict[str, int] = {}
        """Case -> the partition its command is in."""

    def prepare(self, key: str, body: dict[str, Any]) -> Ready:
        submitted = self._submitted(key, body)
        outputs = INTAKE.step(None, submitted, Origin(INTAKE_SUBMITTED, 0, 0, submitted.at)).outputs
        [command] = [output.value for output in outputs if isinstance(output.value, Register)]
        return Ready(CASE_COMMANDS, command.case, command, ("at",))

    def _report(self, error: Any, message: Any) -> None:
        super()._report(error, message)
        self.partitions[message.key().decode()] = message.partition()


def prepared(way: Way, bodies: Iterable[Mapping[str, Any]], run: str) -> Iterator[Any]:
    """What `way` sends for these bodies; their keys begin with `run`, which no other run may have."""
    for number, body in enumerate(bodies):
        yield way.prepare(f"{run}-{number:07d}", dict(body))


async def paced(
    way: Way,
    complaints: Iterable[Any],
    rate: float,
    note: Callable[[Sent], None] = lambda _: None,
) -> list[Sent]:
    """Send what is `prepared`, `rate` a second, each at its instant whatever became of those before.

    Returns when all are accepted; `note` hears of each when it is accepted.
    """
    begin = time.time() + LEAD_S
    sending: list[asyncio.Task[Sent]] = []
    async with asyncio.TaskGroup() as group:
        for number, each in enumerate(complaints):
            due = begin + number / rate
            if (rest := due - time.time()) > 0:
                await asyncio.sleep(rest)
            sending.append(group.create_task(_one(way.send, each, due, note)))
    return [task.result() for task in sending]


async def _one(send: Callable[[Any], Awaitable[str]], ready: Any, due: float, note: Callable[[Sent], None]) -> Sent:
    sent = Sent(await send(ready), due, time.time())
    note(sent)
    return sent
