"""`python -m tests.live.stage_worker ROLE`: the stages of a role as a worker, without its senders."""

import sys

from agents.app import ROLES
from agents.runtime.exits import Exit
from agents.runtime.launch import run
from agents.runtime.worker import Role, Worker
from agents.settings import Settings, load
from agents.telemetry.logs import set_up_log


def main(name: str) -> Exit:
    settings = load(Settings)
    set_up_log(settings.log_level, settings.log_format)
    return run(Worker(name, Role(stages=ROLES[name].stages), settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
