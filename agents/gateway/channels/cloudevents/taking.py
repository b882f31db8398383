"""What becomes of one event: a submission or an action, once per source and id."""

from collections.abc import Mapping
from typing import Any, Final

from agents.gateway.auth import ACTORS, SUBMITTERS, Caller, allow
from agents.gateway.channels.cloudevents.event import ACTION, COMPLAINT, Event
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.services import Services
from agents.gateway.writing import Once, act, allow_to_submit, submit
from streams.ids import digest

KEY_LENGTH: Final = 32
SAID: Final[Mapping[Kind, str]] = {
    Kind.NOT_FOUND: "subject: no case can have this number: a digit is wrong",
    Kind.IN_FLIGHT: "an event with this source and id is still in hand",
    Kind.KEY_REUSED: "an event with this source and id came before, with other data",
}
"""The idempotency key of an event is its source and id."""


async def take(services: Services, caller: Caller, event: Event, trace: str) -> Once:
    """Take an event: durable once, however often it comes. Raises Problem in the event's own words."""
    attributes = event.attributes
    allow(caller, SUBMITTERS if attributes.type == COMPLAINT else ACTORS)
    key = f"event-{digest(attributes.source, attributes.id, length=KEY_LENGTH)}"
    body, case = _body(event), _case(event)
    try:
        if case is not None:
            return await act(services, caller, case, body, key, trace)
        allow_to_submit(caller, body)
        return await submit(services, body, key, trace)
    except Problem as problem:
        problem.detail = SAID.get(problem.kind, problem.detail)
        problem.errors = [_in_data(error) for error in problem.errors]
        raise


def _body(event: Event) -> Any:
    """The data; it happened at the event's time, where the data does not say when."""
    data, time = event.data, event.attributes.time
    if data is None:
        raise Problem(Kind.INVALID_FIELDS, errors=[FieldError("data", "is missing")])
    if time is None or not isinstance(data, dict) or "occurred_at" in data:
        return data
    return {**data, "occurred_at": time.isoformat()}


def _case(event: Event) -> str | None:
    """The case an action is about; None of a complaint, whatever its subject."""
    if event.attributes.type != ACTION:
        return None
    if event.attributes.subject is None:
        raise Problem(
            Kind.INVALID_FIELDS, errors=[FieldError(event.named("subject"), "is missing: the number of the case")]
        )
    return event.attributes.subject


def _in_data(error: FieldError) -> FieldError:
    return FieldError(f"data.{error.field}".rstrip("."), error.detail)
