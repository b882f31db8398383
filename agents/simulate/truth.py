"""What must come of a simulated input, counted by the plan that made it and by nothing that decides."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

Counts = dict[str, int]


class TruthError(ValueError):
    """A file is no ground truth; the message names it and says why."""


class Truth(Struct, kw_only=True):
    """Counts of everything that must be found after the last line and after time has come to `end_at` (UTC ms)."""

    system: str
    seed: int
    start_at: int
    end_at: int
    lines: Counts = field(default_factory=Counter)
    """Lines by way: http, load, wire."""
    door: Counts = field(default_factory=Counter)
    """What the gateway and the loader do with a line: `taken`, `again` (answered as before), `reused` (one key, two
    contents), `refused`."""
    submissions: Counts = field(default_factory=Counter)
    """Of the records on the submissions' topic: `registered`, `duplicate`, `repeated`, `dead <class>`, and
    `rejected <reason>`."""
    commands: Counts = field(default_factory=Counter)
    """Of the commands other than intake's: `taken`, `dead <class>`, `rejected <reason>`, `waiting`."""
    events: Counts = field(default_factory=Counter)
    """Facts on the cases' topic by type."""
    escalations: Counts = field(default_factory=Counter)
    """`<cause> L<from> to L<to>`."""
    closed: Counts = field(default_factory=Counter)
    """Closings by outcome; a case that is reopened can close twice."""
    standing: Counts = field(default_factory=Counter)
    """Cases at the end: `open L<level>`, `disposed`, `closed`, `recorded`."""
    sms: Counts = field(default_factory=Counter)
    """Requested SMS: `<step> <audience>`."""

    def shown(self) -> dict[str, Counts]:
        """The counts that a running system can be compared with, by name of the field."""
        return {
            name: dict(sorted(getattr(self, name).items()))
            for name in ("submissions", "commands", "events", "escalations", "closed", "standing", "sms")
        }


def total(truths: Sequence[Truth]) -> Truth:
    """The counts of several systems that were simulated over the same weeks, added up."""
    first = truths[0]
    found = Truth(
        system="+".join(each.system for each in truths), seed=first.seed, start_at=first.start_at, end_at=first.end_at
    )
    for each in truths:
        for name in COUNTED:
            getattr(found, name).update(getattr(each, name))
    return found


COUNTED: Final = ("lines", "door", "submissions", "commands", "events", "escalations", "closed", "standing", "sms")


def write(path: Path, truth: Truth) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(truth, order="sorted"), indent=2) + b"\n")


def read(path: Path) -> Truth:
    """Read a ground-truth file; raises TruthError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TruthError(f"{path}: is no ground truth ({error})") from None


def differences(expected: dict[str, Counts], found: dict[str, Counts]) -> list[str]:
    """Every figure that is not as expected, as `field / key: found, not expected`."""
    pairs = ((name, counts, found.get(name, {})) for name, counts in expected.items())
    return [
        f"{name} / {key}: {there.get(key, 0)}, not {counts.get(key, 0)}"
        for name, counts, there in pairs
        for key in sorted(counts.keys() | there.keys())
        if counts.get(key, 0) != there.get(key, 0)
    ]
