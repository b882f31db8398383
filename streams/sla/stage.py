"""The SLA stage: facts of a unit in, one final result per window out, and differences for what comes late."""

from typing import Final

from schemas.base import Wake
from schemas.sla import SlaFact, SlaInput, SlaWindow
from schemas.topics import SLA_FACTS, SLA_WINDOW
from streams.calendar import EARLIEST, LATEST
from streams.profiles.load import profiles
from streams.sla.windows import Windows, closed, empty, published, told, unit_key
from streams.stage import Origin, Output, Refused, Stage, Step


def step(state: Windows | None, record: SlaFact | Wake, origin: Origin) -> Step[Windows]:
    """Count a fact, or close what is over."""
    match record:
        case SlaFact():
            return _counted(state, record, origin)
        case Wake():
            return _woken(state, record)


def _counted(state: Windows | None, fact: SlaFact, origin: Origin) -> Step[Windows]:
    profile = profiles().get(fact.system)
    if profile is None:
        return Step(state, [], Refused("unknown-system", "system: no profile of that name"))
    if not EARLIEST <= fact.at < LATEST:
        return Step(state, [], Refused("out-of-range", "at: lies outside the years 1971 to 8999"))
    windows, late = told(state or empty(fact), fact, profile.zone)
    changes = [published(windows, grain, tally, final=False, at=origin.at) for grain, tally in late]
    return Step(windows, [_output(change, fact.at) for change in changes])


def _woken(state: Windows | None, wake: Wake) -> Step[Windows]:
    if state is None or wake.now_at < (wake_at(state) or LATEST):
        return Step(state, [])
    profile = profiles()[state.system]
    windows, over = closed(state, wake.now_at - profile.windows.lateness_ms, profile.zone)
    results = [published(windows, grain, tally, final=True, at=wake.now_at) for grain, tally in over]
    return Step(windows, [_output(result, wake.now_at) for result in results])


def _output(window: SlaWindow, at: int) -> Output:
    return Output(SLA_WINDOW, unit_key(window), window, at)


def wake_at(state: Windows) -> int | None:
    """When the first open window ends and its allowed lateness is over."""
    end = state.first_end()
    return None if end is None else end + profiles()[state.system].windows.lateness_ms


SLA: Final[Stage[Windows]] = Stage(
    name="sla",
    reads=SLA_FACTS,
    writes=(SLA_WINDOW,),
    records=SlaInput,
    state=Windows,
    step=step,
    wake_at=wake_at,
)
