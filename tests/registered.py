"""What a story expects of the registers and the district's board: read from a fold of the facts it wrote, in memory."""

import asyncio
import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from agents.audit.board import Shadow, ShadowSource
from agents.audit.log import Entry
from agents.cli.review import Asked
from agents.readmodel.district import read_board
from agents.readmodel.packs import gather
from agents.readmodel.review import Registers
from schemas import topics as t
from streams.calendar import day_key, month_key
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS
from streams.review.material import Audience, Material, Scope, ranked
from streams.review.pack import document
from streams.review.render import tables
from tests.story import Seen, Story, offset

MONTHS: Final = 16
"""Of a story, from its start: the longest goes on for more than a year."""


def register_problems(story: Story, seen: Seen) -> list[str]:
    """How the registers differ from the story's `[[register]]` tables."""
    return list(asyncio.run(_problems(story, seen)))


async def _problems(story: Story, seen: Seen) -> list[str]:
    found: list[str] = []
    folded = Shadow()
    for number, (case, events) in enumerate(seen.events.items()):
        entries = [
            Entry(t.CASE_EVENTS, number, place, event["at"], case.encode(), msgspec.json.encode(event), ())
            for place, event in enumerate(events)
        ]
        if entries:
            folded.take(entries)
    if seen.windows:
        folded.take([
            Entry(t.SLA_WINDOW, 0, place, at, key.encode(), window, tuple)
            for place, (key, at, window) in enumerate(seen.windows)
        ])  # fmt: skip
    for expected in story.raw.get("register", ()):
        got = await READERS[expected["name"]](story, ShadowSource(folded), expected)
        wanted = [_wanted(story, line) for line in expected["lines"]]
        shown = [_shown(line, want) for line, want in zip(got, wanted, strict=False)]
        if len(got) != len(wanted) or shown != wanted:
            found.append(f"register {expected['name']}: {got}, expected {wanted}")
    return found


def _wanted(story: Story, line: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(story, key, value) for key, value in line.items()}


def _plain(story: Story, key: str, value: Any) -> Any:
    if key == "case":
        return story.case(value)
    return story.start + offset(value) if key in ("at", "since") or key.endswith("_at") else value


def _shown(line: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: line.get(key) for key in wanted}


def _registers(story: Story, source: ShadowSource) -> Registers:
    profile = profiles()[story.raw["system"]]
    return Registers(source, profile.system, profile.zone)


def _months(story: Story) -> Iterator[str]:
    zone = profiles()[story.raw["system"]].zone
    yield from dict.fromkeys(month_key(story.start + number * 27 * DAY_MS, zone) for number in range(MONTHS))


async def _pending(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    at = story.start + offset(expected["at"])
    stays = await _registers(story, source).stays(expected["district"], at)
    lines = []
    for stay in stays:
        reason = stay.reason_at(at)
        line = msgspec.to_builtins(stay)
        lines.append({**line, "reason": reason.reason if reason else "", "age_days": (at - stay.since) // DAY_MS,
                      "seen": stay.seen_at is not None and stay.seen_at < at})  # fmt: skip
    return lines


async def _dissatisfied(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    registers = _registers(story, source)
    lines = [line for month in _months(story) for line in await registers.dissatisfied(expected["district"], month)]
    return [
        {**msgspec.to_builtins(line), "recording": f"{line.recording.store}/{line.recording.ref}"} for line in lines
    ]


async def _defaulters(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    registers, zone = _registers(story, source), profiles()[story.raw["system"]].zone
    lines = [line for month in _months(story) for line in await registers.defaulters(expected["district"], month)]
    return [{**msgspec.to_builtins(line), "day": day_key(line.due_at, zone)} for line in lines]


async def _board(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    """As it stands at the story's end: what is fresh is not asked for the past."""
    board = await read_board(source, story.raw["system"], expected["district"], story.end)
    return [msgspec.to_builtins(row) for row in board.rows]


async def _sample(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    profile = profiles()[story.raw["system"]]
    asked = Asked(
        profile, expected["district"], expected["month"], expected["as_of"], expected["for"], expected.get("days", 3)
    )
    drawn = await asked.draw(source, expected["seed"], expected["size"])
    return [msgspec.to_builtins(stay) for stay in drawn.stays]


async def _material(story: Story, source: ShadowSource, expected: dict[str, Any]) -> Material:
    profile, district = profiles()[story.raw["system"]], expected.get("district")
    audience: Audience = "cm" if district is None else "dm"
    return await gather(source, profile, audience, Scope(district), expected["month"], expected["as_of"])


async def _ranking(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    """The districts that have a rank, best first."""
    units = ranked(await _material(story, source, expected), "district")
    return [
        {"rank": each.rank, "district": int(each.unit), "marks": each.score.total, "grade": each.score.grade}
        for each in units
        if each.rank is not None
    ]


async def _pack(story: Story, source: ShadowSource, expected: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one table of the pack, as its CSV has them in English."""
    found = document(await _material(story, source, expected), "en")
    return list(csv.DictReader(io.StringIO(tables(found, "pack")[f"pack.{expected['table']}.csv"])))


READERS: Final[dict[str, Callable[..., Any]]] = {
    "pending": _pending, "dissatisfied": _dissatisfied, "defaulters": _defaulters, "board": _board,
    "sample": _sample, "ranking": _ranking, "pack": _pack,
}  # fmt: skip
"""Registers by the name a story calls them."""
