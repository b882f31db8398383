"""SIGTERM for every role in the midst of its work: each ends in order, and nothing in hand is lost or repeated."""

import asyncio
from pathlib import Path

import pytest

from agents.app import ROLES
from agents.audit import board
from agents.audit.report import Result
from agents.audit.run import audit
from agents.cli.audit import deliveries, log_of
from agents.runtime.exits import Exit
from deploy.fleet import Fleet
from deploy.fleet.service import end_all
from tests.story import bursts, stories

pytestmark = pytest.mark.live
COPIES = 8
STORIES = [story.again(number) for story in stories() for number in range(COPIES)]
ENVIRON = {"NIVARAN_CONTACT_KEY": "A" * 43, "NIVARAN_OFFICES": "sandbox", "NIVARAN_HEARTBEAT": "0.3"}


def test_every_role_ends_in_order_in_the_midst_of_work(tmp_path: Path) -> None:
    told = bursts(STORIES)
    with Fleet(
        tmp_path, roles=dict.fromkeys(ROLES, 1), begin=told[0].at, partitions=3, sandbox=(), environ=ENVIRON
    ) as fleet:
        for burst in told[:3]:
            fleet.settle()
            fleet.advance(burst.at)
            fleet.produce((each.topic, each.key, each.value, each.at) for each in burst.inputs)
        assert fleet.lag() > 0, "void: there was nothing left in hand"
        assert end_all(fleet.workers) == {f"{role}-1": Exit.CLEAN for role in ROLES}
        for worker in fleet.workers:
            worker.start()
        fleet.settle()
        for burst in told[3:6]:
            fleet.advance(burst.at)
            fleet.produce((each.topic, each.key, each.value, each.at) for each in burst.inputs)
            fleet.settle()
        log, ledger = log_of(fleet.kafka.bootstrap, "nivaran"), tmp_path / "sms-sandbox" / "ledger.ndjson"
        results: list[Result] = [
            *audit(log, ledger=list(deliveries(ledger))), asyncio.run(board.check(log, fleet.redis.url)),
        ]  # fmt: skip
        assert {result.name: result.problems for result in results if not result.ok} == {}
        assert not fleet.restarts
