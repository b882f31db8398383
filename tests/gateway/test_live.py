"""The gateway and the loader on real Kafka and Redis."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import aiohttp
import msgspec
import pytest

from agents.gateway.services import connect
from deploy.local.kafka import KafkaCluster
from deploy.local.redis import RedisServer
from schemas.codec import encode
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import case_id, citizen_token
from tests.gateway.conftest import CASE, COMPLAINT, MOBILE, TOKENS
from tests.gateway.conftest import running as in_process
from tests.gateway.live import ends, environment, make_topics, running, since
from tests.waiting import auntil, until

pytestmark = pytest.mark.live
decode = msgspec.json.Decoder(Submitted).decode
numbers = count(1)


@pytest.fixture
def key() -> str:
    """A key no other test of this run has: they share Redis and Kafka."""
    return f"live-key-{next(numbers):06d}"


@pytest.fixture(scope="module")
def gateway(kafka, redis_url, tmp_path_factory):
    make_topics(kafka.bootstrap)
    with running(kafka.bootstrap, redis_url, tmp_path_factory.mktemp("gateway")) as found:
        until(found.ready, 20, what="the gateway is ready")
        yield found


def test_an_accepted_complaint_is_in_the_log(gateway, kafka, key):
    start = ends(kafka.bootstrap, INTAKE_SUBMITTED)
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    status, answer, _ = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key, traceparent=trace)
    assert status == 202
    [message] = since(kafka.bootstrap, INTAKE_SUBMITTED, start)
    record, headers = decode(message.value()), dict(message.headers())
    assert record.case == answer["case"] == case_id("10", "call", key)
    assert message.key().decode() == record.citizen
    assert headers["ce_type"] == b"org.nivaran.intake.submitted.v1"
    assert headers["traceparent"] == trace.encode()
    assert message.timestamp()[1] == record.received_at
    assert MOBILE.encode() not in message.value()


def test_a_retry_gets_the_first_answer_and_writes_nothing(gateway, kafka, key):
    first = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
    start = ends(kafka.bootstrap, INTAKE_SUBMITTED)
    reordered = dict(reversed(COMPLAINT.items()))
    again = gateway.ask("/v1/complaints", reordered, Idempotency_Key=key)
    assert (first[0], again[0]) == (202, 202)
    assert first[1] == again[1]
    assert again[2]["Idempotency-Replayed"] == "true"
    assert ends(kafka.bootstrap, INTAKE_SUBMITTED) == start


def test_the_same_key_with_another_body_is_refused(gateway, key):
    gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
    status, problem, _ = gateway.ask("/v1/complaints", COMPLAINT | {"text": "और कुछ"}, Idempotency_Key=key)
    assert (status, problem["type"]) == (422, "urn:nivaran:problem:key-reused")
    assert (
        gateway.ask("/v1/complaints", COMPLAINT | {"channel": "portal"}, role="citizen-channel", Idempotency_Key=key)[0]
        == 202
    )


def test_a_case_on_its_way_to_the_board_is_accepted(gateway, key):
    _, answer, _ = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
    status, shown, _ = gateway.ask(answer["status_url"])
    assert (status, shown["status"], shown["system"]) == (200, "accepted", "up-1076")


def test_an_action_is_in_the_log_of_commands(gateway, kafka, key):
    start = ends(kafka.bootstrap, CASE_COMMANDS)
    body = {"type": "view", "by": {"role": "officer", "officer": "f1"}}
    status, answer, _ = gateway.ask(f"/v1/cases/{CASE}/actions", body, role="officer", Idempotency_Key=key)
    mine = [each for each in since(kafka.bootstrap, CASE_COMMANDS, start) if each.key() == CASE.encode()]
    assert status == 202
    assert [msgspec.json.decode(each.value())["id"] for each in mine] == [answer["id"]]


def test_sigterm_answers_what_is_in_hand_and_every_202_is_durable(kafka, redis_url, tmp_path, key):
    start = ends(kafka.bootstrap, INTAKE_SUBMITTED)
    with running(kafka.bootstrap, redis_url, tmp_path) as gateway, ThreadPoolExecutor(16) as pool:
        until(gateway.ready, 20, what="ready")

        def post(number: int) -> str | None:
            try:
                status, answer, _ = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=f"{key}-{number:05d}")
            except OSError:  # it does not listen any more
                return None
            return answer["case"] if status == 202 else None

        answers = [pool.submit(post, number) for number in range(1500)]
        until(lambda: sum(each.done() for each in answers) > 300, 30, what="300 answers")
        assert gateway.stop() == 0
        accepted = {each.result() for each in answers} - {None}
    assert len(accepted) >= 300
    written = {decode(each.value()).case for each in since(kafka.bootstrap, INTAKE_SUBMITTED, start)}
    assert accepted <= written
    assert MOBILE not in gateway.log.read_text()


def test_kafka_away_is_503_soon_and_back_is_202(tmp_path, redis_url, key):
    with KafkaCluster(tmp_path / "kafka", keep=True) as own:
        make_topics(own.bootstrap)
        with running(own.bootstrap, redis_url, tmp_path, NIVARAN_DELIVERY_TIMEOUT="2") as gateway:
            until(lambda: gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)[0] == 202, 30, what="accepted")
            own.nodes[0].kill()
            status, problem, headers = gateway.ask("/v1/complaints", COMPLAINT, timeout=6, Idempotency_Key=f"{key}-2")
            assert (status, problem["type"]) == (503, "urn:nivaran:problem:unavailable")
            assert int(headers["Retry-After"]) > 0
            until(lambda: not gateway.ready(), 10, what="not ready")
            own.nodes[0].start()
            own.wait_ready()
            until(gateway.ready, 30, what="ready again")
            # as Retry-After asks: with the same key until it is taken
            again = lambda: gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=f"{key}-2")  # noqa: E731
            until(lambda: again()[0] == 202, 30, what="accepted")
            assert len(since(own.bootstrap, INTAKE_SUBMITTED, dict.fromkeys(range(4), 0))) >= 2


def test_redis_away_does_not_stop_intake(kafka, tmp_path, key):
    with RedisServer(tmp_path / "redis") as redis, running(kafka.bootstrap, redis.url, tmp_path) as gateway:
        until(gateway.ready, 20, what="ready")
        first = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
        redis.kill()
        again = gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
        assert (first[0], again[0], first[1]) == (202, 202, again[1])
        assert gateway.ask(f"/v1/cases/{CASE}")[0] == 503
        status, state, _ = gateway.ask("/readyz")
        assert (status, state["redis"]) == (200, False)
        redis.start()
        until(lambda: gateway.ask(f"/v1/cases/{CASE}")[0] == 404, 10, what="Redis is used again")


async def test_a_second_request_with_a_key_in_hand_is_told_to_wait(redis_url, key):
    async with in_process(redis_url) as gateway, in_process(redis_url) as other:
        gateway.log.gate.clear()
        first = asyncio.ensure_future(gateway.post("/v1/complaints", COMPLAINT, key=key))
        await auntil(lambda: gateway.services.metrics.in_hand._value.get() == 1)
        status, problem, headers = await auntil(lambda: _conflict(other, key), what="in flight")
        assert (status, problem["type"], headers["Retry-After"]) == (409, "urn:nivaran:problem:in-flight", "1")
        gateway.log.gate.set()
        assert (await first)[0] == 202
        assert (await other.post("/v1/complaints", COMPLAINT, key=key))[:2] == (202, (await first)[1])


async def _conflict(gateway, key):
    answer = await gateway.post("/v1/complaints", COMPLAINT, key=key)
    return answer if answer[0] == 409 else None


async def test_what_was_not_durable_may_be_tried_again_with_its_key(redis_url, key):
    async with in_process(redis_url) as gateway:
        gateway.log.up = False
        assert (await gateway.post("/v1/complaints", COMPLAINT, key=key))[0] == 503
        gateway.log.up = True
        assert (await gateway.post("/v1/complaints", COMPLAINT, key=key))[0] == 202


async def test_the_limit_holds_over_all_gateways(redis_url):
    async with in_process(redis_url, rate=0.5, burst=4) as one, in_process(redis_url, rate=0.5, burst=4) as two:
        path = f"/v1/cases/{CASE}"
        answers = [(await each.get(path, role="officer"))[0] for _ in range(3) for each in (one, two)]
        assert answers == [404, 404, 404, 404, 429, 429]


async def test_the_feed_comes_from_the_read_model(gateway, redis_url):
    redis = connect(redis_url, 10)
    entry = {"department": "water", "district": 159, "visible_to": "", "data": b'{"case":"live"}'}
    before = await redis.xadd("nivaran:escalations", entry)
    headers = {"Authorization": f"Bearer {TOKENS['officer']}", "Last-Event-ID": before.decode()}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.url}/v1/escalations?district=159", headers=headers) as feed,
    ):
        await redis.xadd("nivaran:escalations", entry | {"district": 160})
        wanted = await redis.xadd("nivaran:escalations", entry)
        lines = []
        while not any(line.startswith("data:") for line in lines):
            lines.append((await feed.content.readline()).decode())
    await redis.aclose()
    assert f"id: {wanted.decode()}\n" in lines
    assert 'data: {"case":"live"}\n' in lines


def test_a_file_is_loaded_once_however_often_it_is_loaded(kafka, redis_url, tmp_path, key):
    file = tmp_path / "in.ndjson"
    mobiles = [f"98{number:08d}" for number in range(2000)]
    rows = [{"key": f"{key}-{n:05d}", "body": COMPLAINT | {"mobile": mobile}} for n, mobile in enumerate(mobiles)]
    file.write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    start = ends(kafka.bootstrap, INTAKE_SUBMITTED)
    make_topics(kafka.bootstrap)
    first, second = _load(file, kafka.bootstrap, redis_url), _load(file, kafka.bootstrap, redis_url)
    assert (first["records"], second["rows_this_run"]) == (2000, 0)
    messages = since(kafka.bootstrap, INTAKE_SUBMITTED, start)
    assert {each.key().decode() for each in messages} == {citizen_token(b"k" * 32, mobile) for mobile in mobiles}
    assert len(messages) == 2000


def test_the_loader_and_the_gateway_give_a_submission_the_same_number_and_place(
    gateway, kafka, redis_url, tmp_path, key
):
    start = ends(kafka.bootstrap, INTAKE_SUBMITTED)
    gateway.ask("/v1/complaints", COMPLAINT, Idempotency_Key=key)
    file = tmp_path / "in.ndjson"
    file.write_bytes(encode({"key": key, "body": COMPLAINT}) + b"\n")
    _load(file, kafka.bootstrap, redis_url)
    one, two = since(kafka.bootstrap, INTAKE_SUBMITTED, start)
    assert one.partition() == two.partition()
    assert decode(one.value()).id == decode(two.value()).id
    assert decode(one.value()).case == decode(two.value()).case


def test_when_kafka_is_away_the_loader_says_so_and_keeps_its_place(redis_url, tmp_path, monkeypatch):
    file = tmp_path / "in.ndjson"
    file.write_bytes(encode({"key": "key-00001", "body": COMPLAINT}) + b"\n")
    done = _run(file, "127.0.0.1:1", redis_url, "NIVARAN_LOAD_TIMEOUT", "2")
    assert done.returncode == 69
    assert msgspec.json.decode(done.stdout)["rows"] == 0


def _load(file: Path, bootstrap: str, redis_url: str) -> dict:
    done = _run(file, bootstrap, redis_url)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def _run(file: Path, bootstrap: str, redis_url: str, *more: str) -> "subprocess.CompletedProcess[bytes]":
    env = environment(bootstrap, redis_url, **dict(zip(more[::2], more[1::2], strict=True)))
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "load", str(file), "--json"], env=env, capture_output=True, check=False
    )
