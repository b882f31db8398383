"""A folder of letters: each is moved to `done` or `rejected` once what became of it is durable."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from agents.gateway.records import Identity
from agents.loader.rows import Clock, submission
from agents.loader.run import Target
from agents.mail.answers import answer
from agents.mail.letter import LONGEST, Taken, take
from streams.profiles.profile import Profile

BATCH: Final = 100


class Tally(NamedTuple):
    """What became of the letters of a run."""

    taken: int = 0
    rejected: int = 0
    attachments: int = 0
    """Counted, and not kept."""


def work(folder: Path, profile: Profile, target: Target, identity: Identity, now: Clock) -> Iterator[Tally]:
    """Take every .eml of the folder, in order of name; a tally after each batch. Raises NotDurableError, OSError."""
    done, rejected = folder / "done", folder / "rejected"
    for each in (done, rejected):
        each.mkdir(exist_ok=True, mode=0o700)
    tally = Tally()
    letters = iter(sorted(path for path in folder.glob("*.eml") if path.is_file()))
    while batch := list(islice(letters, BATCH)):
        found = [(path, take(_read(path), profile, now(), identity)) for path in batch]
        for _, taken in found:
            if taken.submitted is not None:
                target.put(submission(taken.submitted))
        target.settle()
        for path, taken in found:
            _put_away(path, taken, rejected if taken.submitted is None else done)
            tally = Tally(
                tally.taken + (taken.submitted is not None),
                tally.rejected + (taken.submitted is None),
                tally.attachments + taken.attachments,
            )
        yield tally


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST + 1)


def _put_away(path: Path, taken: Taken, into: Path) -> None:
    """Named by its key, so that a letter that comes again lies there once; answer and reasons come first."""
    if taken.errors:
        wrong = {"errors": [error._asdict() for error in taken.errors], "attachments": taken.attachments}
        _write(into / f"{taken.key}.reason.json", msgspec.json.encode(wrong))
    if text := answer(taken):
        _write(into / f"{taken.key}.answer.txt", text.encode())
    path.replace(into / f"{taken.key}.eml")


def _write(path: Path, content: bytes) -> None:
    """For its owner only, and whole or not at all."""
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def keep(folder: Path, name: str, raw: bytes) -> None:
    """Put a letter that came from elsewhere into the folder."""
    _write(folder / f"{name}.eml", raw)
