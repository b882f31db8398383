"""Input that cannot be taken: broken at the door, or put on a topic by a writer that keeps no rules."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from agents.simulate.draws import Draws
from agents.simulate.lines import Line, Way
from agents.simulate.truth import Truth
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import case_id, digest

NO_DISTRICT: Final = 999_999
Body = dict[str, Any]


def _not_json(body: Body) -> Body | None:
    del body
    return None


def _without(field: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name != field}


def _with(**changed: Any) -> Callable[[Body], Body]:
    return lambda body: body | changed


AT_THE_DOOR: Final[tuple[Callable[[Body], Body | None], ...]] = (
    _not_json,
    _without("text"),
    _with(category="bijli"),
    _with(place={"district": NO_DISTRICT}),
    _with(mobile="12"),
)
"""What the gateway and the loader refuse, naming the field."""

ON_THE_WIRE: Final[tuple[tuple[str, Callable[[Body], Body | None]], ...]] = (
    ("dead malformed", _not_json),
    ("dead invalid", _without("category")),
    ("rejected unknown-category", _with(category="bijli")),
    ("rejected unknown-district", _with(place={"district": NO_DISTRICT})),
)
"""What intake makes of a submission that came past the gateway."""


class Faults:
    """Writes lines that cannot be taken, and counts what must become of them."""

    def __init__(self, draws: Draws, truth: Truth, emit: Callable[[Line], None]) -> None:
        self._draws, self._truth, self._emit = draws, truth, emit
        self._count = 0

    def submission(self, at: int, body: Body) -> None:
        """A complaint that cannot be taken; `body` is what it would have been."""
        self._count += 1
        key = f"faulty-{self._truth.seed}-{self._count:06d}"
        if self._draws.chance(1 / 3):
            self._past_the_gateway(at, key, body)
            return
        spoilt = self._draws.one(AT_THE_DOOR)(body)
        way: Way = "http" if self._draws.chance(0.5) else "load"
        raw = f'{{"system": "{body["system"]}", "text": ' if spoilt is None else None
        self._emit(Line(at, way, key, body=spoilt, raw=raw))
        self._truth.door["refused"] += 1

    def _past_the_gateway(self, at: int, key: str, body: Body) -> None:
        """A record as the gateway would have written it, but for the fault."""
        outcome, spoil = self._draws.one(ON_THE_WIRE)
        token = f"ct_{digest(key, length=32)}"
        record = {
            "type": "intake.submitted.v1",
            "id": key,
            "case": case_id(self._draws.profile.code, body["channel"], key),
            "system": body["system"],
            "at": at,
            "received_at": at,
            "case_type": body["type"],
            "channel": body["channel"],
            "category": body["category"],
            "place": {"district": body["place"]["district"]},
            "citizen": token,
            "text": body["text"],
        }
        spoilt = spoil(record)
        raw = '{"type": "intake.submitted.v1", ' if spoilt is None else msgspec.json.encode(spoilt).decode()
        self._emit(Line(at, "wire", token, topic=INTAKE_SUBMITTED, raw=raw))
        self._truth.submissions[outcome] += 1

    def no_recording(self, at: int, case: str) -> None:
        """Dissatisfaction without reason and recording (R07): refused at the door, a dead letter past it."""
        self._count += 1
        key = f"faulty-{self._truth.seed}-{self._count:06d}"
        body = {"by": {"role": "call-centre"}, "reason": "not-done"}
        if self._draws.chance(0.5):
            record = {"type": "case.report-dissatisfied.v1", "id": key, "case": case, "at": at, **body}
            self._emit(Line(at, "wire", case, topic=CASE_COMMANDS, raw=msgspec.json.encode(record).decode()))
            self._truth.commands["dead invalid"] += 1
            return
        way: Way = "http" if self._draws.chance(0.5) else "load"
        self._emit(Line(at, way, key, case=case, body={"type": "report-dissatisfied", **body, "occurred_at": at}))
        self._truth.door["refused"] += 1

    def wrong_number(self, at: int, hold_ms: int) -> None:
        """An action on a case that nobody ever registers: it waits, and is then rejected as a fact."""
        self._count += 1
        case = case_id(self._draws.profile.code, "call", f"nobody-{self._truth.seed}-{self._count}")
        body = {"type": "view", "by": {"role": "officer"}, "occurred_at": at}
        self._emit(Line(at, "load", f"nobody-{self._count:06d}", case=case, body=body))
        self._truth.door["taken"] += 1
        if at + hold_ms > self._truth.end_at:
            self._truth.commands["waiting"] += 1
            return
        self._truth.commands["rejected unknown-case"] += 1
        self._truth.events["case.command-rejected.v1"] += 1
