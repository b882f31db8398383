"""What the gateway and the loader make of a line before anything is written; their own code makes the records."""

import hashlib
import random
from typing import Any, Final, Literal, NamedTuple

import msgspec

from agents.contact import Contacts
from agents.gateway import records
from agents.gateway.requests import ComplaintRequest, RegisterLine
from agents.simulate.lines import Line
from schemas.base import Record
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import valid_case_id

Outcome = Literal["taken", "again", "reused", "refused"]


class Entry(NamedTuple):
    """A record to put on a topic; `value` is bytes where another writer made it. Instants are UTC ms."""

    topic: str
    key: str
    id: str
    value: Record | bytes
    at: int
    written_at: int


class Passed(NamedTuple):
    """What became of a line: its record, where it has one, and the fields that were wrong, where it was refused."""

    outcome: Outcome
    entry: Entry | None = None
    errors: tuple[str, ...] = ()


STAND_IN: Final = hashlib.sha256(
    b"stands in for the keys of a deployment where made-up citizens are played back"
).digest()


def stand_in_identity() -> records.Identity:
    """Keys for simulated input only: the same input always has the same tokens and seals."""
    nonce = random.Random(STAND_IN).randbytes  # noqa: S311 - nobody's number is sealed with it
    return records.Identity(STAND_IN, Contacts(STAND_IN, nonce=nonce))


class Door:
    """Takes lines one by one. `http` lines are held to one content per idempotency key, as the gateway does."""

    def __init__(self, identity: records.Identity) -> None:
        self._identity = identity
        self._answered: dict[tuple[str, str], bytes] = {}

    def take(self, line: Line) -> Passed:
        if line.way == "wire":
            return Passed("taken", Entry(line.topic or "", line.key, line.key, line.payload, line.at, line.at))
        entry, errors = self._action(line) if line.case is not None else self._submission(line)
        if entry is None:
            return Passed("refused", errors=errors)
        return self._once(line, entry) if line.way == "http" else Passed("taken", entry)

    def _once(self, line: Line, entry: Entry) -> Passed:
        content = hashlib.blake2b(line.payload, digest_size=16).digest()
        before = self._answered.setdefault((line.case or _scope(line), line.key), content)
        if before is content:
            return Passed("taken", entry)
        return Passed("again" if before == content else "reused")

    def _submission(self, line: Line) -> tuple[Entry | None, tuple[str, ...]]:
        # a register may know a person by its own reference only, the API wants a number
        kind = ComplaintRequest if line.way == "http" else RegisterLine
        submitted, errors = records.complaint(_body(line), line.key, line.at, self._identity, kind=kind)
        if submitted is None:
            return None, tuple(error.field for error in errors)
        entry = Entry(
            INTAKE_SUBMITTED, submitted.citizen, f"submitted-{submitted.case}", submitted, submitted.at, line.at
        )
        return entry, ()

    def _action(self, line: Line) -> tuple[Entry | None, tuple[str, ...]]:
        case = line.case or ""
        profile = records.profile_of_case(case) if valid_case_id(case) else None
        if profile is None:
            return None, ("case",)
        command, errors = records.action(_body(line), case, profile, line.key, line.at)
        if command is None:
            return None, tuple(error.field for error in errors)
        return Entry(CASE_COMMANDS, case, command.id, command, command.at, line.at), ()


def _scope(line: Line) -> str:
    """Keys are a channel's own, in each system."""
    body = line.body or {}
    return f"{body.get('system')}/{body.get('channel')}"


def _body(line: Line) -> Any:
    """The body as it would be decoded; what is no JSON is None, which every reader refuses."""
    if line.raw is None:
        return line.body
    try:
        return msgspec.json.decode(line.raw)
    except msgspec.DecodeError:
        return None
