"""Complaints at a steady pace through the gateway, so that what a fault hinders is there to be hindered."""

import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

import msgspec

from agents.simulate.generate import Simulation
from streams.profiles.load import profile

SYSTEM: Final = "up-1076"
RATE: Final = 2.5
ANSWER_S: Final = 8.0
AT_A_TIME: Final = 16


class Load:
    """Posts complaints of simulated citizens as of now; `answers` counts them by status, 0 where there was none."""

    def __init__(self, url: str, token: str, seed: int) -> None:
        self._url, self._token, self._seed = f"{url}/v1/complaints", token, seed
        self.answers = Counter[int]()
        self._ended, self._held = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._bodies = (line.body for line in Simulation(profile(SYSTEM), seed) if line.case is None and line.body)
        self._sent = 0
        self.changes: dict[str, Any] = {}
        """What a channel has come to send otherwise."""
        self.refusal = ""
        """What was answered last to a submission that was refused."""

    def hold(self) -> None:
        self._held.set()

    def go_on(self) -> None:
        self._held.clear()

    def post(self, **changes: Any) -> int:
        """One complaint more; answers the status."""
        self._sent += 1
        body = {**next(self._bodies), **self.changes, **changes}
        body.pop("occurred_at", None)
        request = urllib.request.Request(self._url, msgspec.json.encode(body), {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"drill-{self._seed}-{self._sent:07d}",
        })  # fmt: skip
        return self._answered(request)

    def _answered(self, request: urllib.request.Request) -> int:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status, self.refusal = error.code, error.read().decode()
        except OSError:
            status = 0
        self.answers[status] += 1
        return status

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            due = time.monotonic()
            while not self._ended.wait(max(0.0, due - time.monotonic())):
                due += 1 / RATE
                if not self._held.is_set():
                    pool.submit(self.post)
