"""`python -m tests.soak --minutes 60 --rate 1000 --seed 7`: a deployment under load and faults, judged in the end.

Exit code: 0 it holds; 1 it does not, and what does not is printed.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from agents.audit.report import Result
from agents.audit.run import audit
from agents.cli.audit import deliveries, log_of
from deploy.demo.secrets import drawn
from deploy.fleet import Fleet, FleetError
from deploy.fleet.service import Service, end_all
from deploy.local.errors import LocalError
from tests.live.harness import records as records_of
from tests.live.stand import say
from tests.soak import load, plot
from tests.soak.sampling import Sample, Sampler
from tests.soak.strikes import Strike, Strikes
from tests.soak.verdict import Verdict, growths

ROLES = {"intake": 2, "case": 2, "sla": 1, "sms": 1, "officers": 1, "board": 1}
SESSION_S = 10.0
SETTLE_S = 900.0
LOOK_S = 2.0
BOARD = "board"
MINUTE_S = 60.0


@dataclass
class Plan:
    """How long, how much, and how often something breaks (seconds from one fault to the next)."""

    minutes: float
    rate: float
    seed: int
    every_s: tuple[float, float]
    brokers: int
    partitions: int


class Run(msgspec.Struct):
    """All that is known of a run."""

    minutes: float
    rate: float
    seed: int
    sent: dict[str, int]
    late_s: float
    restarts: dict[str, list[int]]
    strikes: list[Strike]
    verdict: Verdict
    problems: list[str]
    samples: list[Sample]


def soak(plan: Plan, home: Path) -> Run:
    """Raises FleetError, LocalError where the deployment cannot be brought up or goes on no more."""
    secrets, run = drawn(), f"soak-{plan.seed}"
    environ = {
        **secrets.environ, "NIVARAN_OFFICES": "sandbox", "NIVARAN_SESSION_TIMEOUT": f"{SESSION_S:g}",
    }  # fmt: skip
    fleet = Fleet(
        home, roles=ROLES, partitions=plan.partitions, brokers=plan.brokers, lasting=True, sandbox=("--seed", "1"),
        keep=True, environ=environ,
    )  # fmt: skip
    with fleet:
        say(f"up: {', '.join(fleet.services)}, {plan.brokers} brokers")
        wanted = load.records(plan.seed, plan.rate, run, secrets.identity)
        sending, sampler = load.Load(fleet.kafka.bootstrap, wanted), Sampler(fleet, LOOK_S)
        strikes = Strikes(fleet, plan.seed, plan.every_s, SESSION_S)
        faults = _under_load(plan, sending, sampler, strikes)
        say(f"load ended, {sum(sending.sent.values()):,} records; waiting until nothing is left to do")
        lag, left = _at_rest(fleet)
        sampler.look()
        sampler.end()
        say("auditing")
        results = _audited(fleet)
        lost = {topic: count - _count(fleet, topic, run) for topic, count in sending.sent.items()}
        growth, unjudged = growths(sampler.samples)
        verdict = Verdict(lag, {each.name: each.wrong for each in results}, lost, growth, unjudged, [*faults, *left])
        words = [f"{each.name}: {problem}" for each in results for problem in each.problems]
        return Run(
            plan.minutes, plan.rate, plan.seed, sending.sent, round(sending.late_s, 2), fleet.restarts, strikes.done,
            verdict, [*verdict.problems, *words], sampler.samples,
        )  # fmt: skip


def _under_load(plan: Plan, sending: load.Load, sampler: Sampler, strikes: Strikes) -> list[str]:
    """For as long as the plan says; answers what went wrong with the run itself."""
    told = 0
    end = time.monotonic() + plan.minutes * MINUTE_S
    for each in (sending, sampler, strikes):
        each.start()
    while (rest := end - time.monotonic()) > 0 and sending.running and strikes.fault is None:
        time.sleep(min(1.0, rest))
        for strike in strikes.done[told:]:
            say(f"{strike.after:.0f} s: {strike.what}; lag {sampler.samples[-1].lag if sampler.samples else None}")
        told = len(strikes.done)
    faults = [] if sending.running else ["the load ended before its time"]
    strikes.end()
    faults += [] if strikes.fault is None else [f"the strikes ended before their time: {strikes.fault!r}"]
    try:
        sending.end()
    except RuntimeError as error:
        faults.append(str(error))
    return faults


def _at_rest(fleet: Fleet) -> tuple[int | None, list[str]]:
    """Wait until nothing is left to do, then end the workers, the board last: nothing falls due while it is audited.

    Answers the lag before that, and what went wrong. Messages that were refused wait to be tried again meanwhile, for
    a quarter of an hour each: they are in progress, and audited as that.
    """
    try:
        fleet.settle(SETTLE_S)
        lag = fleet.lag()
        end_all(each for each in fleet.workers if not _of_board(each))
        deadline = time.monotonic() + SETTLE_S
        while behind := fleet.lag(BOARD):
            if time.monotonic() > deadline:
                return lag, [f"the board is {behind} records behind, {SETTLE_S:.0f} s after the others ended"]
            time.sleep(LOOK_S)
        end_all(filter(_of_board, fleet.workers))
    except FleetError as error:
        return None, [str(error).partition("\n")[0]]
    return lag, []


def _of_board(worker: Service) -> bool:
    return worker.name.startswith(f"{BOARD}-")


def _audited(fleet: Fleet) -> list[Result]:
    ledger = fleet.home / "sms-sandbox" / "ledger.ndjson"
    log = log_of(fleet.kafka.bootstrap, "nivaran")
    return audit(log, processes=2, ledger=deliveries(ledger), redis_url=fleet.redis.url)


def _count(fleet: Fleet, topic: str, run: str) -> int:
    """Records of the load in it: workers write there, too."""
    values = (message.value() for message in records_of(fleet.kafka.bootstrap, topic))
    return sum(load.own(topic, value, run) for value in values)


def shown(run: Run) -> Iterator[Table]:
    """The verdict as tables."""
    whole = Table("records", "sent late by", "strikes", "restarts", "lag in the end", "audit", title="Soak")
    restarts = sum(len(codes) for codes in run.restarts.values())
    wrong = sum(run.verdict.audit.values())
    whole.add_row(
        f"{sum(run.sent.values()):,}", f"{run.late_s} s", str(len(run.strikes)), str(restarts), str(run.verdict.lag),
        f"{len(run.verdict.audit)} checks, {wrong} wrong",
    )  # fmt: skip
    yield whole
    memory = Table("process", "judged s", "RSS MiB", "grown", "tables explain", "states", "files", title="Memory")
    for each in run.verdict.growth:
        memory.add_row(
            each.process, f"{each.seconds:.0f}", f"{each.rss_mib:.0f}", f"{each.grown_mib:+.1f}",
            f"{each.explained_mib:.1f}", f"{each.states:+,}", f"{each.files:+.1f}",
        )  # fmt: skip
    yield memory


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1), default=60.0, show_default=True)
@click.option("--rate", type=click.FloatRange(1), default=1000.0, show_default=True, help="Records a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is sent and when what breaks.")
@click.option("--every", type=(float, float), default=(20.0, 60.0), show_default=True, help="Seconds between faults.")
@click.option("--brokers", type=click.Choice(["1", "3"]), default="3", show_default=True)
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for soak.json and soak.svg; default: a new one.")
def main(
    minutes: float, rate: float, seed: int, every: tuple[float, float], brokers: str, partitions: int, out: Path | None
) -> None:
    """Keep a deployment under load and faults, and say whether it holds."""
    folder = out or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "fleet"
    plan = Plan(minutes, rate, seed, every, int(brokers), partitions)
    try:
        run = soak(plan, home)
    except (FleetError, LocalError) as error:
        raise click.ClickException(str(error)) from error
    if not run.problems:
        for data in ("kafka", "redis"):  # gigabytes after an hour, and of use only where something is to be found
            shutil.rmtree(home / data, ignore_errors=True)
    (folder / "soak.json").write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    (folder / "soak.svg").write_text(plot.svg(run.samples, run.strikes), "utf-8")
    console = Console()
    for table in shown(run):
        console.print(table)
    if run.verdict.unjudged:
        console.print(f"lives too short to judge their memory: {', '.join(run.verdict.unjudged)}")
    for problem in run.problems:
        console.print(f"[red]{problem}[/]", highlight=False)
    console.print("NOT CLEAN" if run.problems else "clean", f"; {folder}", sep="")
    sys.exit(1 if run.problems else 0)


if __name__ == "__main__":
    main()
