"""The escalation feed as a listener sees it."""

from contextlib import asynccontextmanager

import pytest

from agents.gateway import reading
from tests.gateway.conftest import TOKENS, Gateway, running
from tests.waiting import auntil


@asynccontextmanager
async def listening(gateway: Gateway, query: str = "", last: str | None = None, role: str = "officer"):
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} | ({"Last-Event-ID": last} if last else {})
    async with gateway.client.get(f"/v1/escalations{query}", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        await auntil(lambda: gateway.services.feed.listeners, what="the listener is known")
        yield response


async def ids(response, count: int) -> list[str]:
    found = []
    while len(found) < count:
        line = (await response.content.readline()).decode()
        assert line, "the feed ended"
        if line.startswith("id: "):
            found.append(line[4:].strip())
    return found


async def test_a_new_listener_hears_of_what_happens_from_now_on(gateway):
    gateway.board.escalate(1)
    async with listening(gateway) as response:
        gateway.board.escalate(2)
        assert await ids(response, 1) == ["2-0"]
        gateway.board.escalate(3)
        assert await ids(response, 1) == ["3-0"]


async def test_who_comes_back_hears_what_was_missed_once_and_then_what_is_new(gateway):
    for number in range(1, 1201):
        gateway.board.escalate(number)
    async with listening(gateway, last="2-0") as response:
        gateway.board.escalate(1201)
        assert await ids(response, 1199) == [f"{number}-0" for number in range(3, 1202)]


async def test_a_listener_hears_only_what_it_asked_for(gateway):
    async with listening(gateway, "?department=water&district=159") as response:
        gateway.board.escalate(1, "police", 159)
        gateway.board.escalate(2, "water", 160)
        gateway.board.escalate(3, "water", 159)
        assert await ids(response, 1) == ["3-0"]


@pytest.mark.parametrize(
    ("query", "field"), [("?department=A%20b", "department"), ("?district=x", "district"), ("?district=१", "district")]
)
async def test_a_filter_that_cannot_match_is_refused(gateway, query, field):
    status, problem, _ = await gateway.get(f"/v1/escalations{query}")
    assert (status, problem["errors"][0]["field"]) == (400, field)
    assert (await gateway.get("/v1/escalations", **{"Last-Event-ID": "soon"}))[0] == 400


async def test_a_quiet_feed_says_that_it_is_alive(gateway, monkeypatch):
    monkeypatch.setattr(reading, "HEARTBEAT_SECONDS", 0.01)
    async with listening(gateway) as response:
        lines = [(await response.content.readline()).decode() for _ in range(4)]
    assert lines[0] == "retry: 2000\n"
    assert ": nothing new\n" in lines


async def test_a_reader_that_falls_ends_its_feeds_and_the_next_listener_begins_a_new_one(gateway, monkeypatch):
    async def falls(*_: object) -> list[object]:
        raise KeyError("visible_to")

    with monkeypatch.context() as broken:
        broken.setattr(gateway.board, "wait_escalations", falls)
        async with listening(gateway) as response:
            assert (await response.content.read()).startswith(b"retry:")
    async with listening(gateway) as response:
        gateway.board.escalate(1)
        assert await ids(response, 1) == ["1-0"]


async def test_when_the_gateway_stops_feeds_end_cleanly():
    async with running() as gateway, listening(gateway) as response:
        await gateway.services.feed.close()
        assert (await response.content.read()).startswith(b"retry:")
        await auntil(lambda: gateway.services.feed.listeners == 0)


async def test_a_filter_there_is_not_is_named_rather_than_passed_over(gateway):
    status, problem, _ = await gateway.get("/v1/escalations?distrikt=159&department=UP")
    assert (status, {error["field"] for error in problem["errors"]}) == (400, {"distrikt", "department"})
