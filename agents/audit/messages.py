"""Follows every SMS: requested once, one chain of handovers, and at the gateway once."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from agents.audit.log import Log
from agents.audit.report import Findings, Result
from schemas.codec import decoder
from schemas.sms import SmsDeferred, SmsFact, SmsHandover, SmsInput, SmsRequested
from schemas.topics import SMS_DELIVERY, SMS_OUTBOX, SMS_REQUESTED

_decode_input: Final[Callable[[bytes], Any]] = decoder(SmsInput)
_decode_handover: Final[Callable[[bytes], SmsHandover]] = decoder(SmsHandover)
_decode_fact: Final[Callable[[bytes], SmsFact]] = decoder(SmsFact)
ENDED: Final = frozenset({"accepted", "delivered", "failed", "unknown"})


class Chain:
    """One message's life so far."""

    __slots__ = ("accepted", "delivered", "ended", "handovers", "told")

    def __init__(self) -> None:
        self.handovers = self.told = self.accepted = self.delivered = 0
        self.ended = False


def check(log: Log, ledger: Iterable[str] | None = None) -> Result:
    """One request, one chain of handovers, one acceptance per SMS; with the gateway's ledger, one delivery each."""
    findings, figures = Findings(), Counter[str]()
    chains: dict[str, Chain] = {}
    for entry in log.read(SMS_REQUESTED):
        record = _decode_input(entry.value or b"")
        if isinstance(record, SmsRequested):
            figures["requested"] += 1
            if record.id in chains:
                findings.add(f"SMS {record.id}: requested twice")
            chains[record.id] = Chain()
    _handovers(log, chains, findings)
    _deliveries(log, chains, findings)
    for name, chain in chains.items():
        figures["handovers"] += chain.handovers
        figures["accepted"] += chain.accepted
        figures["delivered"] += chain.delivered
        figures["in progress"] += not chain.ended
        if chain.handovers != chain.told:
            findings.add(f"SMS {name}: {chain.handovers} handovers, {chain.told} of them told of")
        if chain.accepted > 1 or chain.delivered > 1:
            findings.add(f"SMS {name}: accepted {chain.accepted} times, delivered {chain.delivered} times")
    if ledger is not None:
        _compare_ledger(chains, Counter(ledger), findings, figures)
    return findings.result("SMS", "each requested once, handed over in one chain, delivered once", dict(figures))


def _handovers(log: Log, chains: dict[str, Chain], findings: Findings) -> None:
    for entry in log.read(SMS_OUTBOX):
        handover = _decode_handover(entry.value or b"")
        chain = chains.get(handover.request.id)
        if chain is None:
            findings.add(f"{entry.place}: a handover of an SMS nobody requested")
            continue
        chain.handovers += 1
        if handover.attempt != chain.handovers:
            findings.add(f"SMS {handover.request.id}: handover {handover.attempt} where {chain.handovers} was next")


def _deliveries(log: Log, chains: dict[str, Chain], findings: Findings) -> None:
    for entry in log.read(SMS_DELIVERY):
        fact = _decode_fact(entry.value or b"")
        chain = chains.get(fact.id)
        if chain is None:
            findings.add(f"{entry.place}: tells of an SMS nobody requested")
            continue
        if isinstance(fact, SmsDeferred):
            if chain.ended:
                findings.add(f"SMS {fact.id}: deferred after its end")
            continue
        chain.told += fact.state == "handed-over"
        chain.accepted += fact.state == "accepted"
        chain.delivered += fact.state == "delivered"
        chain.ended |= fact.state in ENDED


def _compare_ledger(chains: dict[str, Chain], ledger: Counter[str], findings: Findings, figures: Counter[str]) -> None:
    """The gateway's own list of what it delivered."""
    figures["in the gateway's ledger"] = ledger.total()
    for name, times in ledger.items():
        if times != 1 or name not in chains:
            findings.add(
                f"SMS {name}: {times} times in the gateway's ledger" + ("" if name in chains else ", never requested")
            )
    for name, chain in chains.items():
        if chain.accepted and name not in ledger:
            findings.add(f"SMS {name}: accepted, and not in the gateway's ledger")
