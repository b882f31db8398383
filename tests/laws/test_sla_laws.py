"""Laws of SLA windows: in any order of facts, however often time is told, nothing is lost or counted twice."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Record, Wake
from schemas.sla import Grain, SlaFact, SlaWindow
from schemas.topics import SLA_FACTS, SLA_WINDOW
from streams.calendar import bounds
from streams.profiles.load import profile
from streams.sla.histogram import bucket
from streams.sla.stage import SLA, wake_at
from streams.sla.windows import GRAINS, MEASURES, PENDENCY, Windows, unit_key
from streams.stage import Origin

START = 1_772_000_000_000
ZONE = profile("up-1076").zone
LATENESS = profile("up-1076").windows.lateness_ms
SPAN = 75 * 86_400_000

facts = st.builds(
    SlaFact,
    system=st.just("up-1076"),
    district=st.just(159),
    department=st.just("revenue"),
    level=st.just(1),
    at=st.integers(min_value=START, max_value=START + SPAN),
    counts=st.dictionaries(st.sampled_from(MEASURES), st.integers(min_value=-2, max_value=5), min_size=1, max_size=4),
    disposal_ms=st.none() | st.integers(min_value=0, max_value=400 * 86_400_000),
)
wakes = st.integers(min_value=START, max_value=START + SPAN + 40 * 86_400_000).map(lambda at: Wake("unit", at, at))
histories = st.lists(st.one_of(facts, facts, wakes), max_size=40)


def run(history: list[Record]) -> tuple[Windows | None, list[SlaWindow]]:
    state: Windows | None = None
    said: list[SlaWindow] = []
    for offset, record in enumerate(history):
        state, outputs, refused = SLA.step(state, record, Origin(SLA_FACTS, 0, offset, START))
        assert refused is None
        said += [
            output.value for output in outputs if output.topic == SLA_WINDOW and isinstance(output.value, SlaWindow)
        ]
    return state, said


def to_the_end(history: list[Record]) -> tuple[Windows | None, list[SlaWindow]]:
    """The history, then time moved on until nothing is open."""
    told = list(history)
    while (state := run(told)[0]) is not None and (due := wake_at(state)) is not None:
        told.append(Wake("unit", due, due))
    return run(told)


def recount(history: list[Record]) -> Counter[tuple[Grain, int, int, str]]:
    total: Counter[tuple[Grain, int, int, str]] = Counter()
    for fact in history:
        if isinstance(fact, SlaFact):
            for grain in GRAINS:
                window = (grain, *bounds(grain, fact.at, ZONE))
                for measure, count in fact.counts.items():
                    total[*window, measure] += count
                    total[*window, "open"] += PENDENCY.get(measure, 0) * count
                if fact.disposal_ms is not None and (times := fact.counts.get("disposed", 0)):
                    total[*window, "disposals"] += times
                    total[*window, "disposal_ms"] += times * fact.disposal_ms
                    total[*window, f"bucket {bucket(fact.disposal_ms)}"] += times
    return Counter({key: n for key, n in total.items() if n})


def summed(
    said: list[SlaWindow], keep: Callable[[SlaWindow], bool] = lambda _: True
) -> Counter[tuple[Grain, int, int, str]]:
    total: Counter[tuple[Grain, int, int, str]] = Counter()
    for each in filter(keep, said):
        window = (each.grain, each.start_at, each.end_at)
        for measure, count in each.counts.items():
            total[*window, measure] += count
        for index, count in each.histogram.items():
            total[*window, f"bucket {index}"] += count
        total[*window, "open"] += each.open_change
        total[*window, "disposals"] += each.disposals
        total[*window, "disposal_ms"] += each.disposal_ms
    return Counter({key: n for key, n in total.items() if n})


@given(histories)
def test_final_and_revised_together_are_the_recount(history: list[Record]):
    assert summed(to_the_end(history)[1]) == recount(history)


@given(histories)
def test_a_window_is_final_once_and_never_before_its_allowed_lateness_is_over(history: list[Record]):
    finals = [(each.grain, each.start_at) for each in to_the_end(history)[1] if each.result == "final"]
    assert len(finals) == len(set(finals))
    assert all(each.at >= each.end_at + LATENESS for each in to_the_end(history)[1] if each.result == "final")


@given(histories)
def test_a_difference_is_only_told_of_a_window_that_is_over(history: list[Record]):
    latest, state = 0, None
    for offset, record in enumerate(history):
        latest = max(latest, record.now_at) if isinstance(record, Wake) else latest
        state, outputs, _ = SLA.step(state, record, Origin(SLA_FACTS, 0, offset, START))
        revised = [
            each.value for each in outputs if isinstance(each.value, SlaWindow) and each.value.result == "revised"
        ]
        assert all(each.end_at + LATENESS <= latest for each in revised)


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_records_is_irrelevant_to_the_sums(history: list[Record], random):
    shuffled = list(history)
    random.shuffle(shuffled)
    assert summed(to_the_end(shuffled)[1]) == summed(to_the_end(history)[1])


@given(histories)
def test_repeated_wakes_change_nothing(history: list[Record]):
    repeated = [record for each in history for record in ([each, each] if isinstance(each, Wake) else [each])]
    (state, said), (again, same) = run(history), run(repeated)
    assert again == state
    assert [(each.grain, each.start_at, each.result, each.counts) for each in same] == [
        (each.grain, each.start_at, each.result, each.counts) for each in said
    ]


@given(histories, st.integers(min_value=0, max_value=40))
def test_a_replay_from_any_saved_state_says_the_same(history: list[Record], cut: int):
    state, said = run(history[:cut])
    for offset, record in enumerate(history[cut:], start=len(history[:cut])):
        state, outputs, _ = SLA.step(state, record, Origin(SLA_FACTS, 0, offset, START))
        said += [output.value for output in outputs if isinstance(output.value, SlaWindow)]
    assert (state, said) == run(history)


@given(histories)
def test_nothing_open_lies_wholly_in_the_closed_past(history: list[Record]):
    state, _ = run(history)
    if state is not None:
        assert all(tally.end_at > state.closed_at for grain in GRAINS for tally in state.of(grain).values())


@given(facts)
def test_the_key_names_the_unit(fact: SlaFact):
    assert unit_key(fact) == "up-1076|159|revenue|1"
