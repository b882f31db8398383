"""A case as a service request: the page's fields, and what it has no field for among the extended attributes."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from agents.gateway.channels.open311.offered import in_first
from agents.readmodel.views import CaseView
from schemas.codec import iso
from streams.profiles.profile import Name, Profile

Status = Literal["open", "closed"]
STATUSES: Final[Mapping[str, tuple[Status, Name]]] = {
    "accepted": ("open", Name("प्राप्त, दर्ज हो रही है", "received, being registered")),
    "registered": ("open", Name("दर्ज", "registered")),
    "open": ("open", Name("कार्यालय में लम्बित", "pending at the office")),
    "disposed": ("open", Name("निस्तारित, शिकायतकर्ता की पुष्टि शेष", "disposed, the citizen is asked to confirm")),
    "closed": ("closed", Name("बंद", "closed")),
    "recorded": ("closed", Name("दर्ज कर संबंधित को भेजा गया", "recorded and forwarded")),
    "duplicate": ("closed", Name("पहले से दर्ज: {other}", "registered before as {other}")),
    "rejected": ("closed", Name("नहीं ली गई: {detail}", "not taken: {detail}")),
}
"""State of a number -> the status of the page, and its notes: `disposed` is no end, the citizen has the last word."""
SATISFACTION: Final = frozenset({"satisfied", "satisfaction-unknown", "dissatisfied"})


class Shown(Struct, frozen=True):
    """What is shown of a number, as far as the caller may see it."""

    case: str
    status: str
    system: str = ""
    category: str | None = None
    department: str | None = None
    district: int | None = None
    units: dict[str, str] = {}
    level: int | None = None
    office: str | None = None
    registered_at: int | None = None
    accepted_at: int | None = None
    at: int | None = None
    closed_at: int | None = None
    due_at: int | None = None
    outcome: str | None = None
    escalations: int | None = None
    duplicate_of: str = ""
    detail: str = ""


class Extended(Struct, frozen=True):
    """What the page has no field for."""

    state: str
    level: int | None
    due: str | None
    """RFC 3339; the page's `expected_datetime` says the same."""
    owner_office: str | None
    satisfaction: str | None
    """Of a closed case: what the citizen said of the disposal."""
    escalations: int | None
    duplicate_of: str | None


class ServiceRequest(Struct, frozen=True, kw_only=True):
    """The page's fields; those that are never known here are null."""

    service_request_id: str
    status: Status
    status_notes: str
    service_name: str | None
    service_code: str | None
    description: None = None
    """Never: what a citizen wrote is for the office that has the case."""
    agency_responsible: str | None
    service_notice: None = None
    requested_datetime: str | None
    updated_datetime: str | None
    expected_datetime: str | None
    address: str | None
    address_id: None = None
    zipcode: None = None
    lat: None = None
    long: None = None
    media_url: None = None
    extended_attributes: Extended


def of_board(found: dict[str, Any], profile: Profile) -> ServiceRequest:
    """What the board shows of a number."""
    return service_request(msgspec.convert(found, Shown), profile)


def of_view(view: CaseView, profile: Profile) -> ServiceRequest:
    """A case of a list."""
    return service_request(msgspec.convert(view, Shown, from_attributes=True), profile)


def service_request(shown: Shown, profile: Profile) -> ServiceRequest:
    """What is shown, in the page's words."""
    status, notes = STATUSES[shown.status]
    category = profile.categories.get(shown.category or "")
    department = profile.departments.get(shown.department or "")
    registered_at = shown.registered_at if shown.registered_at is not None else shown.accepted_at
    closed_at = shown.closed_at if status == "closed" else None
    due = _instant(shown.due_at)
    return ServiceRequest(
        service_request_id=shown.case,
        status=status,
        status_notes=in_first(profile, notes).format(other=shown.duplicate_of, detail=shown.detail),
        service_name=None if category is None else in_first(profile, category.name),
        service_code=shown.category,
        agency_responsible=None if department is None else in_first(profile, department.name),
        requested_datetime=_instant(registered_at),
        updated_datetime=_instant(closed_at if closed_at is not None else shown.at),
        expected_datetime=due,
        address=_address(shown, profile),
        extended_attributes=Extended(
            state=shown.status,
            level=shown.level or None,
            due=due,
            owner_office=shown.office or None,
            satisfaction=shown.outcome if shown.outcome in SATISFACTION else None,
            escalations=shown.escalations,
            duplicate_of=shown.duplicate_of or None,
        ),
    )


def _instant(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _address(shown: Shown, profile: Profile) -> str | None:
    """From the smallest unit to the district, as far as the case's place goes."""
    district = profile.districts.get(shown.district or 0)
    if district is None:
        return None
    return ", ".join([*(f"{kind} {code}" for kind, code in shown.units.items()), in_first(profile, district.name)])
