"""A decision under way: the case as folded so far, and the facts decided for it."""

from schemas.base import Because, CaseType, Channel
from schemas.events import Event
from streams.case.evolve import evolve
from streams.case.state import Case
from streams.profiles.profile import Profile

Head = tuple[str, int, int, str, CaseType, int, str, int, str, Because, Channel | None]
"""The fields every case event begins with, in their order."""


class Turn:
    """Collects the facts that one record causes, each with the case after it, so that the next rule sees its effect."""

    __slots__ = ("case", "cause", "facts", "profile", "system")

    def __init__(self, case: Case, system: Profile, cause: str) -> None:
        """`system` is the first version of the case's profile, from which the one in force is taken."""
        self.case, self.system, self.cause = case, system, cause
        self.profile = system.named(case.policy)
        self.facts: list[tuple[Event, Case, Profile]] = []

    def begin_level(self, at: int) -> Profile:
        """A level begins at `at`: from here on the version in force then decides."""
        self.profile = self.system.at(at)
        return self.profile

    def head(
        self,
        rule: str,
        at: int,
        *,
        level: int | None = None,
        office: str | None = None,
        department: str | None = None,
        district: int | None = None,
        seq: int | None = None,
        channel: Channel | None = None,
    ) -> Head:
        """The common fields of the next fact; those it changes are given."""
        case = self.case
        return (
            case.id,
            case.seq + 1 if seq is None else seq,
            at,
            case.system,
            case.case_type,
            case.district if district is None else district,
            case.department if department is None else department,
            case.level if level is None else level,
            case.office if office is None else office,
            Because(rule, self.profile.version, self.cause),
            channel or case.channel,
        )

    def tell(self, fact: Event) -> None:
        """Add a fact and fold it."""
        self.case = evolve(self.case, fact, self.profile)
        self.facts.append((fact, self.case, self.profile))
