"""What senders remember in Redis: one call per message, and the id by which its report names it."""

import pytest
from redis.asyncio import Redis

from agents.gateway.services import connect
from agents.sms.gateway import Answer
from agents.sms.memory import CALLED_BEFORE, KEPT_SECONDS, MemoryAwayError, RedisMemory, ref_key

pytestmark = pytest.mark.live
TAKEN = Answer("accepted", "", "ref-1")


async def test_two_senders_make_one_call_and_tell_the_same(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    await redis.flushdb()
    one, other = RedisMemory(redis, "nic"), RedisMemory(Redis.from_url(redis_url), "nic")
    assert await one.begin("sms-1") is None
    assert await other.begin("sms-1") == CALLED_BEFORE
    assert await one.end("sms-1", TAKEN) is None
    assert await other.begin("sms-1") == Answer("accepted", "called-before", "ref-1")
    assert await redis.get(ref_key("nic", "ref-1")) == b"sms-1"
    assert 0 < await redis.ttl(ref_key("nic", "ref-1")) <= KEPT_SECONDS
    await one.close()
    await other.close()


@pytest.mark.parametrize(("outcome", "again"), [("refused", True), ("unavailable", True), ("unknown", False)])
async def test_only_what_was_surely_not_taken_is_called_again(redis_url: str, outcome: str, again: bool) -> None:
    redis = Redis.from_url(redis_url)
    await redis.flushdb()
    memory = RedisMemory(redis, "nic")
    assert await memory.begin("sms-1") is None
    await memory.end("sms-1", Answer(outcome))  # type: ignore[arg-type]
    assert (await memory.begin("sms-1") is None) == again
    await memory.close()


async def test_an_absent_redis_is_said(unused_tcp_port: int) -> None:
    memory = RedisMemory(connect(f"redis://127.0.0.1:{unused_tcp_port}/0", 1), "nic")
    with pytest.raises(MemoryAwayError):
        await memory.begin("sms-1")
    assert await memory.end("sms-1", TAKEN) == "report-id-lost"
    assert await memory.end("sms-1", Answer("refused")) == "outcome-lost"
    await memory.close()
