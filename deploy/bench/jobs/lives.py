"""The lives of made-up complaints, mixed in order of time, and what they must lead to, counted apart from engines."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from deploy.bench.jobs.complaints import Answered, Command, Disposed, Noted, Registered
from schemas.codec import encode
from streams.profiles.profile import DAY_MS

DISPOSED: Final = 0.8
DISSATISFIED: Final = 0.1
"""Shares of complaints that are disposed of, and of those whose citizens are not satisfied."""
PER_COMPLAINT: Final = 2 + 2 * DISPOSED
ALIVE: Final = 8000
"""Complaints whose commands come mixed."""
WORDS: Final = (
    "गाँव", "में", "पिछले", "सात", "दिन", "से", "हैण्डपम्प", "ख़राब", "पड़ा", "है", "बिजली", "नहीं", "आई", "नाली",
    "भरी", "हुई", "सड़क", "टूटी", "शिकायत", "पर", "कोई", "अधिकारी", "आया", "कृपया", "जाँच", "कराएँ", "राशन", "पेंशन",
)  # fmt: skip
LENGTH: Final = 28
"""Words of a text, so that a command has some 470 bytes."""
CATEGORIES: Final = ("hand-pump", "power-cut", "road", "drain", "pension", "ration-card")
DISTRICTS: Final = 75
OFFICERS: Final = 400
Made = Callable[..., Command]
"""A command that lacks its instant."""


class Written(NamedTuple):
    """A record of the input: key, value, instant."""

    key: bytes
    value: bytes
    at: int


class Expected(Struct):
    told: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """Kind, case and level."""
    registered: set[str] = field(default_factory=set)
    """Cases whose officer has an SMS."""
    commands: int = 0
    size: int = 0
    """Bytes of all commands."""

    @property
    def escalated(self) -> int:
        return sum(count for (kind, _, _), count in self.told.items() if kind == "escalated")


def records(complaints: int, begin: int, seed: int, expected: Expected) -> Iterator[Written]:
    """All commands of a day from `begin` (UTC ms) on, before anything is due.

    `expected` gets what follows from them, once time has moved past all deadlines.
    """
    draws = random.Random(seed)  # noqa: S311 - made-up records
    living: list[tuple[str, Iterator[Made]]] = []
    begun = 0
    while begun < complaints or living:
        if begun < complaints and (len(living) < ALIVE or draws.random() < 1 / PER_COMPLAINT):
            begun += 1
            case = f"BEN-{begun:08d}"
            living.append((case, _life(case, draws, expected)))
        place = draws.randrange(len(living))
        case, life = living[place]
        made = next(life, None)
        if made is None:
            living[place] = living[-1]
            living.pop()
            continue
        at = begin + round(expected.commands / (complaints * PER_COMPLAINT) * DAY_MS)
        value = encode(made(case=case, at=at, text=" ".join(draws.choices(WORDS, k=LENGTH))))
        expected.commands += 1
        expected.size += len(value)
        yield Written(case.encode(), value, at)


def _life(case: str, draws: random.Random, expected: Expected) -> Iterator[Made]:
    said: list[Any] = ["registered"]
    expected.registered.add(case)
    yield partial(Registered, district=draws.randrange(DISTRICTS), category=draws.choice(CATEGORIES))
    yield Noted
    if draws.random() < DISPOSED:
        yield partial(Disposed, officer=f"officer-{draws.randrange(OFFICERS)}")
        satisfied = draws.random() >= DISSATISFIED
        yield partial(Answered, satisfied=satisfied)
        said += ["disposed", "closed" if satisfied else "reopened"]
    expected.told.update((kind, case, 1) for kind in said)
    if said[-1] != "closed":
        expected.told["escalated", case, 2] += 1
