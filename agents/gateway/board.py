"""The read side as the gateway needs it: one case as the board shows it, the escalation feed, lists of officers."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agents.readmodel.calls import DueCall
from agents.readmodel.listing import Listing
from agents.readmodel.officer_reader import AbsentRow, Area, ConductRow, LadderRow, MissingRow, TicketRow
from agents.readmodel.officer_views import OfficerView
from agents.readmodel.reader import FeedEntry
from agents.readmodel.views import CaseView
from streams.review.live import DistrictBoard


class Board(Protocol):
    """The read model. Its methods raise redis' errors when Redis is away."""

    async def case(self, case: str) -> dict[str, Any] | None:
        """Summary and timeline, ready for JSON; None while the board has nothing of it."""
        ...

    async def district(
        self, system: str, district: int, now: int, sees: frozenset[str], department: str | None
    ) -> DistrictBoard:
        """A district's live board at `now` (UTC ms) for a reader of these roles, of one department or all (None)."""
        ...

    async def registered(self, system: str, since: int, until: int, wanted: Callable[[CaseView], bool]) -> Listing:
        """Cases registered in a time (UTC ms, both ends included) that are wanted, the latest first."""
        ...

    async def calls(self, system: str) -> list[DueCall]:
        """Feedback calls that are due, the longest due first."""
        ...

    async def escalations(self, after: str, count: int) -> Sequence[FeedEntry]:
        """Entries after the id `after`, oldest first."""
        ...

    async def wait_escalations(self, after: str, count: int, block_ms: int) -> Sequence[FeedEntry]:
        """The same, waiting for the first one up to `block_ms`."""
        ...

    async def newest_escalation(self) -> str:
        """Id of the newest entry; `0-0` while there is none."""
        ...

    async def officer(self, system: str, officer: str) -> OfficerView | None:
        """An officer as he stands; None while the board has nothing of him."""
        ...

    async def absent(self, area: Area, day: str) -> list[AbsentRow]: ...

    async def missing(self, area: Area, now: int) -> list[MissingRow]: ...

    async def ladder(self, area: Area) -> list[LadderRow]: ...

    async def conduct(self, area: Area, month: str) -> list[ConductRow]: ...

    async def tickets(self, area: Area) -> list[TicketRow]: ...
