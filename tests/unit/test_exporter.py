"""What the exporter shows of the read model, and that it shows nothing of what it cannot know."""

from typing import Any

from agents.exporter import helpline
from agents.readmodel.reader import Pendency
from agents.telemetry import catalogue as c
from agents.telemetry.families import OTHER, Snapshot
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS
from streams.review.live import AGES_DAYS

NOW = 1786996800000
"""17 August 2026, 20:00 UTC: in India the 18th has begun."""
SYSTEM = "up-1076"


class ReadModel:
    """Two units and some counters of one system, nothing of the others."""

    async def pendency(self, system: str, now: int) -> list[Pendency]:
        if system != SYSTEM:
            return []
        return [
            Pendency(159, "water", 1, 6, now - 40 * DAY_MS, (3, 0, 0, 2, 0, 1)),
            Pendency(160, "water", 1, 2, now - 1000, (2, 0, 0, 0, 0, 0)),
            Pendency(159, "energy", 2, 1, now - 5 * DAY_MS, (0, 0, 1, 0, 0, 0)),
        ]

    async def totals(self, system: str) -> dict[str, int]:
        counters = {"registered": 9, "channel:call": 7, "escalated:time-out": 2, "satisfied": 4, "calls:unreachable": 3,
                    "closed:satisfied": 4, "sms:accepted": 11, "rejected:unknown-case": 1, "open:1": 8,
                    "intake-rejected:unknown-district": 5, "sms:9876543210": 1,
                    "intake-repeated": 2}  # fmt: skip
        return counters if system == SYSTEM else {}

    async def present(self, system: str, day: str) -> int:
        return 12 if (system, day) == (SYSTEM, "2026-08-18") else 0

    async def defaulters(self, system: str, day: str) -> list[tuple[str, int]]:
        in_india = profiles()[system].zone == "Asia/Kolkata"
        assert day == ("2026-08-18" if in_india else "2026-08-17"), "the day is the system's own"
        return [("109763405948883359", NOW)] if system == SYSTEM else []


async def shown() -> dict[tuple[str, ...], float]:
    snapshot, model = Snapshot(), ReadModel()
    reader: Any = model
    await helpline.look(reader, snapshot, NOW)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in snapshot.collect()
        for sample in family.samples
    }


async def test_cases_are_counted_by_level_and_age_and_by_district() -> None:
    found = await shown()
    opened = {labels: value for labels, value in found.items() if labels[0] == c.OPEN_CASES.name and value}
    assert opened == {
        (c.OPEN_CASES.name, f"0-{AGES_DAYS[0]}d", "water", "1", SYSTEM): 5,
        (c.OPEN_CASES.name, "7-15d", "water", "1", SYSTEM): 2,
        (c.OPEN_CASES.name, "over-30d", "water", "1", SYSTEM): 1,
        (c.OPEN_CASES.name, "3-7d", "energy", "2", SYSTEM): 1,
    }
    assert found[c.OPEN_DISTRICT.name, "water", "159", SYSTEM] == 6
    assert found[c.OLDEST_CASE.name, "1", SYSTEM] == 40 * 86_400
    assert found[c.DEFAULTERS.name, SYSTEM] == 1
    assert found[c.PRESENT.name, SYSTEM] == 12
    assert {labels[-1] for labels in found if labels[0] == c.DEFAULTERS.name} == set(profiles())


async def test_every_counter_is_on_the_metric_it_belongs_to_and_a_number_on_none() -> None:
    found = await shown()
    assert found[c.CASES.name, "registered", SYSTEM] == 9
    assert found[c.CASES_BY_CHANNEL.name, "call", SYSTEM] == 7
    assert found[c.ESCALATIONS.name, "time-out", SYSTEM] == 2
    assert found[c.FEEDBACK.name, "satisfied", SYSTEM] == 4
    assert found[c.FEEDBACK.name, "unreachable", SYSTEM] == 3
    assert found[c.CLOSED.name, "satisfied", SYSTEM] == 4
    assert found[c.SMS.name, "accepted", SYSTEM] == 11
    assert found[c.SMS.name, OTHER, SYSTEM] == 1
    assert found[c.COMMANDS_REJECTED.name, "unknown-case", SYSTEM] == 1
    assert found[c.REJECTED.name, "unknown-district", SYSTEM] == 5
    assert found[c.REJECTED.name, "repeated", SYSTEM] == 2
    assert not any("9876543210" in labels for labels in found)


async def test_what_is_away_is_shown_no_more() -> None:
    snapshot, reader = Snapshot(), ReadModel()
    await helpline.look(reader, snapshot, NOW)  # type: ignore[arg-type]
    snapshot.forget(helpline.METRICS)
    assert list(snapshot.collect()) == []
