"""The reconciliation finds nothing in an honest log, and names what is wrong in a log that was tampered with."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agents.audit.kept import Kept
from agents.audit.log import Entry
from agents.audit.memory import MemoryLog
from agents.audit.messages import check as check_messages
from agents.audit.report import Result
from agents.audit.run import CHECKS, GROUPS, audit
from agents.audit.stages import Recomputation
from agents.audit.truths import compared, tallied
from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation
from agents.simulate.playback import Playback
from agents.simulate.truth import differences
from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.base import Wake
from schemas.codec import decoder, encode
from schemas.registry import dead_letters
from schemas.sla import SlaWindow
from schemas.sms import SmsHandover
from streams.case.stage import CASE
from streams.profiles.load import profile
from streams.topology import STAGES

decode_event = decoder(e.Event)
decode_window = decoder(SlaWindow)


class Tampered:
    """A copy of a log that can be changed, state and all."""

    def __init__(self, honest: MemoryLog) -> None:
        self._honest = honest
        self.entries = defaultdict(list, {topic: list(entries) for topic, entries in honest.entries.items()})
        self.changelogs = {stage.name: dict(honest.states(stage.name)) for stage in STAGES}
        self.folded: dict[str, Mapping[int, int]] = {}

    def read(self, *topics: str) -> Iterator[Entry]:
        return chain.from_iterable(self.entries.get(topic, ()) for topic in topics)

    def topics(self) -> frozenset[str]:
        return frozenset(self.entries)

    def done(self, stage: str) -> Mapping[int, int] | None:
        return self.folded.get(stage)

    def states(self, stage: str) -> Iterator[tuple[bytes, bytes | None]]:
        return iter(self.changelogs[stage].items())

    def now(self) -> int:
        return self._honest.now()

    def find(self, topic: str, which: Callable[[Any], bool], decode: Callable[[bytes], Any] = decode_event) -> int:
        """The place in a topic's list of the first record that is so."""
        return next(at for at, entry in enumerate(self.entries[topic]) if which(decode(entry.value or b"")))

    def remove(self, topic: str, at: int) -> Entry:
        return self.entries[topic].pop(at)

    def put(self, topic: str, at: int, value: bytes) -> None:
        self.entries[topic][at] = self.entries[topic][at]._replace(value=value)

    def append(self, topic: str, entry: Entry) -> None:
        self.entries[topic].append(entry._replace(offset=len(self.entries[topic])))


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(profile("up-1076"), 2, scale=0.03)


@pytest.fixture(scope="module")
def honest(simulation: Simulation) -> MemoryLog:
    log = MemoryLog(STAGES)
    playback = Playback(log.stages, Door(stand_in_identity()), simulation.truth.start_at, log.on_write)
    log.driver = playback.driver
    for line in simulation:
        if line.way != "wire":  # in memory nothing that cannot be decoded gets into a log
            playback.play(line)
    playback.finish(simulation.truth.end_at)
    return log


@pytest.fixture
def log(honest: MemoryLog) -> Tampered:
    return Tampered(honest)


def wrong(log: Any, *names: str) -> dict[str, Result]:
    """What does not hold, by name; only the named checks are run."""
    results = [CHECKS[name](log) for name in names]
    return {result.name: result for result in results if not result.ok}


def test_an_honest_log_holds(honest: MemoryLog) -> None:
    results = audit(honest)
    assert [result.name for result in results] == [result.name for result in results if result.ok]
    assert len(results) == len(CHECKS)
    assert all(result.figures for result in results)


def test_a_compacted_topic_may_have_lost_all_but_the_newest_of_a_key(log: Tampered) -> None:
    seen: defaultdict[bytes | None, list[Entry]] = defaultdict(list)
    for entry in log.entries[t.DIRECTORY]:
        seen[entry.key].append(entry)
    several = next(entries for entries in seen.values() if len(entries) > 1)
    log.entries[t.DIRECTORY].remove(several[0])
    assert not wrong(log, "stage offices")
    log.entries[t.DIRECTORY].remove(several[-1])
    assert "is missing" in wrong(log, "stage offices")["stage offices"].problems[0]


def test_the_ground_truth_is_found_in_the_log(honest: MemoryLog, simulation: Simulation) -> None:
    found = differences(simulation.truth.shown(), tallied(honest).shown())
    past_the_gateway = [told for told in found if " / dead " in told or " / rejected unknown-" in told]
    assert found == past_the_gateway  # these lines were left out, and that is noticed
    assert bool(found) == ("wire" in simulation.truth.lines)


def test_a_figure_that_is_not_as_planned_is_found(honest: MemoryLog, simulation: Simulation) -> None:
    planned = simulation.truth.closed["satisfied"]
    other = replace(simulation.truth, closed=simulation.truth.closed | {"satisfied": planned + 1})
    assert f"closed / satisfied: {planned}, not {planned + 1}" in compared(honest, other).problems


def test_a_record_written_by_hand_is_found(log: Tampered) -> None:
    log.append(t.CASE_EVENTS, log.entries[t.CASE_EVENTS][5]._replace(told=tuple))
    found = wrong(log, "stage case")["stage case"]
    assert found.wrong == 1
    assert "written by a stranger" in found.problems[0]


def test_a_record_that_is_there_twice_is_found(log: Tampered) -> None:
    log.append(t.ESCALATION_RAISED, log.entries[t.ESCALATION_RAISED][0])
    found = wrong(log, "stage case")["stage case"]
    assert found.wrong == 1
    assert "twice" in found.problems[0]


def test_a_lost_record_is_found(log: Tampered) -> None:
    lost = log.remove(t.SMS_DELIVERY, 7)
    found = wrong(log, "stage sms")["stage sms"]
    assert found.wrong == 1
    assert "is missing" in found.problems[0]
    topic, partition, offset, _ = dict(lost.headers)["ce_id"].decode().rsplit("-", 3)
    assert f"{topic}/{partition}/{offset}" in found.problems[0]


def test_a_changed_record_is_found(log: Tampered) -> None:
    at = log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.CaseDisposed))
    fact = decode_event(log.entries[t.CASE_EVENTS][at].value or b"")
    log.put(t.CASE_EVENTS, at, encode(replace(fact, remarks="बदला गया")))
    found = wrong(log, "stage case")["stage case"]
    assert found.wrong == 1
    assert "not what" in found.problems[0]


def test_a_changed_a_missing_and_an_unknown_state_are_found(log: Tampered) -> None:
    states = log.changelogs["case"]
    first, second, *_ = states
    states[first] = states.pop(second)
    states[b"100000000000000000"] = states[first]
    problems = wrong(log, "stage case")["stage case"].problems
    assert any("not as a fresh fold" in problem for problem in problems)
    assert any("not in the changelog" in problem for problem in problems)
    assert any("not in a fresh fold" in problem for problem in problems)


def test_a_submission_without_an_answer_is_found(log: Tampered) -> None:
    log.remove(t.INTAKE_REJECTED, 0)
    found = wrong(log, "submissions")["submissions"]
    assert found.wrong == 1
    assert "0 answers, not 1" in found.problems[0]


def test_r02_a_channel_that_does_not_reconcile_is_named(log: Tampered) -> None:
    at = log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.CaseRegistered) and fact.channel == "call")
    fact = decode_event(log.entries[t.CASE_EVENTS][at].value or b"")
    log.put(t.CASE_EVENTS, at, encode(replace(fact, channel="email")))
    problems = wrong(log, "commands")["commands"].problems
    assert {problem.split(":")[0] for problem in problems} == {"by call", "by email"}


def test_r02_a_case_of_another_channel_than_its_submission_is_found(log: Tampered) -> None:
    decode = decoder(c.CaseCommand)
    at = log.find(t.CASE_COMMANDS, lambda command: isinstance(command, c.Register), decode)
    command = decode(log.entries[t.CASE_COMMANDS][at].value or b"")
    log.put(t.CASE_COMMANDS, at, encode(replace(command, channel="email")))
    assert f"channel email, submitted by {command.channel}" in wrong(log, "submissions")["submissions"].problems[0]


def test_a_command_without_an_answer_is_found(log: Tampered) -> None:
    log.remove(t.CASE_EVENTS, log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.CaseViewed)))
    found = wrong(log, "commands")["commands"]
    assert found.wrong == 1
    assert "1 commands without answers" in found.problems[0]


def defaulter(log: Tampered) -> tuple[int, e.BecameDefaulter]:
    at = log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.BecameDefaulter))
    return at, decode_event(log.entries[t.CASE_EVENTS][at].value or b"")


def last_of(log: Tampered, case: str) -> Any:
    facts = (decode_event(entry.value or b"") for entry in log.entries[t.CASE_EVENTS])
    return [fact for fact in facts if fact.case == case][-1]


def test_a_due_instant_that_fires_twice_is_found(log: Tampered) -> None:
    at, fact = defaulter(log)
    again = replace(fact, seq=last_of(log, fact.case).seq + 1)
    log.append(t.CASE_EVENTS, log.entries[t.CASE_EVENTS][at]._replace(value=encode(again)))
    found = wrong(log, "due instants")["due instants"]
    assert any(f"case {fact.case}" in problem and "a time-out at" in problem for problem in found.problems)


def test_a_due_instant_of_a_closed_case_is_found(log: Tampered) -> None:
    at, fact = defaulter(log)
    closed = next(
        fact
        for fact in (decode_event(entry.value or b"") for entry in reversed(log.entries[t.CASE_EVENTS]))
        if isinstance(fact, e.CaseClosed) and last_of(log, fact.case) == fact
    )
    late = replace(fact, case=closed.case, seq=closed.seq + 1, at=closed.at + 1, due_at=closed.at + 1)
    log.append(t.CASE_EVENTS, log.entries[t.CASE_EVENTS][at]._replace(value=encode(late)))
    found = wrong(log, "due instants")["due instants"]
    assert any(closed.case in problem and "clock stands at None" in problem for problem in found.problems)


def test_a_due_instant_that_never_fires_is_found(log: Tampered) -> None:
    """The case has no facts from its due instant on, as if it had been forgotten."""
    _, fact = defaulter(log)
    log.entries[t.CASE_EVENTS] = [
        entry
        for entry in log.entries[t.CASE_EVENTS]
        if (each := decode_event(entry.value or b"")).case != fact.case or each.seq < fact.seq
    ]
    found = wrong(log, "due instants")["due instants"]
    assert found.problems == (f"case {fact.case}: its due instant {fact.due_at} has passed and did not fire",)


def test_a_gap_in_a_cases_order_is_found(log: Tampered) -> None:
    log.remove(t.CASE_EVENTS, log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.NoteAdded)))
    assert "sequence number" in wrong(log, "due instants")["due instants"].problems[0]


def test_a_transfer_that_moves_the_clock_is_found(log: Tampered) -> None:
    at = log.find(t.CASE_EVENTS, lambda fact: isinstance(fact, e.CaseTransferred))
    fact = decode_event(log.entries[t.CASE_EVENTS][at].value or b"")
    log.put(t.CASE_EVENTS, at, encode(replace(fact, due_at=(fact.due_at or 0) + 1)))
    assert "a transfer moved its due instant" in wrong(log, "due instants")["due instants"].problems[0]


def test_an_sms_handed_over_twice_in_one_attempt_is_found(log: Tampered) -> None:
    log.append(t.SMS_OUTBOX, log.entries[t.SMS_OUTBOX][3])
    problems = wrong(log, "SMS")["SMS"].problems
    assert any("handover 1 where 2 was next" in problem for problem in problems)


def test_an_sms_nobody_requested_is_found(log: Tampered) -> None:
    entry = log.entries[t.SMS_OUTBOX][0]
    handover = decoder(SmsHandover)(entry.value or b"")
    stray = replace(handover, request=replace(handover.request, id="of-nobody"))
    log.append(t.SMS_OUTBOX, entry._replace(value=encode(stray)))
    assert "nobody requested" in wrong(log, "SMS")["SMS"].problems[0]


def accepted(log: Tampered) -> list[str]:
    return [entry.key.decode() for entry in log.entries[t.SMS_OUTBOX] if entry.key is not None]


def test_the_gateways_ledger_holds_each_sms_once(log: Tampered) -> None:
    assert check_messages(log, sorted(set(accepted(log)))).ok


def test_a_delivery_twice_and_one_that_is_missing_in_the_ledger_are_found(log: Tampered) -> None:
    first, *others = sorted(set(accepted(log)))
    found = check_messages(log, [others[0], *others])
    assert f"SMS {others[0]}: 2 times in the gateway's ledger" in found.problems
    assert f"SMS {first}: accepted, and not in the gateway's ledger" in found.problems


@pytest.mark.parametrize("check", ["windows from units", "windows from cases"])
def test_a_window_that_is_off_by_one_is_found(check: str, log: Tampered) -> None:
    at = log.find(t.SLA_WINDOW, lambda window: "received" in window.counts, decode_window)
    window = decode_window(log.entries[t.SLA_WINDOW][at].value or b"")
    counts = {**window.counts, "received": window.counts["received"] + 1}
    log.put(t.SLA_WINDOW, at, encode(replace(window, counts=counts)))
    found = wrong(log, check)[check]
    assert found.wrong == 1
    assert f"{window.grain} from {window.start_at}: received is +1 off" in found.problems[0]


def test_a_second_final_result_of_a_window_is_found(log: Tampered) -> None:
    empty = replace(decode_window(log.entries[t.SLA_WINDOW][0].value or b""), counts={}, disposals=0, disposal_ms=0)
    log.append(t.SLA_WINDOW, log.entries[t.SLA_WINDOW][0]._replace(value=encode(replace(empty, histogram={}))))
    assert "a second final result" in wrong(log, "windows from units")["windows from units"].problems[0]


def test_input_that_no_worker_has_folded_yet_is_left_out(log: Tampered) -> None:
    """A running system: the audit compares what had been folded when it began."""
    half = len(log.entries[t.CASE_COMMANDS]) // 2
    log.folded["case"] = {0: half}
    found = CHECKS["stage case"](log)
    assert found.ok, found.problems
    assert found.figures["not folded yet"] == len(log.entries[t.CASE_COMMANDS]) - half
    assert CHECKS["commands"](log).ok


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (b"a", b"{", "malformed"),
        (b"a", None, "malformed"),
        (None, b"{}", "malformed"),
        (b"a", b'{"type": "case.dispose.v1"}', "invalid"),
        (b"\xff", encode(Wake("a", 1, 1)), "malformed"),
    ],
)
def test_what_cannot_be_decoded_must_be_a_dead_letter(key: bytes | None, value: bytes | None, error: str) -> None:
    fresh = Recomputation(CASE, None)
    fresh.take(Entry(t.CASE_COMMANDS, 0, 0, 1, key, value, tuple))
    assert fresh.dead == 1
    assert list(fresh.expected.values()) == [hash((dead_letters(t.CASE_COMMANDS), key, value, error))]
    assert fresh.states == {}


def test_results_can_be_sent_as_json(honest: MemoryLog) -> None:
    result = CHECKS["submissions"](honest)
    told = msgspec.json.decode(msgspec.json.encode(result))
    assert told["name"] == "submissions"
    assert told["wrong"] == 0


def test_every_check_belongs_to_a_group() -> None:
    assert sorted(chain(*GROUPS)) == sorted([*CHECKS, "read model", "ground truth"])


def test_a_log_that_is_kept_is_read_once_and_ends_where_it_was_when_it_was_first_read(log: Tampered) -> None:
    read: list[str] = []
    whole = log.read
    log.read = lambda *topics: read.extend(topics) or whole(*topics)  # type: ignore[method-assign,func-returns-value]
    kept = Kept(log, ["case"])
    first = list(kept.read(t.CASE_EVENTS))
    log.remove(t.CASE_EVENTS, 0)
    log.changelogs["case"].clear()
    assert list(kept.read(t.CASE_EVENTS, t.CASE_COMMANDS)) == first + log.entries[t.CASE_COMMANDS]
    assert read == [t.CASE_EVENTS, t.CASE_COMMANDS]
    assert dict(kept.states("case"))


def test_what_is_more_than_can_be_kept_is_read_anew(log: Tampered) -> None:
    kept = Kept(log, [], most=len(log.entries[t.CASE_EVENTS]))
    for topic in (t.CASE_EVENTS, t.ESCALATION_RAISED) * 2:
        assert list(kept.read(topic)) == log.entries[topic]
