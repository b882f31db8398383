"""The log: a JSON object per line, a line per decision at debug only, and nothing of a person in any of it."""

import base64
import json
import logging
from collections.abc import Iterator

import pytest

from agents.contact import Contacts
from agents.gateway import records
from agents.gateway.records import Identity
from agents.runtime.fold import Fold
from agents.runtime.metrics import Metrics, StageMeter
from agents.telemetry.logs import HIDDEN, set_up_log
from agents.telemetry.trace import begun, trace_id
from schemas.codec import encode
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from tests.agents.records import Raw
from tests.gateway.conftest import COMPLAINT, MOBILE, NOW
from tests.unit.test_telemetry import At

CANARY = "कनेरी-चिड़िया"
"""Stands in the complaint's text, and nowhere else."""


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def registered(trace: str) -> tuple[str, list[Raw]]:
    """A complaint with number and canary, on its way from the gateway through intake and case."""
    identity = Identity(b"k" * 32, Contacts.from_text(base64.urlsafe_b64encode(bytes(32)).decode()))
    body = {**COMPLAINT, "text": f"{CANARY} {MOBILE}"}
    submitted, errors = records.complaint(body, "key-0001", NOW, identity, traceparent=trace)
    assert submitted is not None, errors
    headers = (("traceparent", trace.encode()),)
    return submitted.case, [Raw(encode(submitted), submitted.citizen.encode(), 0, NOW, INTAKE.reads, 0, headers)]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_decision_is_one_line_at_debug_bound_to_case_and_trace_without_the_person(
    capsys: pytest.CaptureFixture[str], level: str
) -> None:
    set_up_log(level, "json")
    trace = begun(None)
    case, incoming = registered(trace)
    outputs = 0
    for stage in (INTAKE, CASE):
        batch = Fold(stage, "g")(0, incoming, {}.get, NOW)
        StageMeter(Metrics(), stage.name, At(NOW)).committed([(batch, incoming)], 0.001, 0.01)
        outputs += len(batch.outputs)
        incoming = [
            Raw(each.value, each.key, number, each.at, each.topic, 0, tuple(each.headers))
            for number, each in enumerate(batch.outputs)
            if each.topic == CASE.reads
        ]
    text = capsys.readouterr().err
    said = [json.loads(line) for line in text.splitlines()]
    assert outputs > 4
    assert len(said) == (outputs if level == "debug" else 0)
    for line in said:
        assert line["trace_id"] == trace_id(trace.encode())
        assert line["level"] == "debug"
        assert line["logger"] == "nivaran.decisions"
    assert level == "info" or any(line["key"] == case for line in said)
    for personal in (CANARY, MOBILE):
        assert personal not in text


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_number_somebody_logs_all_the_same_is_hidden(capsys: pytest.CaptureFixture[str], form: str) -> None:
    set_up_log("info", form)  # type: ignore[arg-type]
    log = logging.getLogger("nivaran.test")
    log.warning("called %s", "+91 98765 43210", extra={"of": ["9876543210"]})
    try:
        int("not 9876543211")
    except ValueError:
        log.exception("case 109763405948883359 at 1787000001000")
    text = capsys.readouterr().err
    assert "98765" not in text
    assert HIDDEN in text
    assert "109763405948883359" in text
    assert "1787000001000" in text
    assert "ValueError" in text
    if form == "json":
        assert [json.loads(line)["event"] for line in text.splitlines()] == [
            f"called {HIDDEN}",
            "case 109763405948883359 at 1787000001000",
        ]
