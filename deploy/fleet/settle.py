"""Knowing that nothing is left to do: every record read, folded and committed, every wake that is due fired."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.positions import offsets
from deploy.fleet.service import FleetError

TIMEOUT_S: Final = 20.0


class NotAnsweredError(FleetError):
    """Kafka did not answer this time: a partition has no leader for a moment, or the broker is too busy."""


def ends(admin: AdminClient, topics: Mapping[str, int]) -> dict[str, int]:
    """The next offset to be written of every partition, named as a worker's `/quiesced` names it.

    Raises NotAnsweredError.
    """
    places = [(topic, partition) for topic, partitions in topics.items() for partition in range(partitions)]
    try:
        found = offsets(admin, places, OffsetSpec.latest(), TIMEOUT_S)
    except (KafkaException, TimeoutError) as error:
        raise NotAnsweredError(f"Kafka did not say where its partitions end: {error}") from error
    return {f"{topic}-{partition}": end for (topic, partition), end in found.items()}


def unsettled(answers: Sequence[Any], before: Mapping[str, int], clock: int | None, settled: int | None) -> str:
    """What is still to be done, in words; empty when nothing is.

    `answers` are the workers' `/quiesced`, taken after the `before` offsets were; `clock` is the simulated instant
    (UTC ms) they must have reached, None with wall time; `settled` that of those who wait for the world outside.
    """
    for answer in answers:
        if answer is None or not answer["ready"]:
            return "a worker is not ready"
        if answer["pending_wakes"] or answer["in_flight"]:
            return f"{answer['role']} has {answer['in_flight']} slices and {answer['pending_wakes']} wakes in hand"
        due = settled if answer["waits_outside"] else clock
        if due is not None and answer["clock"] is not None and answer["clock"] < due:
            return f"{answer['role']} has not reached the instant {due}"
    reached = positions(answers)
    behind = {place: end - reached.get(place, 0) for place, end in before.items() if reached.get(place, 0) < end}
    return f"not yet read: {dict(sorted(behind.items())[:4])}" if behind else ""


def positions(answers: Iterable[Any]) -> dict[str, int]:
    """How far each partition is read, folded and committed, by whichever worker has it."""
    reached: dict[str, int] = {}
    for answer in answers:
        for place, offset in (answer or {}).get("positions", {}).items():
            reached[place] = max(reached.get(place, -1), offset)
    return reached
