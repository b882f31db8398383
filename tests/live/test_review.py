"""Packs, rankings, samples and the district's board from a real Redis: what the log says, and within a second."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from agents.audit.board import ShadowSource, check
from agents.audit.memory import MemoryLog
from agents.cli.pack import write
from agents.readmodel.folding import TOPICS
from agents.readmodel.model import ReadModel
from agents.readmodel.packs import gather
from agents.readmodel.rebuild import Stored
from agents.readmodel.review import Registers
from agents.runtime.ports import Slice
from deploy.cli import cli
from deploy.local.redis import RedisServer
from streams.profiles.load import profile
from streams.review.material import Scope
from tests.simulated import folded, played
from tests.waiting import until

pytestmark = pytest.mark.live
UP, SLICE = profile("up-1076"), 500
PACK = "pack --system up-1076 --district 159 --month 2026-01"


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return played(seed=12, scale=0.1)


@pytest.fixture(scope="module")
def url(log: MemoryLog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of its own, for the commands read the prefix that workers write."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        asyncio.run(_filled(server.url, log))
        yield server.url


async def _filled(url: str, log: MemoryLog) -> None:
    redis = Redis.from_url(url)
    model = ReadModel(redis)
    for topic in TOPICS:
        records = [Stored(topic, 0, each.offset, each.at, each.key, each.value) for each in log.entries[topic]]
        for start in range(0, len(records), SLICE):
            await model.apply(Slice(topic, 0, records[start : start + SLICE]))
    await redis.aclose()


def asked(words: str, url: str) -> str:
    done = CliRunner().invoke(cli, [*words.split(), "--redis", url])
    assert done.exit_code == 0, done.output
    return done.output


async def test_the_audit_finds_every_register_as_a_fold_of_the_log_and_a_line_that_is_not(log, url):
    held = await check(log, url)
    assert (held.problems, held.ok) == ((), True)
    assert held.figures["keys"] > 1000
    redis = Redis.from_url(url)
    keys = [each async for each in redis.scan_iter(match="nivaran:blots:up-1076:159:*")]
    key = keys[0].decode()
    field, line = next(iter((await redis.hgetall(key)).items()))
    await redis.hdel(key, field)
    assert (await check(log, url)).problems == (f"{key.removeprefix('nivaran:')} is not as a fold of the log",)
    await redis.hset(key, field, line)
    await redis.aclose()


async def test_a_pack_from_redis_is_the_pack_from_the_log_byte_for_byte(log, url, tmp_path: Path):
    began = time.perf_counter()
    told = await asyncio.to_thread(asked, f"{PACK} --out {tmp_path}/redis --json", url)
    assert time.perf_counter() - began < 5
    material = await gather(ShadowSource(folded(log)), UP, "dm", Scope(159), "2026-01", None)
    expected = [path for language in ("hi", "en") for path in write(material, language, tmp_path / "log")]

    written = [Path(name) for name in json.loads(told)["files"]]
    assert [path.name for path in written] == [path.name for path in expected]
    for one, other in zip(written, expected, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_asked_again_it_is_the_same_bytes(url, tmp_path: Path):
    asked(f"{PACK} --out {tmp_path}/one", url)
    asked(f"{PACK} --out {tmp_path}/two", url)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) > 20
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_states_districts_are_ranked(url):
    began = time.perf_counter()
    found = json.loads(asked("rank --system up-1076 --month 2026-01 --json", url))
    assert time.perf_counter() - began < 30
    assert len(found["units"]) == 75
    ranks = [unit["rank"] for unit in found["units"] if unit["rank"] is not None]
    assert ranks == sorted(ranks)
    assert "measures" in found["units"][0]


def test_the_same_seed_draws_the_same_sample(url):
    words = "review sample --system up-1076 --month 2026-01 --seed x --size 5 --json"
    one, two = json.loads(asked(words, url)), json.loads(asked(words, url))
    assert one == two
    assert len(one["cases"]) == 5
    assert json.loads(asked(words.replace("--seed x", "--seed y"), url))["cases"] != one["cases"]


async def test_the_board_shows_what_is_pending_now(log, url):
    found = json.loads(await asyncio.to_thread(asked, "board --district 159 --json", url))
    stays = await Registers(ShadowSource(folded(log)), "up-1076", UP.zone).present(159)
    board = next(each for each in found["systems"] if each["system"] == "up-1076")
    assert board["pending"] == len(stays) > 0
    text = await asyncio.to_thread(asked, "board --district 159", url)
    assert "लखीमपुर खीरी" in text
    assert "Not looked yet" in text


def test_on_a_terminal_the_board_is_live_until_ctrl_c(url):
    """A fact that comes while it is shown is on the screen within seconds."""
    master, slave = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "80", "NIVARAN_REDIS_URL": url}
    command = [Path(sys.executable).with_name("nivaran"), "board", "--district", "159", "--every", "0.3"]
    shown = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True)
    os.close(slave)
    seen = bytearray()

    def screen() -> str:
        with suppress(OSError):  # the other end is closed when its program has ended
            while select.select([master], [], [], 0)[0]:
                seen.extend(os.read(master, 65_536))
        return seen.decode(errors="replace")

    try:
        until(lambda: "due within a day" in screen(), 20, what="the first look")
        asyncio.run(_disposed_of_everything(url))
        seen.clear()
        until(lambda: "pending 0" in screen(), 10, what="the change on the screen")
        shown.send_signal(signal.SIGINT)
        # a terminal that nobody reads keeps the last words of its program waiting
        until(lambda: screen() and shown.poll() is not None, 10, what="the end after Ctrl-C")
        assert shown.returncode == 0
    finally:
        shown.kill()
        shown.wait()
        os.close(master)


async def _disposed_of_everything(url: str) -> None:
    """As if every office of the district had disposed of its cases: the board reads what stands in Redis."""
    redis = Redis.from_url(url)
    await redis.delete("nivaran:stays:up-1076:159")
    await redis.aclose()
