"""A decision under way: the officer as folded so far, and the facts told of him."""

from typing import Any

from msgspec.structs import replace

from schemas import officers as o
from schemas.base import Because
from schemas.codec import tag
from schemas.topics import OFFICER_EVENTS
from streams.officers.place import located, office_key
from streams.officers.state import Officer
from streams.profiles.profile import OfficersRule, Profile
from streams.stage import Output


class Turn:
    """Collects what one record causes; `officer` is the state after what was told so far."""

    __slots__ = ("cause", "officer", "outputs", "profile", "rule")

    def __init__(self, officer: Officer, profile: Profile, rule: OfficersRule, cause: str) -> None:
        self.officer, self.profile, self.rule, self.cause = officer, profile, rule, cause
        self.outputs: list[Output] = []

    def change(self, **fields: Any) -> None:
        """Set fields of the officer."""
        self.officer = replace(self.officer, **fields)

    def tell(self, kind: type[o.OfficerEvent], why: str, at: int, *, office: str | None = None, **fields: Any) -> None:
        """Tell a fact, next in the officer's own order; `office` where it is another than his own."""
        self.change(seq=self.officer.seq + 1)
        self._write(kind, why, at, office or self.officer.office, fields)

    def reject(self, command: o.OfficerTold, reason: str) -> None:
        """The command changes nothing, and this fact says why."""
        fields = {"command": tag(command), "command_id": command.id, "reason": reason}
        self._write(o.OfficerCommandRejected, "command-rejected", command.at, self.officer.office, fields)

    def _write(self, kind: type[o.OfficerEvent], why: str, at: int, office: str, fields: dict[str, Any]) -> None:
        officer = self.officer
        where = located(officer.system, office)
        fact = kind(
            system=officer.system,
            officer=officer.officer,
            seq=officer.seq,
            at=at,
            district=0 if where is None else where.district,
            department="unknown" if where is None else where.department,
            office=office or "none",
            because=Because(why, self.profile.version, self.cause),
            **fields,
        )
        self.outputs.append(Output(OFFICER_EVENTS, office_key(officer.system, officer.officer), fact, at))
