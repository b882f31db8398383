"""What time it is for a process: the machine's clock, or a simulated one that the clock topic moves."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from agents.settings import Settings
from schemas.base import Wake
from schemas.codec import decoder
from schemas.topics import CLOCK

ASK_TIMEOUT_S = 10.0
POLL_S = 0.2
# a broker that is away for a moment; the client goes on trying
PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE})  # noqa: SLF001 - the client's public names begin so
_decode: Callable[[bytes], Wake] = decoder(Wake)


class ClockNotSetError(RuntimeError):
    """Simulated time was asked for before anything was written to the clock topic."""


class Clock(Protocol):
    """The present instant, UTC ms."""

    def now(self) -> int:
        """Raise ClockNotSetError while a simulated clock has not been set."""
        ...

    def reached(self, due: int) -> int:
        """Return the instant at which it is noticed that `due` (not after now) has come."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class WallClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def reached(self, due: int) -> int:  # noqa: ARG002 - wall time needs only itself
        return self.now()

    def start(self) -> None:
        """Nothing to start: it always runs."""

    def stop(self) -> None:
        """Nothing to stop."""


class SimulatedClock:
    """Follows the clock topic in a thread of its own; never goes back.

    `settled`: it stands where everything before it has been dealt with. Who waits for the world outside, as an SMS
    gateway's answer, does so in real time, and is not late because simulated time leaps.
    `on_move` is called in that thread after each move; `on_fault` when the topic cannot be read.
    """

    def __init__(
        self,
        kafka: str,
        *,
        settled: bool = False,
        on_move: Callable[[], None] = lambda: None,
        on_fault: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.latest: int | None = None
        self.previous: int | None = None
        """The instant before the last move: what fell due between the two did so while nobody looked."""
        self.on_move, self.on_fault = on_move, on_fault
        self._kafka, self._settled = kafka, settled
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="simulated-clock", daemon=True)

    def now(self) -> int:
        if self.latest is None:
            raise ClockNotSetError(f"simulated time is not set: {CLOCK} is empty")
        return self.latest

    def reached(self, due: int) -> int:
        # the clock leaps; time it stands for does not: what fell due on the way was noticed when it did
        return max(due, self.previous or due)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(ASK_TIMEOUT_S)

    def moved(self, instant: int) -> None:
        """Take a new instant; an earlier one than the present is ignored."""
        if self.latest is None or instant > self.latest:
            self.previous, self.latest = self.latest, instant
            self.on_move()

    def _follow(self) -> None:
        consumer = Consumer({
            "bootstrap.servers": self._kafka,
            "group.id": "nivaran-clock",  # the client demands one; nothing is committed and nothing joined
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 2,
        })  # fmt: skip
        try:
            self._read(consumer)
        except Exception as error:  # noqa: BLE001 - handed to the process that cannot go on without time
            self.on_fault(error)
        finally:
            consumer.close()

    def _read(self, consumer: Consumer) -> None:
        only = TopicPartition(CLOCK, 0)
        low, high = consumer.get_watermark_offsets(only, ASK_TIMEOUT_S)
        # the present instant and the one before it, each told twice: when time leaps to it, and when it is settled
        consumer.assign([TopicPartition(CLOCK, 0, max(low, high - 4))])
        while not self._ended.is_set():
            message = consumer.poll(POLL_S)
            if message is None:
                continue
            fault = message.error()
            if fault is None:
                wake = _decode(message.value())
                self.moved(wake.due_at if self._settled else wake.now_at)
            elif fault.code() not in PASSING:
                raise KafkaException(fault)


def clock_of(settings: Settings, *, settled: bool = False) -> WallClock | SimulatedClock:
    """Make the clock `settings.clock` names, not started; `settled` as a simulated one takes it."""
    match settings.clock:
        case "wall":
            return WallClock()
        case "simulated":
            return SimulatedClock(settings.kafka, settled=settled)
