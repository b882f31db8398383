"""What the telephony provider tells of calls, and what the call centre is told: calls to return, recordings to cite."""

import logging
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from agents.gateway.auth import allow, allow_system
from agents.gateway.calling import CALLERS, asked_form, csv_answer, no_store
from agents.gateway.channels.common import known, plainly, secrets_of, system_of
from agents.gateway.channels.ivr.recordings import HttpRecordings, RecordingAwayError, Recordings
from agents.gateway.channels.ivr.settings import IvrSettings, names_of
from agents.gateway.channels.ivr.tasks import CallBack, Tasks
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.reading import answer, unknown_filters
from agents.gateway.requests import Mobile
from agents.gateway.routes import Route
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from agents.gateway.writing import CALLER, received_at
from agents.settings import load
from schemas.base import Recording

PATH: Final = "/channels/ivr/calls"
CHANNEL: Final = "call"
TIME: Final = "%Y-%m-%d %H:%M:%S"
CALL: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
LONGEST_REF: Final = 200

logger = logging.getLogger(__name__)


class Told(NamedTuple):
    """What the provider says of a call; empty where it does not say."""

    call: str
    caller: str
    missed: bool
    recording: str
    started: str
    seconds: str
    sha256: str


def routes(environ: Mapping[str, str] | None) -> tuple[Route, ...]:
    """The channel, where it is set up; raises SettingsError."""
    settings = load(IvrSettings, environ)
    if not settings.ivr_system:
        return ()
    channel = Telephony(settings)
    return (
        Route("GET", PATH, channel.tell, "channel", plainly, channel.serving),
        Route("POST", PATH, channel.tell, "channel", plainly),
        Route("GET", "/v1/call-backs", channel.due),
        Route("POST", "/v1/call-backs/{id}/done", channel.done),
        Route("GET", "/v1/recordings/{call}", channel.recording),
    )


class Telephony:
    """The channel as it is set up."""

    def __init__(self, settings: IvrSettings) -> None:
        self._settings = settings
        self._profile = system_of(settings.ivr_system, CHANNEL, "NIVARAN_IVR_SYSTEM")
        self._keys = secrets_of(settings.ivr_keys, "NIVARAN_IVR_KEYS")
        self._names = names_of(settings.ivr_parameters)
        self._missed = frozenset(each.strip() for each in settings.ivr_missed.split(","))
        self._recordings: Recordings | None = None

    async def serving(self, _app: web.Application) -> AsyncIterator[None]:
        settings = self._settings
        self._recordings = HttpRecordings(
            settings.ivr_recordings_login, timeout=settings.ivr_timeout, largest=settings.ivr_largest
        )
        yield
        await self._recordings.close()

    async def tell(self, request: web.Request) -> web.Response:
        """`GET` (query) or `POST` (form) `/channels/ivr/calls`: a call began, ended, was missed or recorded."""
        services = request.app[SERVICES]
        sent = {**request.query}
        if request.method == "POST":
            sent |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        if not known(sent.get(self._names.key, ""), self._keys):
            raise Problem(Kind.UNAUTHENTICATED, f"the parameter {self._names.key} holds no key that is known")
        told = self._told(sent)
        outcomes = [await self._note(services, told)] if told.missed else []
        if told.recording:
            outcomes.append(await self._keep(services, told))
        for outcome in outcomes or ["told"]:
            services.metrics.messages.labels("ivr", outcome).inc()
        return web.Response(text="ok")

    def _told(self, sent: Mapping[str, str]) -> Told:
        names, errors = self._names, list[FieldError]()
        call, caller = sent.get(names.call, "").strip(), sent.get(names.caller, "").strip()
        if not CALL.fullmatch(call):
            errors.append(FieldError(names.call, "must be the call's id: 1 to 128 letters, digits, . _ : -"))
        incoming = sent.get(names.direction, "").strip().lower() == self._settings.ivr_incoming
        missed = incoming and sent.get(names.outcome, "").strip().lower() in self._missed
        if missed:
            try:
                msgspec.convert(caller, Mobile)
            except msgspec.ValidationError:
                errors.append(FieldError(names.caller, "must be the caller's telephone number of 10 to 15 digits"))
        if errors:
            raise Problem(Kind.INVALID_FIELDS, "Parameters cannot be taken", errors=errors)
        rest = (sent.get(each, "").strip() for each in (names.recording, names.started, names.seconds, names.sha256))
        return Told(call, caller, missed, *rest)

    async def _note(self, services: Services, told: Told) -> str:
        tasks = Tasks(services, self._profile.system, self._settings.ivr_days)
        new = await tasks.missed(told.call, told.caller, received_at(services, None))
        return "missed" if new else "repeated"

    async def _keep(self, services: Services, told: Told) -> str:
        """Keep where a recording is and its hash, which is taken of what is there now."""
        place = self._settings.ivr_recordings
        if not place:
            return "recording-not-taken"
        tasks = Tasks(services, self._profile.system, self._settings.ivr_days)
        started, duration, ref, errors = *self._times(told), _ref(told.recording, place), list[FieldError]()
        if started is None:
            errors.append(FieldError(self._names.started, "must be a local time like 2026-02-23 13:30:20"))
        if duration is None:
            errors.append(FieldError(self._names.seconds, "must be whole seconds"))
        if ref is None:
            errors.append(FieldError(self._names.recording, f"must be an address below {place}"))
        if told.sha256 and not SHA256.fullmatch(told.sha256):
            errors.append(FieldError(self._names.sha256, "must be 64 hexadecimal digits"))
        if started is None or duration is None or ref is None or errors:
            raise Problem(Kind.INVALID_FIELDS, "Parameters cannot be taken", errors=errors)
        if await tasks.recording(told.call) is not None:
            return "repeated"
        sha256 = told.sha256 or await self._hash(told.recording)
        await tasks.keep(told.call, Recording(self._settings.ivr_store, ref, sha256, started, duration))
        return "recorded"

    def _times(self, told: Told) -> tuple[int | None, int | None]:
        """When the call began, UTC ms, and how long it was, ms."""
        try:
            local = datetime.strptime(told.started, TIME).replace(tzinfo=ZoneInfo(self._profile.zone))
        except ValueError:
            started = None
        else:
            started = round(local.timestamp() * 1000)
        whole = told.seconds.isascii() and told.seconds.isdecimal() and len(told.seconds) <= 6  # noqa: PLR2004 - eleven days
        return started, int(told.seconds) * 1000 if whole else None

    async def _hash(self, url: str) -> str:
        assert self._recordings is not None
        try:
            return await self._recordings.sha256(url)
        except RecordingAwayError as error:
            logger.warning("a recording cannot be fetched (%s)", error)
            detail = "the recording cannot be fetched now; tell of it again"
            raise Problem(Kind.UNAVAILABLE, detail, retry_after=RETRY_UNAVAILABLE) from None

    async def due(self, request: web.Request) -> web.Response:
        """`GET /v1/call-backs`: calls to return, as JSON or CSV."""
        services = request.app[SERVICES]
        allow(request[CALLER], CALLERS)
        allow_system(request[CALLER], self._profile.system)
        errors = unknown_filters(request, ("format",))
        form = asked_form(request, errors)
        if errors:
            raise Problem(Kind.INVALID_FIELDS, errors=errors)
        rows = await Tasks(services, self._profile.system, self._settings.ivr_days).due()
        if form == "csv":
            return csv_answer(CallBack, rows)
        return no_store(answer({"system": self._profile.system, "rows": rows}))

    async def done(self, request: web.Request) -> web.Response:
        """`POST /v1/call-backs/{id}/done`: somebody called back; a later missed call begins a new task."""
        services = request.app[SERVICES]
        allow(request[CALLER], CALLERS)
        allow_system(request[CALLER], self._profile.system)
        tasks = Tasks(services, self._profile.system, self._settings.ivr_days)
        if not await tasks.done(request.match_info["id"]):
            raise Problem(Kind.NOT_FOUND, "no such call to return, or it was returned before")
        return web.Response(status=204)

    async def recording(self, request: web.Request) -> web.Response:
        """`GET /v1/recordings/{call}`: the reference that an action on a case cites."""
        services = request.app[SERVICES]
        allow(request[CALLER], CALLERS)
        allow_system(request[CALLER], self._profile.system)
        tasks = Tasks(services, self._profile.system, self._settings.ivr_days)
        found = await tasks.recording(request.match_info["call"])
        if found is None:
            raise Problem(Kind.NOT_FOUND, "no recording of a call with this id is known")
        return no_store(answer(found))


def _ref(url: str, place: str) -> str | None:
    """Where below `place` it is; None where it is elsewhere: another host, up and out, another address in disguise."""
    below = url.removeprefix(place)
    path = unquote(urlsplit(url).path)
    plain = url.startswith(place) and not {"..", "."} & set(path.split("/")) and "\\" not in path
    return below if plain and 0 < len(below) <= LONGEST_REF else None
