"""Officers over HTTP: what the portal and administrators tell of them, and the lists, each within its district."""

import re
from typing import Final

from aiohttp import web

from agents.gateway.activities import (
    ACTIVITIES,
    LISTS,
    PERIODS,
    PORTAL,
    ActivityAnswer,
    Question,
    activity,
    departments,
    districts,
    system_of,
    unknown_system,
)
from agents.gateway.auth import ADMINISTRATORS, BOARD_READERS, Caller, allow, allow_district, allow_system
from agents.gateway.log import Entry
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.reading import answer, unknown_filters
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import AWAY, away
from agents.gateway.writing import CALLER, append, idempotency_key, json_body, received_at, traceparent
from agents.readmodel.officer_reader import Area
from schemas import officers as o
from schemas.officers import OFFICER_ID
from schemas.topics import OFFICER_ACTIVITY
from streams.calendar import day_key, month_key
from streams.officers.place import office_key
from streams.profiles.profile import DAY_MS

OFFICER: Final = re.compile(OFFICER_ID)
FILTERS: Final = ("system", "district", "department")


async def post_activity(request: web.Request) -> web.Response:
    """`POST /v1/officers/{officer}/activity`: the officers stage knows a repeat by its id, so Redis is not asked."""
    services, caller = request.app[SERVICES], request[CALLER]
    allow(caller, PORTAL | ADMINISTRATORS)
    officer = request.match_info["officer"]
    if not OFFICER.fullmatch(officer):
        raise Problem(Kind.NOT_FOUND, "no officer can have this id")
    key, body = idempotency_key(request), await json_body(request)
    command, errors = activity(body, officer, key, received_at(services, body))
    if command is None:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    allow(caller, ACTIVITIES[body["type"]][1])
    await _within(services, caller, command)
    now = received_at(services, body)
    subject = office_key(command.system, officer)
    entry = Entry(OFFICER_ACTIVITY, subject, command.id, command, command.at, now, traceparent(request))
    await append(services, "officer-activity", entry)
    return answer(ActivityAnswer(officer, command.id), status=202)


async def _within(services: Services, caller: Caller, command: o.OfficerTold) -> None:
    """An officer tells of himself, a district administrator of officers of his own district only."""
    allow_system(caller, command.system)
    if caller.officer is not None:
        if command.officer != caller.officer:
            raise Problem(Kind.FORBIDDEN, "the token is for another officer")
        return
    if caller.districts is None:
        return
    try:
        found = await services.board.officer(command.system, command.officer)
    except AWAY as error:
        raise away(error) from None
    if found is None:
        raise Problem(Kind.FORBIDDEN, "the board does not know where this officer is")
    allow_district(caller, found.district)


async def get_list(request: web.Request) -> web.Response:
    """`GET /v1/officers/<list>`: of a system, a district, a department; a token for districts sees those only."""
    services, caller = request.app[SERVICES], request[CALLER]
    allow(caller, BOARD_READERS)
    name = request.path.rpartition("/")[2]
    listed = LISTS[name]
    if errors := unknown_filters(request, (*FILTERS, *filter(None, [listed.parameter]))):
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    question = _question(request, caller, received_at(services, None))
    try:
        rows = await listed.read(services.board, question)
    except AWAY as error:
        raise away(error) from None
    of = {"day": question.day} if name == "absent" else {"month": question.month} if name == "conduct" else {}
    return answer(
        {"system": question.area.system, "districts": sorted(question.area.districts or ()), **of, "rows": rows}
    )


def _question(request: web.Request, caller: Caller, now: int) -> Question:
    query = request.query
    errors: list[FieldError] = []
    profile = system_of(query.get("system", ""))
    if profile is None:
        raise Problem(Kind.INVALID_FIELDS, errors=[unknown_system()])
    last_day = day_key(now - profile.windows.lateness_ms - DAY_MS, profile.zone)
    day, month = query.get("day", last_day), query.get("month", month_key(now, profile.zone))
    department, district = query.get("department"), _district(query.get("district"), errors)
    if department is not None and department not in departments():
        errors.append(FieldError("department", f"must be one of {', '.join(departments())}"))
    if not re.fullmatch(PERIODS["day"], day):
        errors.append(FieldError("day", "must be a local day, like 2026-02-28"))
    if not re.fullmatch(PERIODS["month"], month):
        errors.append(FieldError("month", "must be a local month, like 2026-02"))
    if errors:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    allow_system(caller, profile.system)
    if district is not None:
        allow_district(caller, district)
    if caller.department is not None and department not in {None, caller.department}:
        raise Problem(Kind.FORBIDDEN, "the token is for another department")
    there = caller.districts if district is None else frozenset({district})
    return Question(Area(profile.system, there, department or caller.department), now, day, month)


def _district(given: str | None, errors: list[FieldError]) -> int | None:
    if given is None:
        return None
    known = given.isascii() and given.isdecimal() and len(given) < 7 and int(given) in districts()  # noqa: PLR2004 - codes are far shorter
    if not known:
        errors.append(FieldError("district", "must be the LGD code of a district of some system, or 0"))
    return int(given) if known else None
