"""The embedded Redis-protocol server: real commands, kept data, nothing left behind."""

from pathlib import Path

import pytest
from redis import Redis

from deploy.local import redis as local_redis
from deploy.local.errors import LocalError
from deploy.local.redis import RedisServer, answers
from tests.waiting import until

pytestmark = pytest.mark.live


def test_it_speaks_the_protocol(redis_url: str) -> None:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.hset("local:case", mapping={"level": "2"})
        assert client.hgetall("local:case") == {"level": "2"}


def test_kept_writes_survive_a_kill(tmp_path: Path) -> None:
    with RedisServer(tmp_path, keep=True) as server:
        with Redis.from_url(server.url) as client:
            client.set("kept", "yes")
            # the append-only file is written before the answer; the page cache survives a kill
            until(lambda: client.info("persistence")["aof_last_write_status"] == "ok", what="the write is logged")
        server.kill()
        assert not answers(server.url)
        server.start()
        with Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_nothing_stays_after_the_stop(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        url = server.url
    assert not answers(url)
    assert not (tmp_path / "redis").exists()


def test_the_machines_own_server_serves_when_the_package_is_absent(tmp_path: Path, monkeypatch) -> None:
    own = tmp_path / "bin" / "redis-server"
    own.parent.mkdir()
    own.symlink_to(local_redis.find_server())
    monkeypatch.setattr(local_redis, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(own.parent))
    with RedisServer(tmp_path / "data") as server:
        assert answers(server.url)


def test_without_any_server_the_error_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(local_redis, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match=r"pip install 'nivaran\[local\]'"):
        RedisServer(tmp_path / "data")
