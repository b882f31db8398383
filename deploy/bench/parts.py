"""The table of measurements: what each is called, told, given, and how it is run and reported."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from deploy.bench import door, drain, engines, flow, latency, metering, pauses, recovery, shuffle, storm, timers
from deploy.bench.report import Report
from deploy.bench.reports import (
    case_report,
    door_report,
    latency_report,
    metering_report,
    pauses_report,
    recovery_report,
    storm_report,
)
from deploy.bench.reports_flow import flow_report
from deploy.bench.reports_jobs import engines_report, shuffle_report, timers_report

DEFAULT: Final = "case"


class Part(NamedTuple):
    """`measure(home, tell=..., **options)` answers what `report` makes a report of; void unless it `holds`."""

    name: str
    options: tuple[str, ...]
    """Names in `options.OPTIONS`; `measure` has a parameter for each."""
    minutes: int
    """On a quiet machine of two cores, with the defaults."""
    measure: Callable[..., Any]
    report: Callable[[Any], Report]
    help: str
    holds: Callable[[Any], bool] = lambda _: True


PARTS: Final = (
    Part(
        "case",
        ("events", "cases", "store", "peers", "runs", "seed"),
        45,
        drain.measure,
        case_report,
        """Drain a prefilled topic of case commands with `worker case`, and with a plain client loop of the same fold.

        Both read the same records, decide with the same stage, write the same outputs, states and offsets in
        transactions, and must have written the same to the last byte, or the run is void. So often with each number of
        open cases in the table beforehand; with the fewest, on Quix Streams and stock Faust as well. The broker has one
        core, the program under test another; CPU time counts, of the whole process.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench case --events 100000 --open 0 --runs 3 --no-peers
          nivaran bench case --store rocksdb --open 1000000 --no-peers
        """,
        lambda result: bool(result.same),
    ),
    Part(
        "metrics",
        ("events", "runs", "seed"),
        10,
        metering.measure,
        metering_report,
        """Drain a topic of case commands with `worker case` that counts nothing, counts, and is scraped every second.

        In turn, in one run. Off is for this measurement alone (`python -m deploy.bench.unmetered`): the same worker
        whose counters, gauges and histograms keep nothing. What they write must be the same, or the run is void.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench metrics --events 100000 --runs 3
        """,
        lambda result: bool(result.same),
    ),
    Part(
        "flow",
        ("complaints", "axes", "cases", "costs", "runs", "seed"),
        40,
        flow.measure,
        flow_report,
        """Send a helpline's input through all roles, and see what an event costs as the deployment grows.

        Each run has a new deployment. One thing at a time is larger than in the first: workers, partitions, open
        cases in the table beforehand, days and with them SLA windows, districts. CPU time counts, of all workers, from
        the first record written until nothing is left to do; a line is fitted through the costs.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench flow --runs 5
        """,
    ),
    Part(
        "latency",
        ("rates", "doors", "seconds", "partitions", "runs", "seed"),
        25,
        latency.measure,
        latency_report,
        """Time complaints from their intended sending: accepted, registered, on the board, officer's SMS accepted.

        Broker, Redis, workers intake, case, board and sms, gateway, SMS sandbox and the load itself share two cores.
        The loop is open: each complaint has its instant, and what delays its sending counts. `gateway` is
        POST /v1/complaints, `topic` writes straight onto the topic behind it. Every case must have its SMS, and one
        only, or the run is void. NIVARAN_* settings of the environment reach the processes.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench latency --rate 500 --seconds 30 --runs 3
        """,
    ),
    Part(
        "recovery",
        ("states", "runs", "seed"),
        4,
        recovery.measure,
        recovery_report,
        """Start `worker case` cold beside a changelog of cases, and time it until it has them and their due instants.

        The changelog is written in transactions, in the encoding of the stage. After the last start some cases are
        asked for; answers other than the states written lead to make the run void.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench recovery --states 100000 --runs 1
        """,
    ),
    Part(
        "storm",
        ("due", "kills", "intake", "runs", "seed"),
        20,
        storm.measure,
        storm_report,
        """Let cases fall due all at once, and time each escalation until a reader of committed records sees it.

        Broker, `worker case`, reader and load share two cores; the clock is the machine's. Registrations go on at a
        steady rate in an open loop, as intake writes them, and are timed from their intended sending. An escalation
        that is missing or comes twice makes the run void.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench storm --due 200000 --kill 2 --runs 1
        """,
    ),
    Part(
        "pauses",
        ("intake", "runs", "seed"),
        8,
        pauses.measure,
        pauses_report,
        """Let workers join, leave, die and be restarted, and tell the longest wait of a registration meanwhile.

        Two and three of `worker case` share four partitions, once with dynamic membership, once with static. Broker,
        workers, reader and load share two cores. NIVARAN_SESSION_TIMEOUT and other settings of the environment reach
        them.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench pauses --runs 3
        """,
    ),
    Part(
        "door",
        ("seconds", "runs", "seed"),
        5,
        door.measure,
        door_report,
        """Post complaints with wrk to the gateway, and to a bare handler that makes one durable write of the body.

        In turn, each on a core of its own, with broker, Redis and wrk on the other. Every request has a key of its own,
        and an answer other than 2xx makes the run void. Needs wrk (Debian package wrk).

        Exit code: 0 measured; 1 void, wrk is missing, or a process ended; 2 wrong usage.

        \b
        Example:
          nivaran bench door --seconds 10 --runs 5
        """,
    ),
    Part(
        "shuffle",
        ("events", "runs", "seed"),
        4,
        shuffle.measure,
        shuffle_report,
        """Run ShuffleBench's job on the workers' runtime: 1,024-byte records, matched, sent to keyed consumers.

        Published parameters: 1,000 and 1,000,000 consumers, a fifth of the records matches one, every tenth record of a
        consumer makes an output, 32 bytes of state, 8 partitions. Outputs are compared with a count made apart.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench shuffle --events 100000 --runs 1
        """,
    ),
    Part(
        "timers",
        ("events", "runs", "seed"),
        2,
        timers.measure,
        timers_report,
        """Run auctions on the workers' runtime: each has a deadline and bids, four of five are withdrawn before it.

        As query 9 of Nexmark keeps them: the best bid so far, until the auction ends. Then time moves past all
        deadlines at once. Winners are compared with a count made apart.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench timers --events 100000 --runs 1
        """,
    ),
    Part(
        "engines",
        ("events", "store", "peers", "runs", "seed"),
        20,
        engines.measure,
        engines_report,
        """Run one short job of a helpline on a worker, a plain loop, Kafka Streams and Flink, each on one core.

        A state machine for each complaint, a deadline while it is open, outputs to two topics, exactly once. A topic is
        drained, then time moves past all deadlines at once. What each wrote is compared with a count made apart. The
        peers need javac and mvn; `--store rocksdb` runs the worker with states on disk as well.

        Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

        \b
        Example:
          nivaran bench engines --store rocksdb --runs 3
        """,
    ),
)
