"""CloudEvents over HTTP: the SDK's own messages are taken in all modes, and nothing of a batch is half lost."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.gateway.channels.cloudevents.binding import MOST_EVENTS, cloudevents
from agents.gateway.channels.cloudevents.event import ACTION, COMPLAINT
from agents.gateway.log import Entry, LogUnavailableError
from agents.settings import SettingsError
from schemas.commands import AddNote
from schemas.intake import Submitted
from tests.gateway.conftest import CASE, NOW, TOKENS, running
from tests.gateway.conftest import COMPLAINT as BODY

BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"
NOTE = {"type": "add-note", "by": {"role": "call-centre", "officer": "a7"}, "text": "नागरिक ने फिर फोन किया"}
HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/portal", "ce-type": COMPLAINT}


@pytest.fixture
async def gateway():
    async with running(channels=cloudevents({"NIVARAN_CLOUDEVENTS": "on"})) as found:
        yield found


def event(**changes: Any) -> dict[str, Any]:
    whole = {"specversion": "1.0", "id": "1", "source": "/portal", "type": COMPLAINT, "data": BODY}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def note(**changes: Any) -> dict[str, Any]:
    return event(**{"type": ACTION, "subject": CASE, "data": NOTE} | changes)


async def send(gateway, body: object, content: str = STRUCTURED, *, role: str = "call-centre", **headers: str):
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {"Authorization": f"Bearer {TOKENS[role]}", "Content-Type": content} | headers
    async with gateway.client.post("/v1/events", data=data, headers=sent) as response:
        return response.status, await response.json(content_type=None), response.headers


def fields(problem: dict[str, Any]) -> set[str]:
    return {error["field"] for error in problem.get("errors", [])}


def of_sdk(kind: str, **attributes: Any) -> CloudEvent:
    whole = {"id": "ä 1", "source": "/पोर्टल", "type": kind, "specversion": "1.0", "datacontenttype": "application/json"}
    return CloudEvent(whole | attributes, NOTE if kind == ACTION else BODY)


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event])
async def test_the_sdks_messages_are_taken_and_both_modes_say_the_same(gateway, mode):
    for each in (of_sdk(COMPLAINT), of_sdk(ACTION, subject=CASE)):
        message = mode(each)
        headers = {"Authorization": f"Bearer {TOKENS['call-centre']}", **message.headers}
        async with gateway.client.post("/v1/events", data=message.body, headers=headers) as response:
            assert response.status == 202
            assert (await response.json())["case"]
    complaint, action = (entry.value for entry in gateway.log.entries)
    assert isinstance(complaint, Submitted)
    assert isinstance(action, AddNote)
    assert (complaint.text, action.text, action.case) == (BODY["text"], NOTE["text"], CASE)
    other = to_structured_event if mode is to_binary_event else to_binary_event
    message = other(of_sdk(COMPLAINT))
    headers = {"Authorization": f"Bearer {TOKENS['call-centre']}", **message.headers}
    async with gateway.client.post("/v1/events", data=message.body, headers=headers) as response:
        assert (await response.json())["case"] == complaint.case


async def test_the_answer_is_that_of_the_interface(gateway):
    status, answer, headers = await send(gateway, event())
    case = gateway.log.entries[0].value.case
    assert (status, answer["case"], headers["Location"]) == (202, case, f"/v1/cases/{case}")


async def test_source_and_id_say_that_an_event_is_the_same(gateway):
    numbers = [
        (await send(gateway, event(**changes)))[1]["case"]
        for changes in ({}, {}, {"id": "2"}, {"source": "/app"}, {"id": "/1", "source": "portal"})
    ]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4


async def test_an_event_happened_at_its_time_where_its_data_does_not_say_when(gateway):
    await send(gateway, event(time="2026-02-02T08:00:00+05:30"))
    await send(gateway, event(id="2", time="2026-02-02T08:00:00Z", data=BODY | {"occurred_at": NOW - 5}))
    assert [entry.value.at for entry in gateway.log.entries] == [NOW - 600_000, NOW - 5]


async def test_data_may_come_in_base64(gateway):
    data = base64.b64encode(msgspec.json.encode(BODY)).decode()
    assert (await send(gateway, event(data=None, data_base64=data)))[0] == 202


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (event(specversion="0.3", id="", source=None, type="x", time="today"), 400,
         {"specversion", "id", "source", "type", "time"}),
        (event(Trace="x"), 400, {"Trace"}),
        (event(data=None), 400, {"data"}),
        (event(data="text"), 400, {"data"}),
        (event(data={"mobile": "12"} | {k: v for k, v in BODY.items() if k != "mobile"} | {"category": "x"}), 400,
         {"data.mobile", "data.category"}),
        (event(data_base64="e30="), 400, {"data_base64"}),
        (event(data=None, data_base64="?"), 400, {"data_base64"}),
        (event(datacontenttype="text/plain"), 415, {"datacontenttype"}),
        (event(type=ACTION, data=NOTE), 400, {"subject"}),
        (event(type=ACTION, data={"type": "fly"}, subject=CASE), 400, {"data.type"}),
        (note() | {"data": NOTE | {"by": {"role": "officer"}}}, 403, {"data.by.role"}),
        (note(subject="109763405948883358"), 404, set()),
        ([], 400, set()),
        (b"{", 400, set()),
    ],
)  # fmt: skip
async def test_what_is_wrong_names_the_attribute_or_the_field(gateway, body, status, named):
    found, problem, headers = await send(gateway, body)
    assert (found, fields(problem)) == (status, named)
    assert headers["Content-Type"].startswith("application/problem+json")
    assert not gateway.log.entries


@pytest.mark.parametrize(
    ("headers", "content", "status", "named"),
    [
        ({}, "application/json", 400, {"ce-specversion", "ce-id", "ce-source", "ce-type"}),
        ({"ce-id": "%ff", "ce-time": "today"}, "application/json", 400, {"ce-id", "ce-time"}),
        ({"ce-my-own": "x"}, "application/json", 400, {"ce-my-own"}),
        (HEADERS, "text/plain", 415, {"Content-Type"}),
        (HEADERS, "application/cloudevents+avro", 415, {"Content-Type"}),
        ({}, "text/plain", 415, {"Content-Type"}),
        (HEADERS | {"ce-type": ACTION}, "application/json", 400, {"ce-subject"}),
    ],
)
async def test_in_binary_mode_headers_are_named(gateway, headers, content, status, named):
    whole = headers if not headers or headers.keys() >= HEADERS.keys() else HEADERS | headers
    found, problem, _ = await send(gateway, BODY, content, **whole)
    assert (found, fields(problem)) == (status, named)


async def test_a_header_may_be_quoted_and_percent_encoded(gateway):
    headers = HEADERS | {"ce-id": '"a\\"b%20%E0%A4%95"'}
    assert (await send(gateway, BODY, "application/json", **headers))[0] == 202
    status, answer, _ = await send(gateway, event(id='a"b क'))
    assert (status, answer["case"]) == (202, gateway.log.entries[0].value.case)


@pytest.mark.parametrize(("role", "status"), [("citizen-channel", 403), ("officer", 403), ("sms-gateway", 403)])
async def test_a_token_may_do_no_more_than_at_the_interface(gateway, role, status):
    body = note() if role == "citizen-channel" else event()
    assert (await send(gateway, body, role=role))[0] == status


async def test_without_a_token_nothing_is_taken(gateway):
    async with gateway.client.post("/v1/events", json=event()) as response:
        assert response.status == 401


async def test_a_batch_is_taken_in_its_order(gateway):
    status, answer, _ = await send(gateway, [event(), note(id="2"), event(id="3")], BATCH)
    assert status == 202
    assert [each["id"] for each in answer["events"]] == ["1", "2", "3"]
    assert [each["case"] for each in answer["events"]] == [entry.value.case for entry in gateway.log.entries]
    assert (await send(gateway, [], BATCH))[:2] == (202, {"events": []})


async def test_of_a_batch_each_event_is_told_what_became_of_it(gateway):
    batch = [event(), event(id="2", data={}), 7, note(id="4")]
    status, problem, headers = await send(gateway, batch, BATCH)
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert [each["status"] for each in problem["events"]] == [202, 400, 400, 202]
    assert "data.category" in fields(problem["events"][1]["problem"])
    assert (problem["events"][1]["id"], problem["events"][1]["source"]) == ("2", "/portal")
    assert len(gateway.log.entries) == 2
    async with gateway.client.get("/metrics") as response:
        assert 'nivaran_gateway_problems_total{kind="invalid_fields"} 1.0' in await response.text()


async def test_a_batch_that_kafka_took_in_part_may_be_sent_again(gateway):
    batch = [event(), note(id="2"), event(id="3")]
    taken: list[Entry] = []

    async def one_and_no_more(entry: Entry) -> None:
        if taken:
            raise LogUnavailableError("Kafka is away")
        taken.append(entry)

    gateway.log.append, append = one_and_no_more, gateway.log.append
    status, problem, headers = await send(gateway, batch, BATCH)
    assert (status, headers["Retry-After"]) == (503, "5")
    assert [each["status"] for each in problem["events"]] == [202, 503, 503]
    assert "not tried" in problem["events"][2]["problem"]["detail"]
    gateway.log.append = append
    status, answer, _ = await send(gateway, batch, BATCH)
    assert status == 202
    assert answer["events"][0]["case"] == taken[0].value.case
    assert gateway.log.entries[0].id == taken[0].id


@pytest.mark.parametrize(("body", "status"), [({}, 400), ([{}] * (MOST_EVENTS + 1), 413), (b"[", 400)])
async def test_what_is_no_batch_is_refused_whole(gateway, body, status):
    assert (await send(gateway, body, BATCH))[0] == status


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*event(), "data_base64"]), inner),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*event(), "subject", "time", "data_base64"]), JSONS, max_size=3))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
async def test_whatever_an_event_holds_it_is_taken_or_told_why_not(changes):
    async with running(channels=cloudevents({"NIVARAN_CLOUDEVENTS": "on"})) as gateway:
        status, _, _ = await send(gateway, event() | changes)
        assert status in {202, 400, 415}
        assert len(gateway.log.entries) == (status == 202)


def test_the_channel_is_served_only_where_it_is_on():
    assert cloudevents({}) == ()
    with pytest.raises(SettingsError, match="NIVARAN_CLOUDEVENTS"):
        cloudevents({"NIVARAN_CLOUDEVENTS": "yes"})


def test_the_page_names_what_the_channel_takes():
    page = (Path(__file__).parents[2] / "docs" / "channels" / "cloudevents.md").read_text("utf-8")
    names = {
        "POST /v1/events",
        COMPLAINT,
        ACTION,
        STRUCTURED,
        BATCH,
        "NIVARAN_CLOUDEVENTS=on",
        f"at most {MOST_EVENTS}",
    }
    assert {name for name in names if name not in page} == set()
