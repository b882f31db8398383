"""Calls to a subscriber: signed, in order, repeated under one id, put aside with a reason; what it must not see."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest
from standardwebhooks import Webhook

from agents.runtime.ports import Received
from agents.webhooks.calling import Caller, Pace
from agents.webhooks.guard import Guard
from agents.webhooks.lane import Lane, now_ms
from agents.webhooks.message import message
from agents.webhooks.meters import Meters
from agents.webhooks.progress import Note, Position, Trying, read, written
from agents.webhooks.signing import Signer
from agents.webhooks.subscriptions import Subscriber, Subscription
from schemas.base import Record
from schemas.codec import cloudevent, decoder, encode
from schemas.events import EscalationRaised
from schemas.topics import ESCALATION_RAISED
from tests.agents.records import Raw
from tests.subscribing import NEXT_SECRET, SECRET, Endpoint, listening
from tests.waiting import auntil

ROOT = Path(__file__).parents[2]
RAISED = decoder(EscalationRaised)((ROOT / "schemas/examples/escalation.raised.v1/on-time-out.json").read_bytes())
HERE = Guard([ipaddress.ip_network("127.0.0.0/8")], plain_http=True)
QUICK = Pace(0.01, 0.02)
BEGINNING = Position(0)


def record(number: int, **changes: Any) -> Raw:
    value = replace(RAISED, case=f"{number:018d}", **changes)
    return raw(value, number)


def raw(value: Record, offset: int, *, headers: bool = True) -> Raw:
    told = cloudevent(value, source="/nivaran/case", id=f"cause-0-{offset}-0", subject="s", at=RAISED.at)
    return Raw(encode(value), b"k", offset, now_ms(), ESCALATION_RAISED, 0, tuple(told) if headers else ())


class Kept:
    """Keeps what is put aside in memory."""

    def __init__(self) -> None:
        self.letters: list[tuple[int, str, str]] = []

    async def keep(self, record: Received, subscription: Subscription, error: str, reason: str) -> None:
        self.letters.append((record.offset, error, reason))


class Bench:
    """A lane with its endpoint."""

    def __init__(self, endpoint: Endpoint, caller: Caller, **changes: Any) -> None:
        self.endpoint, self._caller = endpoint, caller
        told = {"name": "health-desk", "url": endpoint.url, "secrets": ("NIVARAN_WEBHOOK_SECRET_A",), **changes}
        self.subscriber = Subscriber(Subscription(**told), Signer((SECRET,)))
        self.kept, self.meters = Kept(), Meters()

    def lane(self, begin: Position = BEGINNING, pace: Pace = QUICK) -> Lane:
        room = asyncio.Semaphore(1)
        return Lane(self.subscriber, self._caller, self.kept, self.meters, room, pace, begin, lambda: 0.0)

    async def through(self, *records: Raw) -> Lane:
        """Run a lane until it is past these, or ends by itself."""
        lane = self.lane()
        task = asyncio.create_task(lane.run())
        for each in records:
            lane.put(each)
        await auntil(
            lambda: task.done() or lane.position == Position(records[-1].offset + 1), what="all are dealt with"
        )
        lane.close()
        await task
        return lane

    def fates(self) -> dict[str, float]:
        samples = [
            sample
            for metric in self.meters.registry.collect()
            if metric.name == "nivaran_webhook_records"
            for sample in metric.samples
        ]
        return {sample.labels["fate"]: sample.value for sample in samples if sample.value}


@asynccontextmanager
async def bench(guard: Guard = HERE, **changes: Any) -> AsyncIterator[Bench]:
    async with listening(Endpoint()) as endpoint:
        caller = Caller(guard)
        try:
            yield Bench(endpoint, caller, **changes)
        finally:
            await caller.close()


async def test_records_are_delivered_in_order_signed_and_as_cloudevents():
    async with bench() as b:
        await b.through(*map(record, range(20)))
        assert b.endpoint.cases() == [f"{number:018d}" for number in range(20)]
        first = b.endpoint.calls[0]
        assert first.event["data"] == {**first.event["data"], "type": "escalation.raised.v1", "system": "up-1076"}
        assert {k: v for k, v in first.event.items() if k != "data"} == {
            "specversion": "1.0",
            "id": "cause-0-0-0",
            "source": "/nivaran/case",
            "type": "org.nivaran.escalation.raised.v1",
            "time": first.event["time"],
            "subject": "s",
            "datacontenttype": "application/json",
        }
        assert first.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
        assert len({call.id for call in b.endpoint.calls}) == 20
        assert b.fates() == {"delivered": 20}


def test_while_a_secret_is_replaced_each_of_both_verifies():
    told = message(record(1).headers, record(1).value or b"")
    headers = Signer((NEXT_SECRET, SECRET)).headers(told.id, now_ms() // 1000, told.body)
    for secret in (SECRET, NEXT_SECRET):
        assert Webhook(secret).verify(told.body, headers)["id"] == "cause-0-1-0"


@pytest.mark.parametrize("status", [301, 401, 404, 409, 429, 500, 503])
async def test_what_an_endpoint_cannot_take_now_is_repeated_under_the_same_id(status: int):
    async with bench() as b:
        b.endpoint.answer = lambda _: (status if len(b.endpoint.calls) < 4 else 200, {"Location": b.endpoint.url})
        await b.through(record(0), record(1))
        assert len({call.id for call in b.endpoint.calls[:4]}) == 1
        assert b.endpoint.cases() == ["0" * 18] * 4 + ["0" * 17 + "1"]
        assert (b.fates(), b.kept.letters) == ({"delivered": 2}, [])


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_an_endpoint_refuses_is_put_aside_and_the_next_goes_on(status: int):
    async with bench(refusals=3) as b:
        b.endpoint.answer = lambda call: status if call.event["data"]["case"].endswith("0") else 200
        await b.through(record(0), record(1))
        assert b.endpoint.cases() == ["0" * 18] * 3 + ["0" * 17 + "1"]
        assert b.kept.letters == [(0, "refused", f"3 calls in 0 s, the last one answered http-{status}")]
        assert b.fates() == {"delivered": 1, "put-aside": 1}


async def test_an_endpoint_that_stays_away_is_given_up_in_the_time_that_is_said():
    async with bench(give_up_hours=0.1 / 3600) as b:
        b.endpoint.answer = lambda _: 503
        await b.through(record(0))
        [(offset, error, reason)] = b.kept.letters
        assert (offset, error, reason.endswith("answered http-503")) == (0, "failed", True)
        assert len(b.endpoint.calls) > 1


async def test_after_410_nothing_more_is_sent_and_the_record_stays():
    async with bench() as b:
        b.endpoint.answer = lambda _: 410
        lane = await b.through(record(0), record(1))
        assert (lane.gone, lane.position, len(b.endpoint.calls)) == (True, Position(0), 1)
        assert b.kept.letters == []


async def test_attempts_go_on_where_they_were_after_a_restart():
    async with bench(refusals=3) as b:
        b.endpoint.answer = lambda _: 422
        first = b.lane(pace=Pace(60, 60))
        task = asyncio.create_task(first.run())
        first.put(record(7))
        await auntil(lambda: first.tried_since is not None, what="the first call is in vain")
        first.close()
        await task  # at once, although the next attempt is a minute away
        kept = read(written(first.position.note))
        assert kept == first.position.note
        assert kept.trying is not None
        assert kept.trying.next_at - kept.trying.first_at >= 30_000

        due = Note(replace(kept.trying, next_at=now_ms(), attempts=2, refusals=2))
        second = b.lane(Position(7, due))
        task = asyncio.create_task(second.run())
        second.put(record(7))
        await auntil(lambda: b.kept.letters, what="it is put aside after the third call")
        second.close()
        await task
        assert b.kept.letters[0][2].startswith("3 calls in ")
        assert len({call.id for call in b.endpoint.calls}) == 1


async def test_an_attempt_that_is_not_due_is_not_made():
    async with bench() as b:
        later = now_ms() + 60_000
        lane = b.lane(Position(7, Note(Trying(1, 0, later - 120_000, later))), Pace(60, 60))
        task = asyncio.create_task(lane.run())
        lane.put(record(7))
        await asyncio.sleep(0)
        lane.close()
        await task
        assert b.endpoint.calls == []
        assert lane.position.note.trying is not None


@pytest.mark.parametrize(
    ("changes", "told", "fate"),
    [
        ({}, {}, "delivered"),
        ({"systems": ("mp-181",)}, {}, "not-wanted"),
        ({"systems": ("up-1076", "mp-181")}, {}, "delivered"),
        ({"departments": ("health",)}, {}, "not-wanted"),
        ({"types": ("escalation.sent-up.v1",)}, {}, "not-wanted"),
        ({}, {"restricted": "police", "visible_to": ("police",)}, "restricted"),
        ({}, {"restricted": "police"}, "restricted"),
        ({"roles": ("supervisor",)}, {"restricted": "police", "visible_to": ("police",)}, "restricted"),
        ({"roles": ("supervisor", "police")}, {"restricted": "police", "visible_to": ("police",)}, "delivered"),
    ],
)
async def test_a_subscriber_is_sent_what_it_may_see_and_wants(changes: dict[str, Any], told: dict[str, Any], fate: str):
    async with bench(**changes) as b:
        await b.through(record(0, **told))
        assert b.fates() == {fate: 1}
        assert len(b.endpoint.calls) == (fate == "delivered")


async def test_what_is_no_event_is_put_aside_and_never_sent():
    async with bench() as b:
        await b.through(Raw(b"no json", offset=0), raw(RAISED, 1, headers=False), Raw(None, offset=2), record(3))
        assert [(offset, error) for offset, error, _ in b.kept.letters] == [(n, "unreadable") for n in range(3)]
        assert len(b.endpoint.calls) == 1


async def test_a_name_that_leads_to_a_private_address_is_never_called():
    async with bench(Guard(plain_http=True)) as b:
        b.subscriber = Subscriber(
            replace(
                b.subscriber.subscription, url=b.endpoint.url.replace("127.0.0.1", "localhost"), give_up_hours=1e-6
            ),
            b.subscriber.signer,
        )
        await b.through(record(0))
        assert b.endpoint.calls == []
        assert b.kept.letters[0][1] == "failed"


async def test_nothing_of_a_record_is_in_log_or_metrics(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with bench(refusals=1) as b:
        b.endpoint.answer = lambda call: 400 if call.event["data"]["case"].endswith("0") else 204
        await b.through(record(0), record(1))
        shown = caplog.text + generate_latest(b.meters.registry).decode() + str(b.kept.letters)
        for hidden in ("0" * 17, RAISED.to_office, b.endpoint.url, SECRET):
            assert hidden not in shown


@pytest.mark.parametrize(
    ("attempts", "drawn", "asked", "seconds"),
    [(1, 0, 0, 2.5), (1, 1, 0, 5), (2, 1, 0, 10), (3, 0, 0, 10), (12, 0, 0, 1800), (999, 1, 0, 3600),
     (1, 0, 60, 60), (1, 0, 1e9, 3600), (12, 1, 60, 3600)],
)  # fmt: skip
def test_pauses_double_up_to_an_hour_and_grant_what_is_asked(attempts: int, drawn: float, asked: float, seconds: float):
    assert Pace().pause(attempts, drawn, asked) == seconds


@pytest.mark.parametrize("text", [None, "", "nonsense", "[]", '{"trying": 1}'])
def test_metadata_of_others_is_no_note(text: str | None):
    assert read(text) == Note()
