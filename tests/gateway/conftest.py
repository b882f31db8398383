"""The gateway as a caller meets it: over HTTP, with Kafka and the board replaced at their ports."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agents.audit.board import Shadow, ShadowSource
from agents.gateway.app import build
from agents.gateway.log import Entry, LogUnavailableError
from agents.gateway.routes import Route
from agents.gateway.services import Services, assemble, connect
from agents.gateway.settings import GatewaySettings
from agents.gateway.signed.tokens import SignedTokens
from agents.readmodel.calls import DueCall, due_calls
from agents.readmodel.district import read_board
from agents.readmodel.listing import Listing, read_listing
from agents.readmodel.officer_reader import Area
from agents.readmodel.officer_views import OfficerView
from agents.readmodel.reader import FeedEntry
from agents.readmodel.source import Source
from agents.readmodel.views import CaseView
from streams.ids import case_id
from streams.review.live import DistrictBoard

NOW = 1_770_000_000_000
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
ROLES = (
    "citizen-channel", "call-centre", "officer", "sms-gateway", "district-administrator@159",
    "district-administrator@161+162", "state-administrator", "officer/police", "state-administrator/supervisor",
)  # fmt: skip
TOKENS = {role: f"{role}-token-of-the-tests" for role in ROLES}
NOBODY = "redis://127.0.0.1:1/0"
CASE = case_id("10", "call", "a case of the tests")
MOBILE = "9876543210"
COMPLAINT = {
    "system": "up-1076", "type": "complaint", "channel": "call", "category": "hand-pump",
    "place": {"district": 159, "block": "b1"}, "text": "हैण्डपम्प दो सप्ताह से खराब है", "mobile": MOBILE,
}  # fmt: skip


class FixedClock:
    def now(self) -> int:
        return NOW


class FakeLog:
    """Kafka's port: keeps entries; can be away, or keep a request waiting."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.up = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.fatal: str | None = None

    @property
    def available(self) -> bool:
        return self.up

    async def append(self, entry: Entry) -> None:
        await self.gate.wait()
        if not self.up:
            raise LogUnavailableError("Kafka is away")
        self.entries.append(entry)

    async def close(self) -> None: ...


class FakeBoard:
    """The read model's port."""

    def __init__(self) -> None:
        self.cases: dict[str, dict[str, Any]] = {}
        self.feed: list[FeedEntry] = []
        self.source: Source = ShadowSource(Shadow())
        self.officers: dict[str, OfficerView] = {}
        self.rows: list[Any] = []
        self.changed = asyncio.Event()

    async def case(self, case: str) -> dict[str, Any] | None:
        return self.cases.get(case)

    async def district(
        self, system: str, district: int, now: int, sees: frozenset[str], department: str | None
    ) -> DistrictBoard:
        return await read_board(self.source, system, district, now, sees, department)

    async def registered(self, system: str, since: int, until: int, wanted: Callable[[CaseView], bool]) -> Listing:
        return await read_listing(self.source, system, since, until, wanted)

    async def calls(self, system: str) -> list[DueCall]:
        return await due_calls(self.source, system)

    async def escalations(self, after: str, count: int) -> list[FeedEntry]:
        return [each for each in self.feed if _order(each.id) > _order(after)][:count]

    async def wait_escalations(self, after: str, count: int, block_ms: int) -> list[FeedEntry]:
        found = await self.escalations(after, count)
        if not found:
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), block_ms / 1000)
            except TimeoutError:
                return []
        return await self.escalations(after, count)

    async def newest_escalation(self) -> str:
        return self.feed[-1].id if self.feed else "0-0"

    async def officer(self, system: str, officer: str) -> OfficerView | None:
        return self.officers.get(officer)

    async def _rows(self, area: Area, *_: object) -> list[Any]:
        return [row for row in self.rows if area.districts is None or row.district in area.districts]

    absent = missing = ladder = conduct = tickets = _rows

    def escalate(self, number: int, department: str = "water", district: int = 159) -> None:
        self.feed.append(FeedEntry(f"{number}-0", department, district, b'{"n":%d}' % number))
        self.changed.set()


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


class Gateway:
    """One running gateway and a client of it."""

    def __init__(self, services: Services, client: TestClient) -> None:
        self.services, self.client = services, client
        self.log: FakeLog = services.log
        self.board: FakeBoard = services.board

    async def post(
        self, path: str, body: object, *, role: str = "call-centre", key: str | None = "key-0001", **headers: str
    ):
        sent = {"Authorization": f"Bearer {TOKENS[role]}"} | ({"Idempotency-Key": key} if key else {}) | headers
        async with self.client.post(path, json=body, headers=sent) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def get(self, path: str, *, role: str | None = "officer", **headers: str):
        sent = ({"Authorization": f"Bearer {TOKENS[role]}"} if role else {}) | headers
        async with self.client.get(path, headers=sent) as response:
            return response.status, await response.json(content_type=None), response.headers


Start = Callable[..., Awaitable[Gateway]]


def settings(**changes: Any) -> GatewaySettings:
    tokens = ",".join(f"{role}:{token}" for role, token in TOKENS.items())
    return GatewaySettings(**{"citizen_key": KEY, "contact_key": KEY, "api_tokens": tokens, "rate": 0.0} | changes)


@asynccontextmanager
async def running(
    redis_url: str = NOBODY,
    *,
    channels: Iterable[Route] = (),
    redis: Any = None,
    signed: SignedTokens | None = None,
    **changes: Any,
) -> AsyncIterator[Gateway]:
    """A gateway that serves these channels beside the API; `redis` in place of a connection."""
    redis = redis or connect(redis_url, 10)  # longer than a busy machine's hiccup
    ports = {"log": FakeLog(), "redis": redis, "board": FakeBoard(), "clock": FixedClock()}
    services = assemble(settings(**changes), **ports, signed=signed)
    client = TestClient(TestServer(build(services, channels)))
    await client.start_server()
    try:
        yield Gateway(services, client)
    finally:
        await services.feed.close()
        await client.close()
        await redis.aclose()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """A gateway whose Redis is away: what it then still does is what it promises."""
    async with running() as found:
        yield found


@pytest.fixture
def loads_nowhere(monkeypatch):
    """`nivaran load` with its secrets set, and a list in Kafka's place."""
    from tests.gateway.loading import Kept, command  # noqa: PLC0415 - that module builds on this one

    monkeypatch.setenv("NIVARAN_CITIZEN_KEY", KEY)
    monkeypatch.setenv("NIVARAN_CONTACT_KEY", KEY)
    monkeypatch.setattr(command, "KafkaTarget", Kept)
    Kept.entries, Kept.fail_at = [], None


@pytest.fixture
def mapping(tmp_path) -> str:
    from tests.gateway.loading import MAPPING, lines  # noqa: PLC0415 - that module builds on this one

    return str(lines(tmp_path / "register.toml", MAPPING))
