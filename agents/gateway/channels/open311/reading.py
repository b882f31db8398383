"""`GET requests`, one request, `tokens`: how numbers stand, and lists by when they were registered."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, NamedTuple

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from agents.gateway import accesses
from agents.gateway.accesses import UNNAMED, Read
from agents.gateway.auth import Caller
from agents.gateway.channels.open311.entering import Served, jurisdiction, reader
from agents.gateway.channels.open311.formats import refusal, told
from agents.gateway.channels.open311.showing import STATUSES, ServiceRequest, of_board, of_view
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.reading import shown, unknown_filters
from agents.gateway.records import profile_of_case
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import AWAY, away
from agents.gateway.writing import received_at
from agents.readmodel.keys import LISTED_KEPT_MS
from agents.readmodel.listing import MOST_LOOKED_AT
from agents.readmodel.views import CaseView
from streams.profiles.profile import DAY_MS, Profile

FILTERS: Final = (
    "jurisdiction_id",
    "api_key",
    "service_request_id",
    "service_code",
    "start_date",
    "end_date",
    "status",
)
LONGEST_SPAN_MS: Final = 90 * DAY_MS
"""The page's limit, and what it asks for where a client names no dates (stated)."""
MOST_NUMBERS: Final = 50
"""Numbers asked for at once: each is looked up by itself."""
Dated = Annotated[datetime, Meta(tz=True)]


class Token(Struct, frozen=True):
    """The number a request has in the end: another one where it was linked to an earlier request."""

    service_request_id: str
    token: str


class Wanted(NamedTuple):
    """What a list is asked for; instants in UTC ms, both included."""

    codes: frozenset[str]
    statuses: frozenset[str]
    since: int
    until: int

    def takes(self, view: CaseView, caller: Caller) -> bool:
        return (
            (not self.codes or view.category in self.codes)
            and STATUSES[view.status][0] in self.statuses
            and caller.may_see(view.visible_to)
        )


async def get_request(served: Served, request: web.Request) -> web.Response:
    """How one number stands."""
    caller = reader(served, request)
    case = request.match_info["case"]
    return told(served.form, "service_requests", [await _one(request, caller, case)])


async def get_token(served: Served, request: web.Request) -> web.Response:
    """The number that a number given out has become: a request is numbered at once, so it is its own token."""
    caller = reader(served, request)
    found = await _one(request, caller, request.match_info["token"])
    other = found.extended_attributes.duplicate_of
    return told(served.form, "service_requests", [Token(other or found.service_request_id, found.service_request_id)])


async def get_requests(served: Served, request: web.Request) -> web.Response:
    """The numbers asked for, or the latest requests of a system that the filters let through."""
    services, caller = request.app[SERVICES], reader(served, request)
    errors = unknown_filters(request, FILTERS)
    numbers = _several(request, "service_request_id")
    if len(numbers) > MOST_NUMBERS:
        errors.append(FieldError("service_request_id", f"at most {MOST_NUMBERS} at once"))
    if errors:
        raise refusal(errors)
    if numbers:
        found = await asyncio.gather(*(_known(request, caller, number) for number in numbers))
        return told(served.form, "service_requests", [each for each in found if each is not None])
    profile = jurisdiction(request.query)
    return told(served.form, "service_requests", await _list(request, services, caller, profile))


async def _one(request: web.Request, caller: Caller, case: str) -> ServiceRequest:
    profile = profile_of_case(case)
    if request.query.get("jurisdiction_id") and jurisdiction(request.query) is not profile:
        raise Problem(Kind.NOT_FOUND, "service_request_id: no such request in this jurisdiction")
    found = await shown(request.app[SERVICES], caller, case)
    if profile is None:
        raise Problem(Kind.NOT_FOUND, "service_request_id: no such request")
    return of_board(found, profile)


async def _known(request: web.Request, caller: Caller, case: str) -> ServiceRequest | None:
    try:
        return await _one(request, caller, case)
    except Problem as problem:
        if problem.kind is Kind.NOT_FOUND:
            return None
        raise


async def _list(request: web.Request, services: Services, caller: Caller, profile: Profile) -> list[ServiceRequest]:
    now = received_at(services, {})
    wanted = _wanted(request, profile, now)
    try:
        found = await services.board.registered(
            profile.system, wanted.since, wanted.until, lambda view: wanted.takes(view, caller)
        )
    except AWAY as error:
        raise away(error) from None
    if not found.whole:
        said = f"more than {MOST_LOOKED_AT} requests lie between start_date and end_date: ask for fewer days"
        raise refusal([FieldError("start_date", said)])
    read = [Read(each.case, each.system, each.restricted or UNNAMED) for each in found.views if each.visible_to]
    await accesses.told(services, caller, "case", read)
    return [of_view(view, profile) for view in found.views]


def _wanted(request: web.Request, profile: Profile, now: int) -> Wanted:
    codes, statuses = frozenset(_several(request, "service_code")), frozenset(_several(request, "status"))
    since, until = _instant(request, "start_date"), _instant(request, "end_date")
    errors = [
        *(each for each in (since, until) if isinstance(each, FieldError)),
        *(
            FieldError("service_code", "no such service in this jurisdiction")
            for _ in codes - profile.categories.keys()
        ),
        *(FieldError("status", "must be open or closed") for _ in statuses - {"open", "closed"}),
    ]
    if errors or isinstance(since, FieldError) or isinstance(until, FieldError):
        raise refusal(dict.fromkeys(errors))
    until = now if until is None else until
    if since is None:
        since = max(until - LONGEST_SPAN_MS, now - LISTED_KEPT_MS)
    if errors := list(_span_errors(since, until, now)):
        raise refusal(errors)
    return Wanted(codes, statuses or frozenset({"open", "closed"}), since, until)


def _span_errors(since: int, until: int, now: int) -> Iterator[FieldError]:
    if until < since:
        yield FieldError("end_date", "lies before start_date")
    if until - since > LONGEST_SPAN_MS:
        yield FieldError("start_date", "lies more than 90 days before end_date")
    if since < now - LISTED_KEPT_MS:
        days = LISTED_KEPT_MS // DAY_MS
        yield FieldError("start_date", f"not served: lists reach {days} days back; older requests are read by number")


def _instant(request: web.Request, name: str) -> int | FieldError | None:
    given = request.query.get(name, "")
    if not given:
        return None
    try:
        return round(msgspec.convert(given, Dated).timestamp() * 1000)
    except msgspec.ValidationError:
        return FieldError(name, "must be a date and time with its offset, such as 2026-01-31T00:00:00Z")


def _several(request: web.Request, name: str) -> list[str]:
    """The values of a filter that may be named several times or hold several, separated by commas."""
    given = (each.strip() for value in request.query.getall(name, []) for each in value.split(","))
    return list(dict.fromkeys(each for each in given if each))
