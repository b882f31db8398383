"""Requests to a gateway that fails, on real Kafka, with the worker killed meanwhile: each message is delivered once."""

import json
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from agents.runtime.exits import Exit
from agents.sms.ledger import entries
from deploy.fleet import Fleet
from schemas.codec import encode
from schemas.sms import SmsReceipt, SmsRequested
from schemas.topics import SMS_DELIVERY, SMS_OUTBOX, SMS_REQUESTED
from streams.profiles.load import profile
from tests.live.harness import records
from tests.waiting import until

pytestmark = pytest.mark.live
START = 1_772_000_000_000
RULE = profile("up-1076").sms
MESSAGES = 150
FAULTS = ("--fail", "0.15", "--throttle", "0.05", "--silent", "0.1", "--delay-ms", "5", "--seed", "11")
ENVIRON = {"NIVARAN_CONTACT_KEY": "A" * 43, "NIVARAN_OFFICES": "sandbox", "NIVARAN_SMS_TIMEOUT": "0.5"}


def request(number: int) -> SmsRequested:
    case = f"{number:018d}"
    return SmsRequested(
        id=f"{case}-1-officer",
        case=case,
        system="up-1076",
        at=START,
        audience="officer",
        step="registered",
        language="hi",
        template="placeholder-03",
        text=f"नई शिकायत {case}, L1, अंतिम तिथि 17/02/2026। -CMHELP",
        segments=1,
        office=f"revenue:tehsildar@161/{number}",
    )


def told(fleet: Fleet, topic: str) -> Iterator[dict[str, Any]]:
    return (json.loads(message.value()) for message in records(fleet.kafka.bootstrap, topic))


def test_each_message_is_delivered_once_whatever_fails(tmp_path: Path):
    with Fleet(
        tmp_path, roles={"sms": 1, "board": 1}, begin=START, partitions=3, sandbox=FAULTS, environ=ENVIRON
    ) as fleet:
        ledger = tmp_path / "sms-sandbox" / "ledger.ndjson"
        requests = [request(number) for number in range(MESSAGES)]
        send = [(SMS_REQUESTED, each.id, encode(each), START) for each in requests]
        fleet.produce(send)
        until(lambda: len(entries(ledger)) > MESSAGES // 4, 60, what="calls are being made")
        fleet.services["sms-1"].process.kill()
        fleet.produce(send[: MESSAGES // 2])
        fleet.settle()
        for attempt in range(1, RULE.max_attempts + 1):
            fleet.advance(START + attempt * max(RULE.backoff_max_ms, RULE.no_outcome_ms))
        fleet.produce(
            (SMS_REQUESTED, each.id, encode(SmsReceipt(each.id, fleet.now or 0, delivered=True)), fleet.now or 0)
            for each in requests[:20]
        )
        fleet.settle()

        facts: defaultdict[str, list[str]] = defaultdict(list)
        for fact in told(fleet, SMS_DELIVERY):
            facts[fact["id"]].append(fact["state"])
        assert set(facts) == {each.id for each in requests}
        assert sum(states.count("repeated") for states in facts.values()) == MESSAGES // 2
        ends = Counter(states[-1] for states in ([s for s in each if s != "repeated"] for each in facts.values()))
        assert set(ends) <= {"accepted", "delivered", "failed", "unknown"}
        accepted = {sms for sms, states in facts.items() if states.count("accepted") == 1}
        assert len(accepted) > MESSAGES * 0.9
        assert all(states.count("accepted") <= 1 and states.count("delivered") <= 1 for states in facts.values())

        lines = entries(ledger)
        deliveries = Counter(line.id for line in lines if line.kind == "accepted")
        assert set(deliveries.values()) == {1}, "never delivered twice"
        assert accepted <= set(deliveries)
        assert {line.kind for line in lines} == {"accepted", "repeated", "unavailable"}, "each fault was met"
        attempts: defaultdict[str, list[int]] = defaultdict(list)
        for handover in told(fleet, SMS_OUTBOX):
            attempts[handover["request"]["id"]].append(handover["attempt"])
        assert all(each == list(range(1, len(each) + 1)) for each in attempts.values()), "one chain per message"
        # a worker may have begun before a busy machine's Kafka answered; none may have left in doubt
        left = Counter(code for codes in fleet.restarts.values() for code in codes if code != Exit.UNAVAILABLE)
        assert left == {-signal.SIGKILL: 1}

        shown = Redis.from_url(fleet.redis.url)
        totals = {name.decode(): int(count) for name, count in shown.hgetall("nivaran:totals:up-1076").items()}
        shown.close()
        states = Counter(state for each in facts.values() for state in each)
        assert totals == {f"sms:{state}": count for state, count in states.items()}
