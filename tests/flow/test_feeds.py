"""A department's own systems read its feed and nothing else: it must tell of every case its offices get."""

from collections import Counter

from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation
from agents.simulate.playback import Playback
from schemas import events as e
from schemas.assignments import DepartmentAssigned
from schemas.registry import department_feed
from schemas.topics import CASE_EVENTS
from streams.driver import Written
from streams.profiles.load import departments, profile
from streams.topology import STAGES

STEPS = {
    e.CaseRouted: "registered",
    e.CaseTransferred: "transferred",
    e.CaseEscalated: "escalated",
    e.EscalationWithdrawn: "withdrawn",
}


def test_every_change_of_owner_is_on_the_feed_of_the_department_that_has_it() -> None:
    decided, fed = Counter(), Counter()
    feeds = set(map(department_feed, departments()))

    def tell(topic: str, written: Written) -> None:
        fact = written.value
        if topic == CASE_EVENTS and type(fact) in STEPS:
            owner = (fact.level, fact.office, fact.due_at)
            decided[department_feed(fact.department), STEPS[type(fact)], fact.case, fact.seq, *owner] += 1
        elif topic in feeds:
            fed[topic, fact.step, fact.case, fact.seq, fact.level, fact.office, fact.due_at] += 1
            assert (fact.text is not None) == (fact.step == "registered")
            assert written.key == fact.case

    simulation = Simulation(profile("up-1076"), 3, scale=0.02)
    playback = Playback(STAGES, Door(stand_in_identity()), simulation.truth.start_at, tell)
    for line in simulation:
        playback.play(line)
    playback.finish(simulation.truth.end_at)
    assert {step for _, step, *_ in decided} == set(STEPS.values())
    assert fed == decided
    assert set(fed.values()) == {1}


def test_a_restricted_case_says_on_every_feed_who_may_see_it() -> None:
    system, seen = profile("mp-181"), Counter()

    def tell(_: str, written: Written) -> None:
        told = written.value
        if isinstance(told, DepartmentAssigned | e.EscalationRaised | e.EscalationSentUp):
            rule = system.restriction(told.department, told.category)
            marks = (None, ()) if rule is None else (rule[0], rule[1].roles)
            assert (told.restricted, told.visible_to) == marks
            seen[type(told), rule is None] += 1

    simulation = Simulation(system, 3, scale=0.01)
    playback = Playback(STAGES, Door(stand_in_identity()), simulation.truth.start_at, tell)
    for line in simulation:
        playback.play(line)
    playback.finish(simulation.truth.end_at)
    kinds = (DepartmentAssigned, e.EscalationRaised)
    assert {(kind, free) for kind in kinds for free in (True, False)} <= set(seen)
