"""Runs a worker as this process: event loop, log, exit code."""

import asyncio
import logging

import uvloop

from agents.garbage import look_rarely
from agents.runtime.exits import Exit, NotReadyError, leave
from agents.runtime.worker import Worker
from agents.settings import SettingsError

log = logging.getLogger("nivaran.runtime")


def run(worker: Worker) -> Exit:
    """Run `worker` to its end; answers the exit code."""
    # a policy, not one loop: Faust runs Kafka's client on a second loop in a thread of its own
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    look_rarely()
    return asyncio.run(_run(worker))


async def _run(worker: Worker) -> Exit:
    try:
        return await worker.run()
    except NotReadyError as error:
        log.critical("worker %s cannot start: %s", worker.name, error)
        return error.code
    except SettingsError as error:
        log.critical("worker %s cannot start: %s", worker.name, error)
        return Exit.USAGE
    except OSError as error:
        log.critical("worker %s cannot start: %s", worker.name, error)
        return Exit.NOT_SET_UP
    except Exception as error:  # noqa: BLE001 - here, where no thread of a client can hold the end of the process
        leave(Exit.CRASH, "worker %s ended", worker.name, cause=error)
