"""`GET /v1/feedback/calls`: whom to call for feedback, as JSON or CSV; what came of a call is an action on the case."""

import csv
import io
from collections.abc import Iterable
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.contact import SealError
from agents.gateway.accesses import UNNAMED, Read, told
from agents.gateway.auth import ApiRole, allow, allow_system
from agents.gateway.call_rows import FORMATS, MOST, CallRow, districts
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.reading import answer, unknown_filters
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import AWAY, away
from agents.gateway.writing import CALLER
from agents.readmodel.calls import DueCall
from schemas.topics import INTAKE_SUBMITTED
from streams.profiles.load import departments, profiles
from streams.profiles.profile import Profile

CALLERS: Final = frozenset[ApiRole]({"call-centre"})
FILTERS: Final = ("system", "district", "department", "limit", "format")
USUAL: Final = 200


async def get_calls(request: web.Request) -> web.Response:
    """`GET /v1/feedback/calls?system=`: the longest due first."""
    services, caller = request.app[SERVICES], request[CALLER]
    allow(caller, CALLERS)
    profile, limit, form = _asked(request)
    allow_system(caller, profile.system)
    district, department = request.query.get("district"), request.query.get("department")
    try:
        found = await services.board.calls(profile.system)
    except AWAY as error:
        raise away(error) from None
    seen = [each for each in found if caller.may_see(each.visible_to)]
    there = [
        each
        for each in seen
        if district in {None, str(each.district)} and department in {None, each.department}
    ]  # fmt: skip
    read = [Read(each.case, profile.system, each.restricted or UNNAMED) for each in there[:limit] if each.visible_to]
    await told(services, caller, "feedback-calls", read)
    rows = [_row(services, profile, each) for each in there[:limit]]
    if form == "csv":
        return csv_answer(CallRow, rows)
    left = {"left": len(there) - len(rows), "hidden": len(found) - len(seen)}
    return no_store(answer({"system": profile.system, "rows": rows, **left}))


def _asked(request: web.Request) -> tuple[Profile, int, str]:
    query, errors = request.query, unknown_filters(request, FILTERS)
    profile = profiles().get(query.get("system", ""))
    if profile is None:
        errors.append(FieldError("system", f"must be one of {', '.join(sorted(profiles()))}"))
    if query.get("district") not in {None, *map(str, districts())}:
        errors.append(FieldError("district", "must be the LGD code of a district of some system"))
    if query.get("department") not in {None, *departments()}:
        errors.append(FieldError("department", f"must be one of {', '.join(sorted(departments()))}"))
    limit = query.get("limit", str(USUAL))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= len(str(MOST)) and 1 <= int(limit) <= MOST):
        errors.append(FieldError("limit", f"must be a number from 1 to {MOST}"))
    form = asked_form(request, errors)
    if errors or profile is None:
        raise Problem(Kind.INVALID_FIELDS, errors=errors)
    return profile, int(limit), form


def _row(services: Services, profile: Profile, call: DueCall) -> CallRow:
    return CallRow(
        case=call.case,
        mobile=opened(services, call.contact, call.case),
        due_at=call.due_at,
        attempt=call.attempt,
        of_attempts=profile.feedback.attempts,
        district=call.district,
        department=call.department,
        level=call.level,
        category=call.category,
    )


def opened(services: Services, sealed: str | None, subject: str, topic: str = INTAKE_SUBMITTED) -> str:
    """A number for who is to call it; empty where there is none, or it was sealed with a key that is gone."""
    try:
        return "" if sealed is None else services.identity.contacts.open_sealed(sealed, subject, topic)
    except SealError:
        return ""


def asked_form(request: web.Request, errors: list[FieldError]) -> str:
    form = request.query.get("format", "json")
    if form not in FORMATS:
        errors.append(FieldError("format", f"must be one of {', '.join(FORMATS)}"))
    return form


def csv_answer(kind: type[Struct], rows: Iterable[Struct]) -> web.Response:
    """A header line and a line each, UTF-8, as spreadsheets and diallers read it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, kind.__struct_fields__)
    writer.writeheader()
    writer.writerows(msgspec.to_builtins(each) for each in rows)
    return no_store(web.Response(text=text.getvalue(), content_type="text/csv"))


def no_store(response: web.Response) -> web.Response:
    """Nothing between keeps a list with numbers."""
    response.headers["Cache-Control"] = "no-store"
    return response
