"""A toy stage for tests of the runtime: counts what is added to a key, reminds after a while, forgets on demand.

`python -m tests.live.toy PREFIX` runs it as a worker on topics of that prefix.
"""

import sys
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from agents.runtime.exits import Exit
from agents.runtime.launch import run
from agents.runtime.worker import Role, Worker
from agents.settings import Settings, load
from agents.telemetry.logs import set_up_log
from schemas.base import Record, Wake
from streams.stage import Origin, Output, Refused, Stage, Step

MOST_REMINDERS = 3


class Add(Record, frozen=True, tag="toy.add.v1"):
    amount: Annotated[int, Meta(ge=0)]
    at: int
    remind_after: int = 0
    text: str = ""


class Forget(Record, frozen=True, tag="toy.forget.v1"):
    at: int


class Explode(Record, frozen=True, tag="toy.explode.v1"):
    at: int


ToyInput = Add | Forget | Explode | Wake


class Added(Record, frozen=True, tag="toy.added.v1"):
    total: int
    count: int
    at: int
    cause: str


class Reminded(Record, frozen=True, tag="toy.reminded.v1"):
    times: int
    due_at: int
    now_at: int
    cause: str


class Sum(Struct, frozen=True, array_like=True):
    total: int = 0
    count: int = 0
    wake: int | None = None
    spacing: int = 0
    reminded: int = 0


class Topics(Struct, frozen=True):
    """The toy's topics: one to read, two to write."""

    reads: str
    sums: str
    reminders: str

    @property
    def all(self) -> tuple[str, ...]:
        return (self.reads, self.sums, self.reminders, f"{self.reads}.dlq")


def topics(prefix: str) -> Topics:
    return Topics(f"{prefix}.in.v1", f"{prefix}.sums.v1", f"{prefix}.reminders.v1")


def toy(prefix: str) -> Stage[Sum]:
    named = topics(prefix)

    def step(state: Sum | None, record: ToyInput, origin: Origin) -> Step[Sum]:
        match record:
            case Add(amount=13):
                return Step(state, [], Refused("unlucky", "thirteen is refused"))
            case Add():
                return _add(named, state or Sum(), record, origin)
            case Forget(at):
                return Step(None, [Output(named.sums, "forgotten", Added(0, 0, at, origin.id), at)])
            case Explode():
                raise ZeroDivisionError("a defect")
            case Wake():
                return _remind(named, state, record, origin)

    return Stage(
        "toy", named.reads, (named.sums, named.reminders), ToyInput, Sum, step, lambda state: state.wake
    )  # fmt: skip


def _add(named: Topics, state: Sum, record: Add, origin: Origin) -> Step[Sum]:
    wake = record.at + record.remind_after if record.remind_after else state.wake
    after = Sum(state.total + record.amount, state.count + 1, wake, record.remind_after or state.spacing, 0)
    added = Added(after.total, after.count, record.at, origin.id)
    outputs = [Output(named.sums, f"sum-{after.total % 7}", added, record.at)] if record.amount else []
    return Step(after, outputs)


def _remind(named: Topics, state: Sum | None, wake: Wake, origin: Origin) -> Step[Sum]:
    if state is None or state.wake != wake.due_at:
        return Step(state, [])
    times = state.reminded + 1
    following = wake.due_at + state.spacing if times < MOST_REMINDERS else None
    reminder = Reminded(times, wake.due_at, wake.now_at, origin.id)
    after = replace(state, reminded=times, wake=following)
    return Step(after, [Output(named.reminders, wake.key, reminder, wake.due_at)])


def main(prefix: str) -> Exit:
    settings = load(Settings)
    set_up_log(settings.log_level, settings.log_format)
    return run(Worker("toy", Role(stages=(toy(prefix),)), settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
