"""Reads a story file, turns its steps into records, and checks a log of facts against what the story expects."""

import hashlib
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas import topics as t
from schemas.base import Place
from schemas.codec import encode
from schemas.intake import Submitted
from schemas.registry import dead_letters
from streams.calendar import day_key
from streams.ids import case_id
from streams.profiles.load import profiles

FOLDER = Path(__file__).parent / "stories"
READ = (t.CASE_EVENTS, t.CLUSTER_SUGGESTED, t.INTAKE_REJECTED, t.SMS_REQUESTED, t.OFFICER_EVENTS, t.DIRECTORY)
DEAD = tuple(dead_letters(topic) for topic in (t.CASE_COMMANDS, t.OFFICE_ACTIVITY, t.OFFICER_ACTIVITY))
UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
PART = re.compile(r"([+-]?)(\d+)(ms|d|h|m|s)")


def offset(text: str) -> int:
    """`7d-1ms` in milliseconds."""
    parts = PART.findall(text)
    if "".join(sign + number + unit for sign, number, unit in parts) != text:
        raise ValueError(f"no offset: {text!r}")
    return sum((-1 if sign == "-" else 1) * int(number) * UNITS_MS[unit] for sign, number, unit in parts)


class Input(NamedTuple):
    """A record of the story: when it happened, where it goes, its bytes."""

    at: int
    topic: str
    key: str
    value: bytes


@dataclass
class Seen:
    """What the system wrote about the story's cases."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    intake: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sms: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    dead: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    officers: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    offices: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Case -> the case that stands for the cluster it was suggested for, and how many citizens are in it."""
    windows: list[tuple[str, int, bytes]] = field(default_factory=list)
    """Published windows: key, when, and the record; of the whole story."""
    counts: Counter[str] = field(default_factory=Counter)
    """What the SLA facts add up to, over all units."""

    def add(self, topic: str, key: str, value: bytes) -> None:
        """Note a record, wherever it was written."""
        if topic == t.CASE_EVENTS:
            self.events[key].append(msgspec.json.decode(value))
        elif topic == t.INTAKE_REJECTED:
            outcome = msgspec.json.decode(value)
            self.intake[key].append(outcome.get("reason", outcome["type"]))
        elif topic == t.SMS_REQUESTED:
            sms = msgspec.json.decode(value)
            if sms["type"] == "sms.requested.v1":
                self.sms[sms["case"]].append((sms["at"], f"{sms['step']} {sms['audience']}"))
        elif topic == t.OFFICER_EVENTS:
            self.officers[key].append(msgspec.json.decode(value))
        elif topic == t.DIRECTORY:
            self.offices[key] = msgspec.json.decode(value)
        elif topic == t.CLUSTER_SUGGESTED:
            suggested = msgspec.json.decode(value)
            self.clusters[suggested["case"]] = (suggested["cluster"], suggested["citizens"])
        elif topic in {t.SLA_FACTS, t.SLA_WINDOW}:
            self._add_sums(topic, key, msgspec.json.decode(value), value)
        elif topic in DEAD:
            self.dead[key] += 1

    def _add_sums(self, topic: str, key: str, told: dict[str, Any], value: bytes) -> None:
        if topic == t.SLA_FACTS:
            self.counts.update(told.get("counts", {}))
        else:
            self.windows.append((key, told["at"], value))


@dataclass(frozen=True)
class Story:
    """One story file."""

    path: Path
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def start(self) -> int:
        return int(datetime.fromisoformat(self.raw["start"]).timestamp() * 1000)

    @property
    def end(self) -> int:
        return max((each.at for each in self.inputs()), default=self.start) + offset(self.raw.get("until", "0d"))

    def again(self, number: int) -> "Story":
        """The same story of other people: other citizens, other cases; where its place is theirs too, no clusters."""
        expect = [{key: each[key] for key in each if key != "cluster"} for each in self.raw["expect"]]
        return Story(self.path.with_stem(f"{self.path.stem}-{number}"), {**self.raw, "expect": expect})

    @property
    def of_officers(self) -> bool:
        """Whether it tells of offices or officers: two copies of it would share the offices."""
        return any("office" in step or "officer" in step for step in self.raw["step"])

    def case(self, key: str) -> str:
        return case_id(profiles()[self.raw["system"]].code, "call", f"{self.name}/{key}")

    def officer(self, key: str) -> str:
        """The officer's id: his name in the story, made the story's own, because on Kafka all stories share a log."""
        return f"{hashlib.md5(self.name.encode(), usedforsecurity=False).hexdigest()[:6]}-{key}"

    def inputs(self) -> list[Input]:
        """The story's records, in the order in which they reach us."""
        return [self._input(index, step) for index, step in enumerate(self.raw["step"])]

    def _input(self, index: int, step: dict[str, Any]) -> Input:
        at = self.start + offset(step["at"])
        if "submit" in step:
            submitted = self._submitted(at, dict(step["submit"]))
            return Input(at, t.INTAKE_SUBMITTED, submitted.citizen, encode(submitted))
        if "raw" in step:
            case = self.case(step["raw"]["case"])
            return Input(at, t.CASE_COMMANDS, case, step["raw"]["json"].replace("{case}", case).encode())
        if "office" in step:
            return self._told(at, t.OFFICE_ACTIVITY, step["office"]["office"], dict(step["office"]))
        if "officer" in step:
            told = {"id": f"{self.name}-{index:04d}", **step["officer"]}
            return self._told(at, t.OFFICER_ACTIVITY, self.officer(told["officer"]), told)
        action = dict(step["do"])
        case = self.case(action.pop("case"))
        self._own_officer(action.get("by", {}), action, "by")
        command = {"id": f"{self.name}-{index:04d}", "at": at, **action, "case": case}
        return Input(at, t.CASE_COMMANDS, case, msgspec.json.encode(command))

    def _told(self, at: int, topic: str, name: str, told: dict[str, Any]) -> Input:
        """A record of an office or of an officer; the names of the story's cases and officers become ids."""
        self._own_officer(told, told, None)
        if "cases" in told:
            told["cases"] = [self.case(each) for each in told["cases"]]
        if "from_at" in told:
            told["from_at"] = self.start + offset(told["from_at"])
        value = {"system": self.raw["system"], "at": at, **told}
        return Input(at, topic, f"{value['system']}|{name}", msgspec.json.encode(value))

    def _own_officer(self, holds: dict[str, Any], into: dict[str, Any], field_name: str | None) -> None:
        if "officer" in holds:
            own = {**holds, "officer": self.officer(holds["officer"])}
            into.update(own if field_name is None else {field_name: own})

    def _submitted(self, at: int, submit: dict[str, Any]) -> Submitted:
        key, place = submit.pop("key"), dict(submit.pop("place"))
        citizen = f"{self.name}/{submit.pop('citizen', '')}"
        return msgspec.convert(
            {
                "type": "intake.submitted.v1",
                "id": f"{self.name}/{key}",
                "case": self.case(key),
                "system": self.raw["system"],
                "at": at,
                "received_at": at,
                "case_type": "complaint",
                "channel": "call",
                "place": msgspec.to_builtins(Place(place.pop("district"), place)),
                "citizen": "ct_" + hashlib.md5(citizen.encode(), usedforsecurity=False).hexdigest(),
                "contact": "sealed",
                **submit,
            },
            Submitted,
        )

    def problems(self, seen: Seen) -> list[str]:
        """How what was written up to the story's end differs from what it expects; empty when it does not.

        On Kafka all stories share one clock, which goes on after the end of the shorter ones.
        """
        found: list[str] = []
        for expect in self.raw["expect"]:
            if "officer" in expect:
                found += self._officer_problems(expect, seen)
            elif "office" in expect:
                found += self._office_problems(expect, seen)
            else:
                found += self._case_problems(expect, seen)
        return found

    def _case_problems(self, expect: dict[str, Any], seen: Seen) -> Iterable[str]:
        name, case = expect["case"], self.case(expect["case"])
        told = [each for each in seen.events[case] if each["at"] <= self.end]
        if "events" in expect:
            yield from self._events(name, expect["events"], told)
        if "cluster" in expect:
            head, citizens = expect["cluster"]
            wanted = (self.case(head), citizens) if head else None
            if seen.clusters.get(case) != wanted:
                yield f"{name}: suggested for {seen.clusters.get(case)}, expected {wanted}"
        sms = sorted(text for at, text in seen.sms[case] if at <= self.end)
        if sms != sorted(expect.get("sms", sms)):
            yield f"{name}: SMS {sms}, expected {sorted(expect['sms'])}"
        if expect.get("intake", []) != seen.intake[case]:
            yield f"{name}: intake said {seen.intake[case]}, expected {expect.get('intake', [])}"
        if expect.get("dead", 0) != seen.dead[case]:
            yield f"{name}: {seen.dead[case]} dead letters, expected {expect.get('dead', 0)}"

    def _officer_problems(self, expect: dict[str, Any], seen: Seen) -> Iterable[str]:
        name, key = expect["officer"], f"{self.raw['system']}|{self.officer(expect['officer'])}"
        after, kinds = self.start + offset(expect.get("from", "0d")), expect.get("types")
        told = [
            each
            for each in seen.officers[key]
            if after <= each["at"] <= self.end and (kinds is None or each["type"] in kinds)
        ]
        yield from self._events(name, expect["events"], told)
        if expect.get("dead", 0) != seen.dead[key]:
            yield f"{name}: {seen.dead[key]} dead letters, expected {expect.get('dead', 0)}"

    def _office_problems(self, expect: dict[str, Any], seen: Seen) -> Iterable[str]:
        """The office as the directory shows it at the end."""
        key = f"{self.raw['system']}|{expect['office']}"
        entry = seen.offices.get(key, {})
        for name, value in expect["entry"].items():
            found = entry.get(name)
            wanted = [self._charge(each) for each in value] if name == "charges" else value
            if found != wanted:
                yield f"{expect['office']}: {name} is {found!r}, expected {wanted!r}"

    def _charge(self, charge: dict[str, Any]) -> dict[str, Any]:
        return {"officer": self.officer(charge["officer"]), "from_at": self.start + offset(charge["from_at"])}

    def miscounted(self, seen: Seen) -> list[str]:
        """How the measures differ from the story's `[counts]`; for a run in which no other story counts."""
        return [
            f"{measure}: {seen.counts[measure]}, expected {count}"
            for measure, count in self.raw.get("counts", {}).items()
            if seen.counts[measure] != count
        ]

    def _events(self, name: str, expected: list[dict[str, Any]], got: list[dict[str, Any]]) -> Iterable[str]:
        told = [f"{self._offset(event['at'])} {event['type']}" for event in got]
        if len(expected) != len(got):
            yield f"{name}: {len(got)} facts, expected {len(expected)}:\n    " + "\n    ".join(told)
            return
        for number, (want, event) in enumerate(zip(expected, got, strict=True)):
            for key, value in want.items():
                found, wanted = self._field(event, key), self._wanted(key, value)
                if found != wanted:
                    yield f"{name}: fact {number} ({told[number]}): {key} is {found!r}, expected {value!r} ({wanted!r})"

    def _wanted(self, key: str, value: Any) -> Any:
        """What a field must be: instants, cases and days are named in the story's own terms."""
        named = {"duplicate": self.case, "cases": self.case, "day": self.day, "days": self.day}
        if key in named:
            return [named[key](each) for each in value] if isinstance(value, list) else named[key](value)
        return self.start + offset(value) if key == "at" or key.endswith("_at") else value

    def day(self, text: str) -> str:
        """The local day that holds an instant of the story."""
        return day_key(self.start + offset(text), profiles()[self.raw["system"]].zone)

    def _field(self, event: dict[str, Any], key: str) -> Any:
        return event["because"]["rule"] if key == "rule" else event.get(key)

    def _offset(self, at: int) -> str:
        return f"{(at - self.start) / UNITS_MS['d']:.4f}d"


class Burst(NamedTuple):
    """What reaches the system at one instant (UTC ms)."""

    at: int
    inputs: tuple[Input, ...]


def bursts(told: Iterable[Story]) -> list[Burst]:
    """The inputs of all stories together, in the order in which they reach us.

    Those that are out of order of time on purpose stay behind what reached us before them.
    """
    reached: defaultdict[int, list[Input]] = defaultdict(list)
    for story in told:
        latest = story.start
        for each in story.inputs():
            latest = max(latest, each.at)
            reached[latest].append(each)
    return [Burst(at, tuple(reached[at])) for at in sorted(reached)]


def stories() -> list[Story]:
    """Every story file."""
    return [Story(path, tomllib.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.toml"))]
