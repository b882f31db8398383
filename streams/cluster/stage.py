"""The cluster stage: remembers what was registered about one place and category, and suggests what belongs together."""

from bisect import insort
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from schemas.base import Place, Wake
from schemas.clusters import ClusterInput, ClusterSighting, ClusterSuggested
from schemas.topics import CLUSTER_SIGHTED, CLUSTER_SUGGESTED
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.stage import Origin, Output, Refused, Stage, Step

MOST: Final = 200
"""Cases remembered per place and category; the latest stand for what goes on (default)."""
Book = Callable[[], Mapping[str, Profile]]


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """One case of the place and category."""

    case: str
    citizen: str
    at: int


class Cluster(Struct, frozen=True, array_like=True, gc=False):
    """What was registered within the window, in order of event time."""

    system: str
    seen: tuple[Seen, ...]


def cluster_key(system: str, category: str, place: Place) -> str:
    units = ",".join(f"{kind}={code}" for kind, code in sorted(place.units.items()))
    return f"{system}|{place.district}|{units}|{category}"


def step(book: Book, state: Cluster | None, record: ClusterSighting | Wake, origin: Origin) -> Step[Cluster]:
    """Fold a sighting; with cases of other citizens within the window it is suggested as one of a cluster."""
    match record:
        case Wake():
            return _woken(book, state, record)
        case ClusterSighting():
            return _sighted(book, state, record, origin)


def _sighted(book: Book, state: Cluster | None, sighting: ClusterSighting, origin: Origin) -> Step[Cluster]:
    profile = book().get(sighting.system)
    if profile is None:
        return Step(state, [], Refused("unknown-system", "system: no profile of that name"))
    window = profile.at(sighting.at).intake.cluster_ms
    seen = () if state is None else state.seen
    if not window or any(each.case == sighting.case for each in seen):
        return Step(state, [])
    near = [each for each in seen if abs(sighting.at - each.at) <= window]
    after = list(seen)
    insort(after, Seen(sighting.case, sighting.citizen, sighting.at), key=_order)
    cluster = Cluster(sighting.system, tuple(after[-MOST:]))
    if all(each.citizen == sighting.citizen for each in near):
        return Step(cluster, [])
    suggested = ClusterSuggested(
        cluster=near[0].case,
        case=sighting.case,
        system=sighting.system,
        category=sighting.category,
        place=sighting.place,
        at=sighting.at,
        cases=len(near) + 1,
        citizens=len({sighting.citizen, *(each.citizen for each in near)}),
        cause=origin.id,
    )
    key = cluster_key(sighting.system, sighting.category, sighting.place)
    return Step(cluster, [Output(CLUSTER_SUGGESTED, key, suggested, sighting.at)])


def _order(seen: Seen) -> tuple[int, str]:
    return seen.at, seen.case


def _woken(book: Book, state: Cluster | None, wake: Wake) -> Step[Cluster]:
    """Forget the place when it has been quiet for the window; a stale or repeated wake changes nothing."""
    if state is None or forget_at(book, state) != wake.due_at:
        return Step(state, [])
    return Step(None, [])


def forget_at(book: Book, state: Cluster) -> int:
    """When the latest of them, told with the most allowed lateness, can be near nothing more."""
    last, profile = state.seen[-1].at, book()[state.system]
    rule = profile.at(last).intake
    return last + rule.cluster_ms + rule.lateness_ms


def stage(book: Book = profiles) -> Stage[Cluster]:
    """The stage over these systems (those shipped, unless told otherwise)."""
    return Stage(
        name="cluster",
        reads=CLUSTER_SIGHTED,
        writes=(CLUSTER_SUGGESTED,),
        records=ClusterInput,
        state=Cluster,
        step=partial(step, book),
        wake_at=partial(forget_at, book),
    )


CLUSTER: Final = stage()
