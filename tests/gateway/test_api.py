"""The API's answers, one by one; Redis is away here, so each also shows that intake goes on without it."""

import json
import re

import msgspec
import pytest

from agents.contact import Contacts
from agents.gateway.fields import MOST_SUGGESTIONS
from schemas.base import Attachment
from schemas.commands import AddNote, Dispose, ReportDissatisfied, Transfer
from schemas.intake import Submitted
from schemas.sms import SmsReceipt
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED, SMS_REQUESTED
from streams.ids import case_id, citizen_token
from streams.profiles.profile import DAY_MS
from tests.gateway.conftest import CASE, COMPLAINT, MOBILE, NOW, TOKENS, running

OFFICER = {"role": "officer", "office": "o", "officer": "f1"}
AGENT = {"role": "call-centre", "officer": "a7"}
FILE = {"store": "portal-files", "ref": "1.jpg", "media_type": "image/jpeg"}
RECORDING = {"store": "calls", "ref": "2026/02/1", "sha256": "0" * 64, "started_at": NOW - 5000, "duration_ms": 4000}


def fields(problem: dict) -> set[str]:
    return {error["field"] for error in problem["errors"]}


async def test_a_complaint_is_accepted_with_its_number_once_it_is_durable(gateway):
    status, answer, headers = await gateway.post("/v1/complaints", COMPLAINT)
    case = case_id("10", "call", "key-0001")
    assert status == 202
    assert (answer["case"], answer["status_url"]) == (case, f"/v1/cases/{case}")
    assert headers["Location"] == answer["status_url"]
    [entry] = gateway.log.entries
    record = entry.value
    assert isinstance(record, Submitted)
    assert (entry.topic, entry.key) == (INTAKE_SUBMITTED, citizen_token(b"k" * 32, MOBILE))
    assert (record.at, record.received_at, record.place.units) == (NOW, NOW, {"block": "b1"})
    assert Contacts(b"k" * 32).open_sealed(record.contact, case) == MOBILE


async def test_nothing_of_the_person_leaves_in_clear(gateway):
    body = COMPLAINT | {"text": f"मुझे {MOBILE} पर बुलाएँ"}
    await gateway.post("/v1/complaints", body, key=f"call-{MOBILE}")
    [entry] = gateway.log.entries
    assert MOBILE not in msgspec.json.encode(entry.value).decode() + entry.key + entry.id


async def test_without_redis_a_retry_still_gets_the_same_number_and_the_metrics_say_so(gateway):
    first = await gateway.post("/v1/complaints", COMPLAINT)
    again = await gateway.post("/v1/complaints", COMPLAINT)
    assert (first[0], again[0]) == (202, 202)
    assert first[1] == again[1]
    assert len(gateway.log.entries) == 2  # intake knows the second as a repeat by its id
    assert gateway.log.entries[0].value.id == gateway.log.entries[1].value.id
    async with gateway.client.get("/metrics") as response:
        text = await response.text()
    assert 'nivaran_gateway_redis_away_total{use="idempotency"}' in text
    status, state, _ = await gateway.get("/readyz", role=None)
    assert (status, state["ready"], state["redis"]) == (200, True, False)


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-02-02T08:00:00+05:30", NOW - 600_000),
        ("2026-02-02T02:30:00Z", NOW - 600_000),
        (NOW - DAY_MS, NOW - DAY_MS),
        (NOW - 30 * DAY_MS, NOW - 7 * DAY_MS),
        (NOW + DAY_MS, NOW),
    ],
)
async def test_event_time_lies_between_the_allowed_lateness_and_now(gateway, sent, at):
    assert (await gateway.post("/v1/complaints", COMPLAINT | {"occurred_at": sent}))[0] == 202
    assert gateway.log.entries[0].value.at == at


async def test_files_go_with_a_complaint_by_reference(gateway):
    files = [{"store": "portal-files", "ref": "2026/02/1.jpg", "media_type": "image/jpeg", "sha256": "0" * 64},
             {"store": "portal-files", "ref": "2", "media_type": "application/pdf"}]  # fmt: skip
    status, _, _ = await gateway.post("/v1/complaints", COMPLAINT | {"attachments": files})
    record = gateway.log.entries[0].value
    assert (status, type(record.attachments[0])) == (202, Attachment)
    assert list(msgspec.to_builtins(record.attachments)) == files


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (
            [FILE | {"ref": "a b"}, FILE | {"media_type": "picture"}],
            {"attachments[0].ref", "attachments[1].media_type"},
        ),
        ([{"store": "s"}], {"attachments[0].ref", "attachments[0].media_type"}),
        ([FILE | {"url": "https://x"}], {"attachments[0].url"}),
        ([FILE | {"sha256": "0"}, 7], {"attachments[0].sha256", "attachments[1]"}),
        ([FILE] * 11, {"attachments"}),
        ([FILE] * 500, {"attachments"}),
        ({"0": FILE}, {"attachments"}),
    ],
)
async def test_what_is_wrong_with_a_file_is_named(gateway, files, named):
    status, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"attachments": files})
    assert (status, fields(problem)) == (400, named)


async def test_every_bad_field_is_named(gateway):
    body = {
        "system": "up-1076",
        "type": "wish",
        "chanel": "call",
        "category": "handpump",
        "place": {"district": 9999, "ward": "3", "block": 7},
        "text": " ",
        "mobile": "12",
        "language": "fr",
        "occurred_at": "yesterday",
        "against_level": 12,
    }
    status, problem, headers = await gateway.post("/v1/complaints", body)
    assert status == 400
    assert headers["Content-Type"].startswith("application/problem+json")
    assert problem["type"] == "urn:nivaran:problem:invalid-fields"
    assert fields(problem) == {
        "type", "chanel", "channel", "category", "place.district", "place.ward", "place.block", "text", "mobile",
        "language", "occurred_at", "against_level",
    }  # fmt: skip
    assert not gateway.log.entries


async def test_numbers_nested_deeper_than_any_request_are_a_bad_field(gateway):
    deep: object = 1.0
    for _ in range(900):
        deep = [deep]
    status, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"system": deep})
    assert (status, fields(problem)) == (400, {"system"})


async def test_of_thousands_of_unknown_fields_all_are_named_and_few_looked_up(gateway):
    unknown = {f"categor{number:04d}": 1 for number in range(3000)}
    status, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | unknown)
    assert (status, fields(problem)) == (400, set(unknown))
    assert sum("'category'" in error["detail"] for error in problem["errors"]) == MOST_SUGGESTIONS


async def test_a_blank_text_is_told_what_a_text_must_hold(gateway):
    _, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"text": "  "})
    [error] = problem["errors"]
    assert (error["field"], "neither space nor control" in error["detail"]) == ("text", True)


async def test_what_is_wrong_is_told_with_what_would_be_right(gateway):
    _, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"category": "handpump", "system": "up-1076"})
    [error] = problem["errors"]
    assert "hand-pump" in error["detail"]
    _, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"system": "up-1067"})
    assert "up-1076" in problem["errors"][0]["detail"]


async def test_what_a_citizen_wrote_is_not_repeated_in_a_problem(gateway):
    body = COMPLAINT | {"mobile": "98765x43210", "text": ["राज़"], "type": "राज़"}
    _, problem, _ = await gateway.post("/v1/complaints", body)
    assert "98765" not in json.dumps(problem)
    assert "राज़" not in json.dumps(problem, ensure_ascii=False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'"text"', b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"text":"\\ud800"}']
)
async def test_what_is_no_json_object_is_refused(gateway, body):
    headers = {
        "Authorization": f"Bearer {TOKENS['call-centre']}",
        "Idempotency-Key": "key-0001",
        "Content-Type": "application/json",
    }
    async with gateway.client.post("/v1/complaints", data=body, headers=headers) as response:
        problem = await response.json(content_type=None)
    assert response.status == 400
    assert problem["status"] == 400


@pytest.mark.parametrize("key", [None, "short", "k" * 129, "with space", "हिन्दी-कुंजी"])
async def test_a_submission_needs_a_usable_key(gateway, key):
    headers = {"Authorization": f"Bearer {TOKENS['call-centre']}"} | ({"Idempotency-Key": key} if key else {})
    async with gateway.client.post("/v1/complaints", json=COMPLAINT, headers=headers) as response:
        problem = await response.json(content_type=None)
    assert (response.status, problem["type"]) == (400, "urn:nivaran:problem:key-missing")


async def test_a_key_may_stand_in_quotes(gateway):
    _, answer, _ = await gateway.post("/v1/complaints", COMPLAINT, key='"key-0001"')
    assert answer["case"] == case_id("10", "call", "key-0001")


async def test_too_large_not_json_unknown_and_not_served(gateway):
    status, problem, _ = await gateway.post("/v1/complaints", COMPLAINT | {"text": "क" * 70_000})
    assert (status, problem["status"]) == (413, 413)
    headers = {"Authorization": f"Bearer {TOKENS['call-centre']}", "Idempotency-Key": "key-0001"}
    async with gateway.client.post(
        "/v1/complaints", data=b"<a/>", headers=headers | {"Content-Type": "text/xml"}
    ) as response:
        assert response.status == 415
    status, problem, _ = await gateway.get("/v1/nothing")
    assert (status, problem["type"]) == (404, "urn:nivaran:problem:not-found")
    status, problem, headers = await gateway.get("/v1/complaints")
    assert (status, problem["status"], headers["Allow"]) == (405, 405, "POST")


@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer wrong", f"Basic {TOKENS['call-centre']}", "Bearer \u00e9"]
)
async def test_a_known_token_is_needed(gateway, authorization):
    headers = {"Idempotency-Key": "key-0001"} | ({"Authorization": authorization} if authorization else {})
    async with gateway.client.post("/v1/complaints", json=COMPLAINT, headers=headers) as response:
        assert response.status == 401
        assert "Bearer" in response.headers["WWW-Authenticate"]
    assert not gateway.log.entries


async def test_each_role_does_its_own(gateway):
    assert (await gateway.post("/v1/complaints", COMPLAINT, role="officer"))[0] == 403
    assert (await gateway.post("/v1/complaints", COMPLAINT, role="citizen-channel"))[0] == 202
    note = {"type": "add-note", "by": OFFICER, "text": "देखा"}
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", note, role="citizen-channel"))[0] == 403
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", note, role="officer"))[0] == 202
    dispose = {"type": "dispose", "by": AGENT, "remarks": "हो गया"}
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", dispose, role="call-centre"))[0] == 403
    status, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", dispose, role="officer", key="key-0002")
    assert (status, fields(problem)) == (403, {"by.role"})
    assert (await gateway.get("/v1/escalations", role="citizen-channel"))[0] == 403


async def test_officers_and_delegates_dispose(gateway):
    body = {
        "type": "dispose",
        "by": OFFICER | {"role": "delegate"},
        "remarks": "ठीक किया",
        "talked_to_complainant": True,
    }
    status, answer, _ = await gateway.post(f"/v1/cases/{CASE}/actions", body, role="officer")
    [entry] = gateway.log.entries
    assert status == 202
    assert (entry.topic, entry.key) == (CASE_COMMANDS, CASE)
    assert isinstance(entry.value, Dispose)
    assert (entry.value.id, entry.value.at, entry.value.talked_to_complainant) == (answer["id"], NOW, True)


async def test_dissatisfaction_needs_reason_and_recording(gateway):
    body = {"type": "report-dissatisfied", "by": AGENT}
    status, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", body)
    assert (status, fields(problem)) == (400, {"reason", "recording"})
    body |= {"reason": "not-done", "recording": RECORDING | {"sha256": "x"}}
    _, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", body)
    assert fields(problem) == {"recording.sha256"}
    status, *_ = await gateway.post(f"/v1/cases/{CASE}/actions", body | {"recording": RECORDING})
    assert status == 202
    assert isinstance(gateway.log.entries[0].value, ReportDissatisfied)


async def test_a_transfer_names_places_and_categories_of_the_system(gateway):
    body = {"type": "transfer", "by": OFFICER, "category": "taps", "place": {"district": 9999}}
    _, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", body, role="officer")
    assert fields(problem) == {"category", "place.district"}
    body |= {"category": "tap-water", "place": {"district": 160, "tehsil": "t2"}}
    assert (await gateway.post(f"/v1/cases/{CASE}/actions", body, role="officer"))[0] == 202
    command = gateway.log.entries[0].value
    assert isinstance(command, Transfer)
    assert command.place.units == {"tehsil": "t2"}


async def test_texts_of_officers_are_masked_too(gateway):
    body = {"type": "add-note", "by": OFFICER, "text": f"फोन {MOBILE}"}
    await gateway.post(f"/v1/cases/{CASE}/actions", body, role="officer")
    command = gateway.log.entries[0].value
    assert isinstance(command, AddNote)
    assert command.text == "फोन XXXXXXXX10"


@pytest.mark.parametrize("body", [{}, {"type": "explode"}, {"type": 7}, {"type": ["dispose"]}, []])
async def test_an_unknown_action_is_answered_with_those_there_are(gateway, body):
    status, problem, _ = await gateway.post(f"/v1/cases/{CASE}/actions", body)
    assert status == 400
    assert "report-dissatisfied" in problem["errors"][0]["detail"]


async def test_a_mistyped_number_is_noticed(gateway):
    wrong = CASE[:-1] + str((int(CASE[-1]) + 1) % 10)
    assert (await gateway.get(f"/v1/cases/{wrong}"))[0] == 404
    assert (await gateway.post(f"/v1/cases/{wrong}/actions", {"type": "view", "by": OFFICER}, role="officer"))[0] == 404
    assert (await gateway.get("/v1/cases/abc"))[0] == 404


async def test_when_kafka_is_away_nothing_is_accepted(gateway):
    gateway.log.up = False
    status, problem, headers = await gateway.post("/v1/complaints", COMPLAINT)
    assert (status, problem["type"]) == (503, "urn:nivaran:problem:unavailable")
    assert int(headers["Retry-After"]) > 0
    assert (await gateway.get("/readyz", role=None))[0] == 503
    gateway.log.up = True
    assert (await gateway.post("/v1/complaints", COMPLAINT))[0] == 202
    assert (await gateway.get("/readyz", role=None))[0] == 200


async def test_a_case_is_shown_as_the_board_has_it(gateway):
    gateway.board.cases[CASE] = {"case": CASE, "status": "pending"}
    assert (await gateway.get(f"/v1/cases/{CASE}"))[:2] == (200, {"case": CASE, "status": "pending"})
    assert (await gateway.get(f"/v1/cases/{case_id('10', 'call', 'other')}"))[0] == 404


async def test_receipts_of_the_sms_gateway(gateway):
    body = {"id": f"{CASE}-1-citizen", "delivered": True, "code": "000"}
    assert (await gateway.post("/v1/sms/receipts", body, role="call-centre", key=None))[0] == 403
    status, *_ = await gateway.post("/v1/sms/receipts", body, role="sms-gateway", key=None)
    [entry] = gateway.log.entries
    assert status == 204
    assert (entry.topic, entry.key) == (SMS_REQUESTED, body["id"])
    assert entry.value == SmsReceipt(id=body["id"], at=NOW, delivered=True, code="000")
    status, problem, _ = await gateway.post("/v1/sms/receipts", {"id": 5}, role="sms-gateway", key=None)
    assert (status, fields(problem)) == (400, {"id", "delivered"})


async def test_a_source_that_asks_too_much_waits():
    async with running(rate=1.0, burst=3) as gateway:
        answers = [await gateway.get(f"/v1/cases/{CASE}") for _ in range(4)]
        assert [answer[0] for answer in answers] == [404, 404, 404, 429]
        assert answers[3][2]["Retry-After"] == "1"
        assert (await gateway.get(f"/v1/cases/{CASE}", role="call-centre"))[0] == 404
        assert (await gateway.get("/healthz", role=None))[0] == 200


async def test_trace_context_is_passed_on(gateway):
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    await gateway.post("/v1/complaints", COMPLAINT, traceparent=trace)
    await gateway.post("/v1/complaints", COMPLAINT, key="key-0002", traceparent="nonsense")
    given, begun = (entry.traceparent for entry in gateway.log.entries)
    assert given == trace
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun), "a caller without a trace begins one"
