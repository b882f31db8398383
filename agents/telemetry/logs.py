"""The log of a process, for people or as JSON: one line per event, no personal data, bound to case and trace."""

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import structlog

Format = Literal["text", "json"]
LINE: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
QUIET: Final = ("faust", "mode", "aiokafka", "aiohttp", "agents.runtime")
"""Libraries; `agents.runtime` is how Faust calls the services we subclass, ours is `nivaran.runtime`."""
AGAIN_AFTER_S: Final = 10.0
MOBILE: Final = re.compile(r"(?<![0-9A-Za-z_.-])(?:\+?91[ -]?|0)?[6-9][0-9]{4}[ -]?[0-9]{5}(?![0-9])")
"""An Indian mobile number standing by itself; a case id has 18 digits, an instant 13."""
HIDDEN: Final = "[number]"


class Rarely(logging.Filter):
    """Lets a message of Kafka's client pass once in a while: it repeats itself ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        now, message = time.monotonic(), record.getMessage()
        if now - self._said.get(message, -AGAIN_AFTER_S) < AGAIN_AFTER_S:
            return False
        self._said[message] = now
        return True


class Text(logging.Formatter):
    """Lines for people; the last net for numbers, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return MOBILE.sub(HIDDEN, super().format(record))


def set_up_log(level: str, form: Format = "text") -> None:
    """Log to standard error, one line per event; the libraries beneath only what goes wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Text(LINE) if form == "text" else json_formatter())
    handler.addFilter(Rarely())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def json_formatter() -> logging.Formatter:
    """A JSON object per line: `time` (UTC), `level`, `logger`, `event`, what was given as `extra`, the exception."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.dict_tracebacks,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_numbers,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _without_numbers(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last net: what looks like a telephone number goes, whoever wrote it; and the values of local variables."""
    for each in event.get("exception") or ():
        for frame in each.get("frames") or ():
            frame.pop("locals", None)
    hidden: MutableMapping[str, Any] = _hidden(event)
    return hidden


def _hidden(value: Any) -> Any:
    match value:
        case str():
            return MOBILE.sub(HIDDEN, value)
        case dict():
            return {name: _hidden(each) for name, each in value.items()}
        case list() | tuple():
            return [_hidden(each) for each in value]
        case _:
            return value
