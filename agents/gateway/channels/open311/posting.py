"""`POST requests`: a form that becomes a submission, once per request of a client, and is answered with its number."""

from typing import Final

from aiohttp import web
from msgspec import Struct

from agents.gateway import records
from agents.gateway.auth import Caller
from agents.gateway.channels.open311.asking import Form, complaint_of, in_own_words, read_form
from agents.gateway.channels.open311.entering import Served, client, jurisdiction
from agents.gateway.channels.open311.formats import refusal, told
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.services import SERVICES, Services
from agents.gateway.writing import KEY, Once, idempotency_key, received_at, submit, traceparent
from schemas.base import Channel
from streams.ids import case_id, digest
from streams.intake.validate import category_faults
from streams.profiles.profile import Name, Profile

KEY_LENGTH: Final = 32
NOT_KEPT: Final = Name(
    "यह जानकारी नहीं रखी गई: {names}",
    "Not kept, because a complaint has no place for it: {names}",
)


class Taken(Struct, frozen=True):
    """A request that was taken."""

    service_request_id: str
    service_notice: str | None
    account_id: None = None


async def post_request(served: Served, request: web.Request) -> web.Response:
    """Take a request: durable when it is answered, and its number is known."""
    services = request.app[SERVICES]
    form = await read_form(request, served.settings.open311_media)
    fields = {**request.query, **form.fields}
    caller = client(services, fields)
    profile = jurisdiction(fields)
    done = await _taken(served, services, caller, profile, form, request)
    headers = {"Idempotency-Replayed": "true"} if done.replayed else None
    notice = _notice(form, profile)
    return told(served.form, "service_requests", [Taken(done.answer.case, notice)], headers=headers)


async def _taken(
    served: Served, services: Services, caller: Caller, profile: Profile, form: Form, request: web.Request
) -> Once:
    channel = served.settings.open311_channel
    now = received_at(services, {})
    profile = profile.at(now)
    _known(form, profile)
    body, errors = complaint_of(form, profile, channel, now)
    given = _given_key(form, request)
    if isinstance(given, FieldError):
        errors.append(given)
    if errors:  # what is wrong with the body is told in the same answer
        _, more = records.complaint(body, "", now, services.identity)
        named = {error.field for error in errors}
        raise refusal([*errors, *(each for each in in_own_words(more) if each.field not in named)])
    if isinstance(given, str):
        key = _key(caller, given)
    else:
        window_ms = served.settings.open311_window * 1000
        key = await _key_of_body(services, caller, body, profile, channel, now=now, window_ms=window_ms)
    try:
        return await submit(services, body, key, traceparent(request))
    except Problem as problem:
        if problem.kind is not Kind.INVALID_FIELDS:
            raise
        raise refusal(in_own_words(list(problem.errors))) from None


def _known(form: Form, profile: Profile) -> None:
    """A service that there is not is answered 404; a subject that is no grievance, with the rest of the body, 400."""
    code = form.fields.get("service_code")
    if code is not None and code not in profile.not_taken:
        for fault in category_faults(profile, code[:64]):
            raise Problem(Kind.NOT_FOUND, f"service_code: {fault.detail}")


def _given_key(form: Form, request: web.Request) -> str | FieldError | None:
    """The client's own key for the request: the header of the API, or a field of the form; raises Problem."""
    if "Idempotency-Key" in request.headers:
        return idempotency_key(request)
    given = form.fields.get("idempotency_key")
    if given is None or KEY.fullmatch(given):
        return given
    return FieldError("idempotency_key", "must have 8 to 128 visible ASCII characters")


def _key(caller: Caller, *parts: str) -> str:
    """A key of the flow: each client's own, and none that another door of the same channel could use."""
    return f"open311-{digest(caller.digest, *parts, length=KEY_LENGTH)}"


async def _key_of_body(
    services: Services, caller: Caller, body: object, profile: Profile, channel: Channel, *, now: int, window_ms: int
) -> str:
    """One key for the same body of the same client within a window, which begins with the first of them.

    The windows of the clock are what it goes by while Redis is away: a repeat across their edge is a submission of its
    own then, which intake links to the first as the same citizen's duplicate.
    """
    print_of_body = services.keys.fingerprint(body)
    number = now // window_ms
    before = _key(caller, print_of_body, str(number - 1))
    first = await services.keys.accepted(case_id(profile.code, channel, before))
    if first is not None and now - first.at < window_ms:
        return before
    return _key(caller, print_of_body, str(number))


def _notice(form: Form, profile: Profile) -> str | None:
    if not form.not_kept:
        return None
    language = form.attributes.get("language", profile.languages[0])
    return (NOT_KEPT.hi if language == "hi" else NOT_KEPT.en).format(names=", ".join(form.not_kept))
