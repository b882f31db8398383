"""What Alertmanager has been told, looked at four times a second: when each alert began to fire, and when it ended."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Final, Self

LOOK_S: Final = 0.25
ASK_S: Final = 2.0


class Firing:
    """`with Firing(url) as firing: firing.now`; an Alertmanager that does not answer tells of no alert."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v2/alerts"
        self.now: frozenset[str] = frozenset()
        """Names of the alerts that fire, those included that are held back because of another."""
        self._changes: dict[str, list[tuple[float, bool]]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="firing", daemon=True)

    def since(self, name: str, moment: float, *, fires: bool) -> float | None:
        """Seconds from `moment` (monotonic) until the alert was first seen firing, or not; None: not yet."""
        before = [firing for at, firing in self._changes.get(name, ()) if at <= moment]
        if (before[-1] if before else False) == fires:
            return 0.0
        return next(
            (at - moment for at, firing in self._changes.get(name, ()) if at > moment and firing == fires), None
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            found, at = self._look(), time.monotonic()
            for name in found ^ self.now:
                self._changes.setdefault(name, []).append((at, name in found))
            self.now = found

    def _look(self) -> frozenset[str]:
        try:
            with urllib.request.urlopen(self._url, timeout=ASK_S) as answer:
                return frozenset(_named(alert["labels"]) for alert in json.load(answer))
        except (urllib.error.URLError, OSError):
            return frozenset()


def _named(labels: Mapping[str, str]) -> str:
    """The ticket of an objective has a name of its own: by its windows it ends long after the page of the same name."""
    ticket = labels.get("sloth_severity") == "ticket"
    return f"{labels['alertname']} (ticket)" if ticket else labels["alertname"]
