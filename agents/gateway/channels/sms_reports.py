"""Delivery reports in the SMS gateways' own forms: NIC's, Mobile Seva's as it was fetched, SMPP's; each a receipt."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web
from msgspec import Struct

from agents.gateway.channels.common import known, secrets_of
from agents.gateway.log import Entry
from agents.gateway.metrics import ReportForm
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.records import clamped
from agents.gateway.routes import Handler, Route
from agents.gateway.services import SERVICES, Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from agents.gateway.writing import RECEIPT_LATENESS_MS, append, received_at, traceparent
from agents.settings import load
from agents.sms.memory import ref_key
from schemas.sms import SmsReceipt
from schemas.topics import SMS_REQUESTED

LONGEST_REF: Final = 64
COLUMNS: Final = 3
LOOK_AGAIN_S: Final = (0.25, 1.0)
"""A report can be faster than the sender's note of the id it names: it is looked up again after these waits."""
INDIA: Final = ZoneInfo("Asia/Kolkata")
Result = Literal["taken", "not-final", "unmatched", "refused"]
"""`not-final`: it is still on its way, nothing is written. `unmatched`: no SMS is known by the gateway's id."""
MEANS: Final[Mapping[str, bool | None]] = MappingProxyType(
    {
        "DELIVRD": True,
        "DELIVERED": True,
        "UNDELIV": False,
        "EXPIRED": False,
        "DELETED": False,
        "REJECTD": False,
        "FAILED": False,
        "FAILEDBYTELCO": False,
        "SUBMITTED": None,
        "ENROUTE": None,
        "ACCEPTD": None,
        "UNKNOWN": None,
    }
)
"""Status -> delivered or not, None: not final. The words of SMPP 3.4 (appendix B) and of Mobile Seva's report."""


class SmsReportSettings(Struct, frozen=True):
    """Reports are taken where a key is set; the gateway has it in the address it was given, as `key=`."""

    sms_report_keys: str = ""
    """One key, or two while one replaces the other, separated by a comma; each at least 16 characters."""


class Report(NamedTuple):
    """What a report says: the gateway's own id of the message, the status word, and when (None: it does not say)."""

    ref: str
    status: str
    at: datetime | None = None


def sms_reports(environ: Mapping[str, str] | None) -> tuple[Route, ...]:
    """Routes of both forms; none without a key. Raises SettingsError."""
    settings = load(SmsReportSettings, environ)
    if not settings.sms_report_keys.strip(" ,"):
        return ()
    keys = secrets_of(settings.sms_report_keys, "NIVARAN_SMS_REPORT_KEYS")
    return (
        Route("GET", "/channels/sms/nic/reports", _handler("nic", keys), "channel", in_words),
        Route("GET", "/channels/sms/smpp/reports", _handler("smpp", keys), "channel", in_words),
        Route("POST", "/channels/sms/mobile-seva/reports", _handler("mobile-seva", keys), "channel", in_words),
    )


def in_words(problem: Problem) -> web.Response:
    """Plain text: these callers read no JSON."""
    lines = [f"ERROR: {problem.detail}", *(f"{error.field}: {error.detail}" for error in problem.errors)]
    return web.Response(status=problem.kind.status, text="\n".join(lines), headers=dict(problem.headers))


def _handler(form: ReportForm, keys: tuple[bytes, ...]) -> Handler:
    async def take(request: web.Request) -> web.Response:
        reports = request.app[SERVICES].metrics.sms_reports
        if not known(request.query.get("key", ""), keys):
            raise Problem(Kind.UNAUTHENTICATED, "key: not known")
        try:
            report = await _read(request, form)
        except (Problem, UnicodeDecodeError) as error:
            reports.labels(form, "refused").inc()
            raise error if isinstance(error, Problem) else _bad("body", "must be UTF-8") from None
        result = await _take(request, form, report)
        reports.labels(form, result).inc()
        if result == "unmatched":
            raise Problem(Kind.NOT_FOUND, "no SMS is known by this id")
        return web.Response(text="Ok")

    return take


async def _read(request: web.Request, form: ReportForm) -> Report:
    query = request.query
    match form:
        case "nic":
            return _parameters(query, "a2wackid", "carrierstatus")
        case "smpp":  # from our own sender, which has the session
            return _parameters(query, "id", "stat")
        case "mobile-seva":
            return _mobile_seva(query, (await request.read()).decode())


def _parameters(query: Mapping[str, str], ref: str, status: str) -> Report:
    return Report(_ref(ref, query.get(ref, "")), _status(status, query.get(status, "")))


def _mobile_seva(query: Mapping[str, str], body: str) -> Report:
    """`msgid` in the query, and the one line of the report: number, status, time of India."""
    ref = _ref("msgid", query.get("msgid", ""))
    lines = body.split("\n")
    columns = lines[0].strip().split(",")
    if any(line.strip() for line in lines[1:]) or len(columns) != COLUMNS:
        raise _bad("body", "one line: number,status,YYYY-MM-DD HH:MM:SS")
    status = _status("status", columns[1].strip())
    if MEANS[status] is None:
        return Report(ref, status)
    try:
        at = datetime.strptime(columns[2].strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=INDIA)
    except ValueError:
        raise _bad("time", "YYYY-MM-DD HH:MM:SS") from None
    return Report(ref, status, at)


def _ref(field: str, given: str) -> str:
    if not (0 < len(given) <= LONGEST_REF and given.isascii() and given.isprintable()):
        raise _bad(field, f"the gateway's id of the message, at most {LONGEST_REF} characters")
    return given


def _status(field: str, given: str) -> str:
    word = given.upper()
    if word not in MEANS:
        raise _bad(field, f"must be one of {', '.join(MEANS)}")
    return word


def _bad(field: str, detail: str) -> Problem:
    return Problem(Kind.INVALID_FIELDS, errors=[FieldError(field, detail)])


async def _take(request: web.Request, form: ReportForm, report: Report) -> Result:
    services = request.app[SERVICES]
    delivered = MEANS[report.status]
    if delivered is None:
        return "not-final"
    sms = await _named(services, ref_key(form, report.ref))
    if sms is None:
        return "unmatched"
    now = received_at(services, None)
    at = clamped(report.at, now, RECEIPT_LATENESS_MS)
    receipt = SmsReceipt(sms, at, delivered, "" if delivered else report.status.lower())
    entry = Entry(SMS_REQUESTED, receipt.id, f"receipt-{receipt.id}", receipt, at, now, traceparent(request))
    await append(services, "receipt", entry)
    return "taken"


async def _named(services: Services, key: str) -> str | None:
    """The SMS id kept under a gateway's id; raises Problem UNAVAILABLE."""
    for wait in (0.0, *LOOK_AGAIN_S):
        await asyncio.sleep(wait)
        raw = await services.redis.ask("sms-report", "GET", key)
        if raw is not None:
            return str(raw, "ascii")
        if services.redis.away:
            raise Problem(Kind.UNAVAILABLE, "the ids of messages cannot be looked up", retry_after=RETRY_UNAVAILABLE)
    return None
