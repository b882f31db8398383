"""Plays simulated input through the whole flow in memory: the same stages, time moved from line to line."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from agents.audit.tally import Tally
from agents.runtime.fold import refusal
from agents.simulate.door import Door, Entry
from agents.simulate.lines import Line
from schemas.codec import decoder
from schemas.sms import SmsHandover, SmsOutcome
from schemas.topics import SMS_OUTBOX, SMS_REQUESTED
from streams.driver import Driver, Written
from streams.stage import Origin, Output, Stage, Step

OnWrite = Callable[[str, Written], None]


def _accept(_: Any, handover: SmsHandover, origin: Origin) -> Step[Any]:
    request = handover.request
    outcome = SmsOutcome(id=request.id, attempt=handover.attempt, at=max(origin.at, handover.at), outcome="accepted")
    return Step(None, [Output(SMS_REQUESTED, request.id, outcome, outcome.at)])


GATEWAY: Final = Stage(
    name="sms-gateway", reads=SMS_OUTBOX, writes=(SMS_REQUESTED,), records=SmsHandover, state=type(None), step=_accept
)
"""In memory the gateway is a stage: it answers every handover at once."""


class Playback:
    """Feeds lines to a driver; `on_write` sees every record.

    `tally` holds what was written, `door` what the gateway and the loader did with the lines.
    """

    def __init__(self, stages: Iterable[Stage[Any]], door: Door, now: int, on_write: OnWrite | None = None) -> None:
        self.tally, self.door = Tally(), Counter[str]()
        self.records = 0
        self._door, self._told = door, on_write
        self.driver = Driver((*stages, GATEWAY), now=now, keep=lambda _: False, on_write=self._written)
        self._decoders = {topic: decoder(stage.records) for topic, stage in self.driver.readers.items()}

    def play(self, line: Line) -> None:
        """Bring time to the line, then let it in."""
        self.driver.advance(line.at)
        passed = self._door.take(line)
        if line.way != "wire":
            self.door[passed.outcome] += 1
        if passed.entry is not None:
            self._send(passed.entry)

    def finish(self, at: int) -> None:
        """Let everything happen that falls due until `at` (UTC ms)."""
        self.driver.advance(at)

    def _send(self, entry: Entry) -> None:
        value = entry.value
        if isinstance(value, bytes):
            try:
                value = self._decoders[entry.topic](value)
            except msgspec.DecodeError as error:
                self.tally.dead(entry.topic, refusal(error).error)
                return
        self.driver.send(entry.topic, entry.key, value)
        self._refused(entry.topic)

    def _refused(self, topic: str) -> None:
        letters = self.driver.dead[topic]
        for letter in letters:
            self.tally.dead(topic, letter.refused.error)
        letters.clear()

    def _written(self, topic: str, written: Written) -> None:
        self.records += 1
        self.tally.see(topic, written.value)
        if self._told is not None:
            self._told(topic, written)
