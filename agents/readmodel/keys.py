"""Names of the keys of the read model, and what each holds."""

from typing import Final

from schemas.sla import Grain, SlaWindow

PREFIX: Final = "nivaran"
LONGEST_TIMELINE: Final = 1000
"""Facts of a case that are kept; the log has them all."""
LONGEST_FEED: Final = 20_000
"""Entries of the escalation feed."""
WINDOWS_KEPT: Final[dict[Grain, int]] = {"hour": 48, "day": 62, "month": 24}
"""How many windows of a grain are kept, the latest."""
REJECTION_KEPT_MS: Final = 30 * 86_400_000
"""How long a rejected submission is answered with its reason."""
DEFAULTERS_KEPT_MS: Final = 40 * 86_400_000
"""How long a day's defaulters are kept: a month's review looks back on all of its days."""

REGISTERS_KEPT_MS: Final = 400 * 86_400_000
"""How long a month's registers are kept: a year and the month that reviews it."""
PRESENCE_KEPT_MS: Final = 40 * 86_400_000
"""How long a day's presence is kept: a month's review looks back on all of its days."""
LISTED_KEPT_MS: Final = 100 * 86_400_000
"""How long a day's registrations can be listed: Open311 asks for 90 days back, and late news come days after."""
CONDUCT_KEPT_MS: Final = 100 * 86_400_000
"""How long a month's conduct is kept after the last change."""


class Keys:
    """Key names under one prefix, so that a second read model can stand beside the first and be compared with it."""

    def __init__(self, prefix: str = PREFIX) -> None:
        self.prefix = prefix
        self._case, self._timeline, self._sms = (f"{prefix}:{each}:" for each in ("case", "timeline", "sms"))

    def position(self, topic: str, partition: int) -> str:
        """The next offset to apply of a partition: written with what was applied, in one transaction."""
        return f"{self.prefix}:position:{topic}:{partition}"

    def log(self) -> str:
        """Id of the Kafka cluster whose log is shown."""
        return f"{self.prefix}:log"

    def case(self, case: str) -> str:
        """`CaseView` as JSON."""
        return self._case + case

    def timeline(self, case: str) -> str:
        """List of the case's facts, as they are in the log."""
        return self._timeline + case

    def sms(self, case: str) -> str:
        """Hash: SMS id -> `SmsView` as JSON."""
        return self._sms + case

    def duplicate(self, case: str) -> str:
        """The case that the submission with this number was linked to."""
        return f"{self.prefix}:duplicate:{case}"

    def rejection(self, case: str) -> str:
        """`RejectionView` as JSON: why this number became no case."""
        return f"{self.prefix}:rejection:{case}"

    def pending(self, system: str, district: int, department: str, level: int) -> str:
        """Sorted set: the cases pending at a unit, by the instant (UTC ms) since which they are at this level."""
        return f"{self.prefix}:pending:{system}:{district}|{department}|{level}"

    def units(self, system: str) -> str:
        """Set of `district|department|level`: units that ever had a case."""
        return f"{self.prefix}:units:{system}"

    def registered(self, system: str, day: str) -> str:
        """Sorted set: cases registered on this local day (`2026-08-28`), by that instant."""
        return f"{self.prefix}:registered:{system}:{day}"

    def defaulters(self, system: str, day: str) -> str:
        """Sorted set: cases whose due instant passed on this local day (`2026-08-28`), by that instant."""
        return f"{self.prefix}:defaulters:{system}:{day}"

    def stays(self, system: str, district: int) -> str:
        """Hash: `case|seq` -> `Stay` as JSON, of every case pending in a district."""
        return f"{self.prefix}:stays:{system}:{district}"

    def ended(self, system: str, district: int, month: str) -> str:
        """Hash: `case|seq` -> `Stay` as JSON, of the stays that ended in a local month (`2026-08`)."""
        return f"{self.prefix}:stays-ended:{system}:{district}:{month}"

    def lives(self, system: str, month: str = "") -> str:
        """Hash: `district|department|level|registered|from|until` -> how many stays, by local days of a month's ends.

        Without a month, of the stays that have not ended, and without `until`. Pendency and its age at every unit on
        any day, without a look at any case.
        """
        return f"{self.prefix}:lives:{system}:{month}"

    def months(self, system: str) -> str:
        """Set of the local months in which a stay ended."""
        return f"{self.prefix}:months:{system}"

    def dissatisfied(self, system: str, district: int, month: str) -> str:
        """Hash: `case|seq` -> `Dissatisfaction` as JSON, of a local month."""
        return f"{self.prefix}:dissatisfied:{system}:{district}:{month}"

    def blots(self, system: str, district: int, month: str) -> str:
        """Hash: `case|level|due_at` -> `Defaulter` as JSON, of the local month of the due instant."""
        return f"{self.prefix}:blots:{system}:{district}:{month}"

    def reviews(self, system: str, district: int, month: str) -> str:
        """Hash: id -> outcome of a review as it is in the log, of a local month."""
        return f"{self.prefix}:reviews:{system}:{district}:{month}"

    def day(self, system: str, district: int, day: str) -> str:
        """Hash: `department|level|measure` -> count of a local day, as SLA facts count it, before a window closes."""
        return f"{self.prefix}:day:{system}:{district}:{day}"

    def series(self, system: str, month: str) -> str:
        """Hash: `district|day|measure` -> count, of the local days of a month."""
        return f"{self.prefix}:series:{system}:{month}"

    def calls(self, system: str) -> str:
        """Hash: case -> `DueCall` as JSON, of every case whose feedback call is due and has brought nothing yet."""
        return f"{self.prefix}:calls:{system}"

    def totals(self, system: str) -> str:
        """Hash of counters, see `agents/readmodel/totals.py`."""
        return f"{self.prefix}:totals:{system}"

    def escalations(self) -> str:
        """Stream: `department`, `district` and `data`, the record as it is in the log; in order of arrival."""
        return f"{self.prefix}:escalations"

    def window(self, system: str, grain: Grain, start_at: int) -> str:
        """Hash: `district|department|level` -> `WindowView` as JSON, final result and revisions added up."""
        return f"{self.prefix}:window:{system}:{grain}:{start_at}"

    def windows(self, system: str, grain: Grain) -> str:
        """Sorted set: starts (UTC ms) of the windows that are kept."""
        return f"{self.prefix}:windows:{system}:{grain}"

    def office(self, system: str, office: str) -> str:
        """`OfficeEntry` as it is in the log."""
        return f"{self.prefix}:office:{system}:{office}"

    def offices(self, system: str, district: int) -> str:
        """Sorted set (all at 0): the offices of a district; 0: those above districts."""
        return f"{self.prefix}:offices:{system}:{district}"

    def officer(self, system: str, officer: str) -> str:
        """`OfficerView` as JSON."""
        return f"{self.prefix}:officer:{system}:{officer}"

    def officers(self, system: str, district: int) -> str:
        """Sorted set (all at 0): the officers of a district; 0: those above districts."""
        return f"{self.prefix}:officers:{system}:{district}"

    def staffed(self, system: str) -> str:
        """Set: districts that have an office or an officer."""
        return f"{self.prefix}:staffed:{system}"

    def presence(self, system: str, day: str) -> str:
        """Hash: officer -> `PresenceView` as JSON, of every officer who had a login on that local day."""
        return f"{self.prefix}:presence:{system}:{day}"

    def absent(self, system: str, day: str, district: int) -> str:
        """Sorted set (by logins): officers of a district whom the day's presence says something against."""
        return f"{self.prefix}:absent:{system}:{day}:{district}"

    def conduct(self, system: str, month: str, district: int) -> str:
        """Hash: officer -> `ConductView` as JSON, by the district of the office acted for."""
        return f"{self.prefix}:conduct:{system}:{month}:{district}"


def unit_field(district: int, department: str, level: int) -> str:
    """A unit within its system."""
    return f"{district}|{department}|{level}"


def window_field(window: SlaWindow) -> str:
    return unit_field(window.district, window.department, window.level)
