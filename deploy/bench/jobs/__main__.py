"""A job as a worker: `python -m deploy.bench.jobs shuffle READS PREFIX CONSUMERS`, `... auctions|complaints PREFIX`."""

import sys
from typing import Any

from agents.runtime.exits import Exit
from agents.runtime.launch import run
from agents.runtime.worker import Role, Worker
from agents.settings import Settings, load
from agents.telemetry.logs import set_up_log
from deploy.bench.jobs import auctions, complaints, shuffle
from streams.stage import Stage

NAME = "bench"
"""The worker's group is `<NIVARAN_GROUP_PREFIX>-bench`."""


def job(name: str, *words: str) -> tuple[Stage[Any], ...]:
    if name == "shuffle":
        reads, prefix, consumers = words
        return shuffle.stages(shuffle.Topics.named(reads, prefix), int(consumers))
    (prefix,) = words
    keyed = {"auctions": lambda: auctions.stages(auctions.Topics.named(prefix)),
             "complaints": lambda: complaints.stages(complaints.Topics.named(prefix))}  # fmt: skip
    return keyed[name]()


def main(*words: str) -> Exit:
    settings = load(Settings)
    set_up_log(settings.log_level, settings.log_format)
    return run(Worker(NAME, Role(stages=job(*words)), settings))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
