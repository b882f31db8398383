"""`GET /v1/districts/{lgd}/board`: a district's live board, for whoever administers it."""

from typing import Any, Final

import msgspec
from aiohttp import web

from agents.clock import ClockNotSetError
from agents.gateway.accesses import Read, told
from agents.gateway.auth import BOARD_READERS, Caller, allow, allow_district
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.reading import unknown_filters
from agents.gateway.services import SERVICES
from agents.gateway.unavailable import AWAY, RETRY_UNAVAILABLE
from agents.gateway.writing import CALLER
from agents.readmodel.district import systems_of
from streams.profiles.load import profiles

LONGEST_CODE: Final = 6


async def get_board(request: web.Request) -> web.Response:
    """Every system that serves the district, or the one named by `system`."""
    services, caller = request.app[SERVICES], request[CALLER]
    allow(caller, BOARD_READERS)
    text = request.match_info["lgd"]
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_CODE):
        raise Problem(Kind.NOT_FOUND, "a district is named by its LGD code")
    district = int(text)
    # before anything is said about the district: who may not see it learns nothing of it
    allow_district(caller, district)
    if errors := unknown_filters(request, ("system",)):
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    systems = _within(caller, _systems(request, district))
    try:
        now = services.clock.now()
        boards = [
            await services.board.district(system, district, now, caller.sees, caller.department) for system in systems
        ]
    except ClockNotSetError as error:
        raise Problem(Kind.UNAVAILABLE, str(error), retry_after=RETRY_UNAVAILABLE) from None
    except AWAY:
        raise Problem(Kind.UNAVAILABLE, "the read model is away", retry_after=RETRY_UNAVAILABLE) from None
    read = [
        Read(each.case, board.system, each.restricted)
        for board in boards
        for each in board.defaulters_today
        if each.case is not None and each.restricted is not None
    ]
    await told(services, caller, "district-board", read)
    body: dict[str, Any] = {"district": district, "at": now, "systems": boards}
    return web.Response(
        body=msgspec.json.encode(body), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _within(caller: Caller, systems: list[str]) -> list[str]:
    """Of the systems asked for those the token is for; raises Problem FORBIDDEN where there is none."""
    found = [each for each in systems if caller.systems is None or each in caller.systems]
    if not found:
        raise Problem(Kind.FORBIDDEN, "the token is for other systems")
    return found


def _systems(request: web.Request, district: int) -> list[str]:
    there = systems_of(district)
    if not there:
        raise Problem(Kind.NOT_FOUND, "no system serves a district with this code")
    asked = request.query.get("system")
    if asked is None:
        return there
    if asked not in profiles():
        raise Problem(Kind.INVALID_FIELDS, errors=[FieldError("system", f"must be one of {', '.join(there)}")])
    if asked not in there:
        raise Problem(Kind.NOT_FOUND, f"the district is served by {', '.join(there)}")
    return [asked]
