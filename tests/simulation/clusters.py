"""Clusters, whatever the order of cases: which of two is suggested depends on it, that one of them is does not."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from schemas.clusters import ClusterSighting, ClusterSuggested
from streams.cluster.stage import cluster_key
from streams.profiles.load import profile


def problems(
    sighted: Iterable[ClusterSighting], wanted: dict[str, ClusterSighting], suggested: Iterable[ClusterSuggested]
) -> list[str]:
    """What is not as the cases themselves say, recounted pair by pair."""
    seen = list(sighted)
    found = [f"{each.case} is sighted otherwise" for each in seen if wanted.get(each.case) != each]
    times = Counter(each.case for each in seen)
    found += [f"{case} is sighted {times[case]} times" for case in wanted if times[case] != 1]
    pairs = {frozenset((one.case, other.case)) for one, other in combinations(wanted.values(), 2) if _near(one, other)}
    told: Counter[str] = Counter()
    for each in suggested:
        told[each.case] += 1
        if frozenset((each.cluster, each.case)) not in pairs:
            found.append(f"{each.case} is suggested with {each.cluster}, which is not near it")
    found += [f"{case} is suggested {count} times" for case, count in told.items() if count > 1]
    return found + [f"none of {sorted(pair)} is suggested" for pair in pairs if not any(told[case] for case in pair)]


def _near(one: ClusterSighting, other: ClusterSighting) -> bool:
    """Of one place and matter, of different citizens, within the window."""
    same = cluster_key(one.system, one.category, one.place) == cluster_key(other.system, other.category, other.place)
    window = profile(one.system).intake.cluster_ms
    return same and one.citizen != other.citizen and abs(one.at - other.at) <= window
