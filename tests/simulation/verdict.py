"""What must be the same whatever the scheduler did: each case's facts, each SMS, each window, each state."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.codec import decoder, encode
from schemas.sla import SlaWindow
from schemas.sms import SmsDeferred, SmsFact, SmsRequested
from schemas.topics import CASE_EVENTS, SLA_WINDOW, SMS_DELIVERY, SMS_REQUESTED
from streams.case.stage import CASE
from streams.driver import Driver
from streams.intake.stage import INTAKE
from streams.sla.stage import SLA
from streams.sla.table import Cell, Line, fold
from tests.simulation.lives import START, lives
from tests.simulation.world import END, HORIZON, PARTITIONS, Fault, World

_fact, _window = decoder(SmsFact), decoder(SlaWindow)
Facts = dict[str, list[dict[str, Any]]]


def problems(seed: int, fault: Fault = "none") -> list[str]:
    """What is not as when everything comes once, in order and in time."""
    world, reference = World(seed, fault), _reference(seed)
    try:
        world.run()
    except AssertionError as error:
        return [str(error)]
    return [*_facts(world, reference), *_messages(world, reference), *_windows(world, reference), *_states(world)]


def _reference(seed: int) -> Driver:
    driver = Driver((INTAKE, CASE, SLA), now=START)
    for told in sorted((told for life in lives(seed) for told in life), key=lambda told: told.at):
        driver.advance(max(driver.now, told.at))
        driver.send(told.topic, told.key, told.record)
    driver.advance(HORIZON)
    return driver


def _facts(world: World, reference: Driver) -> list[str]:
    wanted = _by_case((written.key, encode(written.value)) for written in reference.log[CASE_EVENTS])
    records = (record for part in range(PARTITIONS) for record in world.log[CASE_EVENTS, part])
    found = _by_case(((record.key or b"").decode(), record.value or b"") for record in records)
    return [
        f"case {case}: {_kinds(found[case])}, not {_kinds(wanted[case])}"
        for case in sorted(wanted.keys() | found.keys())
        if found[case] != wanted[case]
    ]


def _by_case(facts: Iterable[tuple[str, bytes]]) -> Facts:
    """Facts in their order; a command that is repeated is rejected as often, and that counts once."""
    found: Facts = defaultdict(list)
    rejected: set[str] = set()
    for case, value in facts:
        fact = _told(value)
        if fact["at"] > HORIZON:
            continue
        if fact["type"] != "case.command-rejected.v1":
            found[case].append(fact)
        elif fact["reason"] != "repeated" and case + fact["command_id"] not in rejected:
            found[case].append(fact)
            rejected.add(case + fact["command_id"])
    return found


def _told(value: bytes) -> dict[str, Any]:
    """A fact but for where its cause stands in the log, which is another each time."""
    fact: dict[str, Any] = msgspec.json.decode(value)
    return {**fact, "because": fact["because"]["rule"]}


def _kinds(facts: list[dict[str, Any]]) -> str:
    return ", ".join(f"{fact['type'].removeprefix('case.')}@{fact['at'] - START}" for fact in facts)


def _messages(world: World, reference: Driver) -> list[str]:
    requested = [sms.value for sms in reference.log[SMS_REQUESTED] if isinstance(sms.value, SmsRequested)]
    wanted = {sms.id for sms in requested}
    late = {
        record.key.decode()
        for part in range(PARTITIONS)
        for record in world.log[SMS_REQUESTED, part]
        if record.timestamp > HORIZON and record.key is not None
    }
    accepted: Counter[str] = Counter()
    ended: set[str] = set()
    for part in range(PARTITIONS):
        for record in world.log[SMS_DELIVERY, part]:
            fact = _fact(record.value or b"")
            if isinstance(fact, SmsDeferred):
                continue
            accepted[fact.id] += fact.state == "accepted"
            if fact.state in {"accepted", "failed", "unknown"}:
                ended.add(fact.id)
    found = [f"SMS {sms} is told to be accepted {times} times" for sms, times in accepted.items() if times > 1]
    found += [f"SMS {sms} was requested and has no end" for sms in sorted(wanted - ended)]
    return found + [f"SMS {sms} was never to be sent" for sms in sorted(set(world.taken) - wanted - late)]


def _windows(world: World, reference: Driver) -> list[str]:
    """Final results and what was revised after them, added up; how much came late is the scheduler's."""
    reference.advance(END)
    wanted = _table(window.value for window in reference.log[SLA_WINDOW])
    found = _table(_window(record.value or b"") for part in range(PARTITIONS) for record in world.log[SLA_WINDOW, part])
    several = [f"window {cell} has {line.finals} final results" for cell, line in found.items() if line.finals > 1]
    differing = (cell for cell in sorted(wanted.keys() | found.keys()) if _sums(found, cell) != _sums(wanted, cell))
    return several + [f"window {cell}: {_sums(found, cell)}, not {_sums(wanted, cell)}" for cell in differing]


def _table(windows: Iterable[Any]) -> dict[Cell, Line]:
    return fold(window for window in windows if window.end_at <= HORIZON)


def _sums(table: dict[Cell, Line], cell: Cell) -> tuple[dict[Any, int], dict[int, int], int, int, int]:
    line = table.get(cell, Line())
    counts = {measure: count for measure, count in line.counts.items() if count}
    histogram = {index: count for index, count in line.histogram.items() if count}
    return counts, histogram, line.disposals, line.disposal_ms, line.open_change


def _states(world: World) -> list[str]:
    """Each lane's states are its partition folded from the beginning, one record at a time."""
    found = []
    for lane in world.lanes:
        fresh: dict[bytes, bytes] = {}
        for record in world.log[lane.topic, lane.partition]:
            for key, state in lane.fold(lane.partition, [record], fresh.get, 0).changes:
                if state is None:
                    fresh.pop(key, None)
                else:
                    fresh[key] = state
        if fresh != lane.states:
            found.append(f"{lane.topic}/{lane.partition}: states are not those of a fresh fold")
    return found
