"""The sandbox gateway, as its callers see it."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agents.sms.faults import Faults
from agents.sms.ledger import Ledger, entries
from agents.sms.receipts import Receipts
from agents.sms.sandbox import Sandbox
from tests.agents.sandboxing import served
from tests.agents.sms_accounts import ACCOUNTS
from tests.waiting import auntil

TEXT = "शिकायत 100000000000000017 दर्ज। निस्तारण तिथि 28/08/2026 तक। -CMHELP"


def body(sms: str = "sms-1", **changes: str) -> dict[str, str]:
    return {"id": sms, "to": "9812345670", "text": TEXT, "template": "placeholder-01", "header": "CMHELP", **changes}


async def post(url: str, sent: dict[str, str], key: str | None = None) -> tuple[int, Any]:
    headers = {"Idempotency-Key": sent.get("id", "") if key is None else key}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/messages", json=sent, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def get(url: str, path: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        return await answer.json()


async def test_an_id_is_delivered_once_and_answered_the_same_again():
    async with served(Sandbox()) as (_, url):
        assert await post(url, body()) == await post(url, body()) == (202, {"id": "sms-1", "status": "accepted"})
        counts = await get(url, "/ledger")
    assert (counts["accepted_ids"], counts["deliveries"], counts["repeats"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("sent", "key", "answer"),
    [
        (body(template=""), None, (422, "no-template")),
        (body(to="not-a-number"), None, (422, "bad-number")),
        (body(text=""), None, (422, "no-text")),
        (body(text="क" * 71), None, (422, "too-long")),
        (body(), "another", (400, "key-mismatch")),
        ({"id": "sms-1"}, None, (400, "malformed")),
    ],
)
async def test_what_a_real_gateway_would_refuse(sent: dict[str, str], key: str | None, answer: tuple[int, str]):
    async with served(Sandbox()) as (sandbox, url):
        status, said = await post(url, sent, key)
        assert (status, said["code"]) == answer
        assert sandbox.ledger.summary().deliveries == 0


async def test_another_message_under_the_same_id_is_refused():
    async with served(Sandbox()) as (_, url):
        await post(url, body())
        assert await post(url, body(text="अन्य")) == (409, {"code": "key-reused"})


async def test_the_ledger_is_read_again_at_the_start_and_half_a_line_is_dropped(tmp_path: Path):
    file = tmp_path / "ledger.ndjson"
    async with served(Sandbox(file)) as (_, url):
        await post(url, body())
    with file.open("ab") as ledger:
        ledger.write(b'{"id":"sms-2","kind":"acc')
    async with served(Sandbox(file)) as (sandbox, url):
        await post(url, body())
        assert (sandbox.ledger.summary().deliveries, sandbox.ledger.summary().repeats) == (1, 1)
    assert [(entry.id, entry.kind) for entry in entries(file)] == [("sms-1", "accepted"), ("sms-1", "repeated")]


def test_a_file_that_is_no_ledger_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "ledger.ndjson"
    file.write_text('{"id":"sms-1","kind":"accepted","at":1}\nsomething else\n')
    with pytest.raises(ValueError, match=r"ledger\.ndjson: line 2"):
        Ledger(file)


async def test_no_number_and_no_text_is_in_the_ledger(tmp_path: Path):
    file = tmp_path / "ledger.ndjson"
    async with served(Sandbox(file)) as (_, url):
        await post(url, body())
        shown = await get(url, "/messages")
    assert "9812345670" not in file.read_text("utf-8")
    assert "शिकायत" not in file.read_text("utf-8")
    assert (shown[0]["text"], shown[0]["to"], shown[0]["segments"]) == (TEXT, "XXXXXXXX70", 1)


async def test_faults_are_seeded_and_do_not_depend_on_the_order():
    statuses = []
    for ids in (range(60), reversed(range(60))):
        async with served(Sandbox(faults=Faults(seed=7, fail=0.3, throttle=0.2))) as (_, url):
            statuses.append({each: (await post(url, body(f"sms-{each}")))[0] for each in ids})
    assert statuses[0] == statuses[1]
    assert set(statuses[0].values()) == {202, 429, 503}


async def test_faults_change_while_it_runs():
    async with served(Sandbox()) as (_, url), aiohttp.ClientSession() as session:
        async with session.post(f"{url}/control", json={"fail": 1.0}) as answer:
            assert (await answer.json())["fail"] == 1.0
        assert (await post(url, body()))[0] == 503
        async with session.post(f"{url}/control", json={"fial": 1.0}) as answer:
            assert answer.status == 400
            assert "fial" in (await answer.json())["detail"]
        assert (await get(url, "/control"))["fail"] == 1.0


async def test_a_silent_fault_takes_the_message_and_never_answers():
    async with served(Sandbox(faults=Faults(silent=1.0))) as (sandbox, url):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
            with pytest.raises(TimeoutError):
                await session.post(f"{url}/messages", json=body(), headers={"Idempotency-Key": "sms-1"})
        assert (sandbox.ledger.summary().deliveries, sandbox.ledger.summary().silent) == (1, 1)


async def test_receipts_are_posted_until_they_are_taken():
    got: list[dict[str, Any]] = []
    tokens: Counter[str] = Counter()

    async def take(request: web.Request) -> web.Response:
        tokens[request.headers["Authorization"]] += 1
        if tokens.total() == 1:
            return web.Response(status=503)
        got.append(await request.json())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/receipts", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receipts = Receipts(f"http://127.0.0.1:{runner.addresses[0][1]}/receipts", "a-token")
    async with served(Sandbox(receipts=receipts, faults=Faults(undelivered=1.0))) as (_, url):
        await post(url, body())
        await post(url, body())
        await auntil(lambda: receipts.sent == 1, what="the receipt is taken")
    await runner.cleanup()
    assert got == [{"id": "sms-1", "delivered": False, "code": "absent-subscriber"}]
    assert set(tokens) == {"Bearer a-token"}


def start(*options: str, **account: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "deploy.cli", "sms-sandbox", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **account})
    assert process.stdout is not None
    printed = ""
    while "}" not in printed:
        line = process.stdout.readline()
        assert line, "it ended before it said its address"
        printed += line
    return process, json.loads(printed)["url"]


async def test_as_a_process_it_keeps_what_it_took_through_a_kill(tmp_path: Path):
    file = tmp_path / "ledger.ndjson"
    process, url = start("--ledger", str(file))
    for each in range(20):
        await post(url, body(f"sms-{each}"))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again, url = start("--ledger", str(file))
    for each in range(25):
        await post(url, body(f"sms-{each}"))
    again.terminate()
    again.communicate()
    assert again.returncode == 0
    assert Counter(entry.kind for entry in entries(file)) == {"accepted": 25, "repeated": 20}
    with_it = Ledger(file)
    assert with_it.summary().deliveries == 25
    with_it.close()


@pytest.mark.parametrize(
    ("form", "account"),
    [
        ("mobile-seva", ACCOUNTS["mobile-seva"]),
        ("nic", ACCOUNTS["nic"]),
        ("smpp", {"NIVARAN_SMS_SYSTEM_ID": "up-cm", "NIVARAN_SMS_PASSWORD": "pw-17"}),
    ],
)
def test_as_a_process_it_takes_each_format(tmp_path: Path, form: str, account: dict[str, str]):
    file = tmp_path / "ledger.ndjson"
    process, url = start("--format", form, "--port", "0", "--ledger", str(file), **account)
    process.terminate()
    process.communicate()
    assert process.returncode == 0
    assert file.exists()
    assert url.startswith("smpp://" if form == "smpp" else "http://")


def test_an_account_that_lacks_something_is_named(tmp_path: Path):
    command = [sys.executable, "-m", "deploy.cli", "sms-sandbox", "--format", "nic", "--ledger", str(tmp_path / "l")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NIVARAN_SMS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 2
    assert "NIVARAN_SMS_" in done.stderr
