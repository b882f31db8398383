"""Files of offices and officers, read and checked whole: everything that is wrong, or the records of every row."""

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from agents.contact import Contacts
from agents.gateway.activities import watched
from agents.gateway.log import Entry
from schemas.officers import IdStatus, ListOffice, ListOfficer, OfficerId, TakeCharge
from schemas.topics import OFFICE_ACTIVITY, OFFICER_ACTIVITY
from streams.ids import digest, normal_mobile
from streams.officers.place import UnknownOfficeError, office_key, place
from streams.profiles.profile import Profile
from streams.text import nfc

OFFICES: Final = ("system", "office", "name")
OFFICERS: Final = (
    "system", "officer", "office", "designation", "name", "mobile", "email", "status", "charge", "from",
)  # fmt: skip
"""`status`: listed (or empty), requested, generated, left. `charge`: whether he holds it, yes (or empty), no.
`from`: since when he holds it, a local date or an RFC 3339 instant; empty: from now on."""
LONGEST: Final = 256
MOBILE: Final = re.compile(r"[6-9][0-9]{9}")
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
INSTANT: Final = "must be a date like 2026-02-28, an instant like 2026-02-28T10:00:00+05:30, or empty"
STATUSES: Final = get_args(IdStatus)
PERSONAL: Final = ("name", "mobile", "email")
Row = Mapping[str, str]


class Fault(Struct, frozen=True):
    """One thing that is wrong; it repeats no value of the file."""

    file: str
    line: int
    column: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.column}: {self.detail}"
            if self.column
            else f"{self.file}:{self.line}: {self.detail}"
        )


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int


class Person(Struct, frozen=True):
    """What goes under seal."""

    name: str
    mobile: str
    email: str


class Checked(NamedTuple):
    """A file that is right: what every row becomes; or what is wrong with the files."""

    entries: Sequence[Entry]
    offices: int
    officers: int
    faults: Sequence[Fault]


class Directory:
    """Reads files one after another; they are held against each other and the profiles."""

    def __init__(self, contacts: Contacts, now: int) -> None:
        self.faults: list[Fault] = []
        self.offices: dict[tuple[str, str], Place] = {}
        self.officers: dict[tuple[str, str], tuple[Place, tuple[str, ...]]] = {}
        self._charges: dict[tuple[str, str, int], tuple[Place, str]] = {}
        self._entries: list[Entry] = []
        self._contacts, self._now = contacts, now
        self._profiles = {profile.system: profile for profile in watched()}

    def read(self, path: Path) -> None:
        """Read one file; what is wrong with it is in `faults`."""
        rows, kind = self._rows(path)
        take = self._office if kind == OFFICES else self._officer
        for where, row in rows:
            take(where, row)

    def result(self) -> Checked:
        return Checked([] if self.faults else self._entries, len(self.offices), len(self.officers), self.faults)

    def _rows(self, path: Path) -> tuple[Iterator[tuple[Place, Row]], Sequence[str]]:
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            self._fault(Place(path.name, line), "", "is no UTF-8")
            return iter(()), OFFICES
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        kind = OFFICERS if "officer" in header else OFFICES
        wrong = list(_header_faults(header, kind))
        for column, detail in wrong:
            self._fault(Place(path.name, 1), column, detail)
        return (iter(()) if wrong else self._lines(path.name, reader, header)), kind

    def _lines(self, name: str, reader: Any, header: Sequence[str]) -> Iterator[tuple[Place, Row]]:
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                self._fault(Place(name, reader.line_num), "", f"is no line of a CSV: {error}")
                return
            where = Place(name, reader.line_num)
            if cells is None:
                return
            if len(cells) != len(header) and any(cells):
                self._fault(where, "", f"has {len(cells)} columns, the first line names {len(header)}")
            elif any(cells):
                yield where, {column: nfc(cell.strip()) for column, cell in zip(header, cells, strict=True)}

    def _office(self, where: Place, row: Row) -> None:
        profile, right = self._common(where, row)
        if not 0 < len(row["name"]) <= LONGEST:
            right = self._fault(where, "name", f"must have 1 to {LONGEST} characters")
        key = (row["system"], row["office"])
        if key in self.offices:
            first = self.offices[key]
            right = self._fault(where, "office", f"stands already in {first.file}:{first.line}")
        self.offices.setdefault(key, where)
        if right and profile is not None:
            told = ListOffice(profile.system, row["office"], self._now, row["name"])
            self._put(OFFICE_ACTIVITY, office_key(*key), f"office-{digest(*key, str(self._now))}", told)

    def _officer(self, where: Place, row: Row) -> None:
        profile, right = self._common(where, row)
        checks = ((column, check(row)) for column, check in CHECKS.items())
        for column, detail in checks:
            if detail is not None:
                right = self._fault(where, column, detail)
        from_at = None if profile is None else _instant(row["from"], profile, self._now)
        if profile is not None and from_at is None:
            right = self._fault(
                where, "from", "must be a date like 2026-02-28, an instant like 2026-02-28T10:00:00+05:30, or empty"
            )
        fresh = self._known(where, row)
        if fresh is None or not right or profile is None or from_at is None:
            return
        if row["charge"] in {"", "yes"} and row["status"] != "left":
            self._charge(where, row, from_at)
        if fresh:
            self._list(row)

    def _known(self, where: Place, row: Row) -> bool | None:
        """Whether the officer is new in the files; None where two lines say different things of him."""
        key, said = (row["system"], row["officer"]), tuple(row[name] for name in ("designation", "status", *PERSONAL))
        if key not in self.officers:
            self.officers[key] = (where, said)
            return True
        first, before = self.officers[key]
        if before != said:
            self._fault(where, "officer", f"is described otherwise in {first.file}:{first.line}")
            return None
        return False

    def _charge(self, where: Place, row: Row, from_at: int) -> None:
        key = (row["system"], row["office"], from_at)
        first, officer = self._charges.setdefault(key, (where, row["officer"]))
        if officer != row["officer"]:
            self._fault(where, "charge", f"{first.file}:{first.line} gives it to another officer at the same instant")
            return
        told = TakeCharge(row["system"], row["office"], self._now, row["officer"], from_at)
        name = f"charge-{digest(*key[:2], row['officer'], str(from_at))}"
        self._put(OFFICE_ACTIVITY, office_key(*key[:2]), name, told)

    def _list(self, row: Row) -> None:
        key = office_key(row["system"], row["officer"])
        person = Person(row["name"], normal_mobile(row["mobile"]) if row["mobile"] else "", row["email"])
        known = any((person.name, person.mobile, person.email))
        told = ListOfficer(
            id=f"load-{digest(key, row['office'], str(self._now))}",
            system=row["system"],
            officer=row["officer"],
            at=self._now,
            office=row["office"],
            designation=row["designation"],
            status=cast("IdStatus", row["status"] or "listed"),
            person=self._contacts.seal(msgspec.json.encode(person).decode(), key, OFFICER_ACTIVITY) if known else None,
        )
        self._put(OFFICER_ACTIVITY, key, told.id, told)

    def _common(self, where: Place, row: Row) -> tuple[Profile | None, bool]:
        """The row's system, and whether system and office are right."""
        profile = self._profiles.get(row["system"])
        if profile is None:
            return None, self._fault(where, "system", f"must be one of {', '.join(self._profiles)}")
        try:
            place(profile, row["office"])
        except UnknownOfficeError as error:
            return profile, self._fault(where, "office", str(error))
        return profile, True

    def _put(self, topic: str, key: str, name: str, value: ListOffice | ListOfficer | TakeCharge) -> None:
        self._entries.append(Entry(topic, key, name, value, self._now, self._now))

    def _fault(self, where: Place, column: str, detail: str) -> bool:
        self.faults.append(Fault(where.file, where.line, column, detail))
        return False


def check(paths: Sequence[Path], contacts: Contacts, now: int) -> Checked:
    """All files, or nothing: `now` (UTC ms) is when they are loaded."""
    directory = Directory(contacts, now)
    for path in paths:
        directory.read(path)
    return directory.result()


def _header_faults(header: Sequence[str], kind: Sequence[str]) -> Iterator[tuple[str, str]]:
    missing = [name for name in kind if name not in header]
    for name in header:
        if name not in kind or header.count(name) > 1:
            close = difflib.get_close_matches(name, missing, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            yield "", f"the first line names a column too much or twice{hint}; there are {', '.join(kind)}"
    if missing:
        yield "", f"the first line must name {', '.join(missing)}"


def _officer_id(row: Row) -> str | None:
    try:
        msgspec.convert(row["officer"], OfficerId)
    except msgspec.ValidationError:
        return "must be 2 to 64 letters, digits, . _ - and hold no telephone number"
    return None


def _designation(row: Row) -> str | None:
    return None if 0 < len(row["designation"]) <= LONGEST else f"must have 1 to {LONGEST} characters"


def _person(column: str, right: Callable[[str], bool], detail: str) -> Callable[[Row], str | None]:
    def check(row: Row) -> str | None:
        if not row[column]:
            return "is empty, and an application for a login needs it" if row["status"] == "requested" else None
        return None if right(row[column]) else detail

    return check


CHECKS: Final[Mapping[str, Callable[[Row], str | None]]] = {
    "officer": _officer_id,
    "designation": _designation,
    "name": _person("name", lambda text: len(text) <= LONGEST, f"has more than {LONGEST} characters"),
    "mobile": _person("mobile", lambda text: MOBILE.fullmatch(normal_mobile(text)) is not None, "must have ten digits"),
    "email": _person("email", lambda text: EMAIL.fullmatch(text) is not None, "must be like name@example.in"),
    "status": lambda row: None if row["status"] in {"", *STATUSES} else f"must be empty or {', '.join(STATUSES)}",
    "charge": lambda row: None if row["charge"] in {"", "yes", "no"} else "must be yes, no, or empty",
}


def _instant(text: str, profile: Profile, now: int) -> int | None:
    """A local date begins at its midnight; empty is now; None where it is neither date nor instant."""
    if not text:
        return now
    try:
        if len(text) == len("2026-02-28"):
            at = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(profile.zone))
        else:
            at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None or at.year < 1971 else round(at.astimezone(UTC).timestamp() * 1000)  # noqa: PLR2004 - the calendar's first year
