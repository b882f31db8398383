"""`nivaran demo`: three weeks of a helpline on real Kafka, checked to the last record."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from agents.audit.report import Findings, Result, holds
from agents.audit.run import audit as reconcile
from agents.cli.audit import deliveries, log_of
from agents.cli.audit import show as show_results
from agents.garbage import look_rarely
from agents.runtime.exits import Exit
from agents.simulate.generate import Simulation, Together
from agents.simulate.truth import differences
from deploy.demo.http_feed import GatewayError
from deploy.demo.run import ROLES, Demonstration, fleet
from deploy.demo.screen import Screen
from deploy.demo.secrets import drawn
from deploy.demo.show import show
from deploy.fleet import Fleet, FleetError
from deploy.local.errors import LocalError, storage_fault
from deploy.local.locks import LOCK, own
from deploy.local.paths import HOME_SETTING, local_home
from streams.profiles.load import profiles

SYSTEM: Final = "up-1076"
INTERRUPTED: Final = 130


@click.command()
@click.option("--scale", type=click.FloatRange(0.005, 50), default=1.0, show_default=True,
              help="Times 20,000 complaints.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same three weeks.")
@click.option("--days", type=click.IntRange(1, 60), help="Of simulated time; default: 21.")
@click.option("--systems", default=SYSTEM, show_default=True,
              help="Comma between them, or `all`: side by side, the complaints shared out.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave it running at the end and print the addresses; Ctrl-C ends it.")
def demo(scale: float, seed: int, days: int | None, systems: str, keep: bool) -> None:
    """Show a helpline at work: Kafka, Redis, every worker, gateway and SMS sandbox, as processes of this machine.

    About 20,000 complaints of the UP CM Helpline 1076, or of several systems side by side, are told through the
    gateway and the loader; time is simulated and moves on only when everything due before it is done, so the result
    does not depend on the machine. At the end everything is recomputed from the logs and compared. Ctrl-C stops
    everything it started.

    Exit code: 0 every check holds; 1 one does not, or a process could not go on; 2 wrong usage; 130 Ctrl-C.

    \b
    Example:
      nivaran demo --scale 0.1
      nivaran demo --seed 7 --keep
      nivaran demo --systems all
    """
    console, began = Console(), time.monotonic()
    look_rarely()
    simulation = simulated(systems, seed, scale, days)
    home = local_home().parent / "demo"
    try:
        with _alone(home):
            good = _demonstrate(simulation, home, console, keep=keep)
    except (FleetError, LocalError, GatewayError) as fault:
        raise click.ClickException(f"{fault}\nLogs: {home}") from fault
    except OSError as error:
        told = storage_fault(error, home, HOME_SETTING)
        if told is None:
            raise
        raise click.ClickException(str(told)) from error
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running")
        sys.exit(INTERRUPTED)
    console.print(
        f"{'Everything holds' if good else '[bold red]Not everything holds[/]'}, {time.monotonic() - began:.0f} s"
    )
    sys.exit(0 if good else 1)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold `home`, cleared of what an earlier demonstration left there; raises LocalError while another one runs."""
    with own(home, HOME_SETTING):
        for each in home.iterdir():
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            elif each.name != LOCK:
                each.unlink()
        yield


def simulated(systems: str, seed: int, scale: float, days: int | None) -> Simulation | Together:
    """The weeks of one system, or of several with as many complaints in all; raises click.BadParameter."""
    helplines = [name for name, each in profiles().items() if each.dlt is not None]
    names = helplines if systems == "all" else list(dict.fromkeys(systems.split(",")))
    unknown = [name for name in names if name not in helplines]
    if unknown:
        raise click.BadParameter(f"no system {unknown[0]!r}; there are {', '.join(helplines)}", param_hint="--systems")
    parts = [Simulation(profiles()[name], seed, scale=scale / len(names), days=days) for name in names]
    return parts[0] if len(parts) == 1 else Together(parts)


def _demonstrate(simulation: Simulation | Together, home: Path, console: Console, *, keep: bool) -> bool:
    secrets = drawn()
    console.print(f"starting Kafka, Redis, {len(ROLES)} workers, gateway and SMS sandbox ...")
    with (
        fleet(home, secrets, simulation.truth.start_at) as running,
        Demonstration(running, simulation, secrets) as shown,
    ):
        with Screen(running, simulation.profiles, simulation.days, console) as screen:
            began = time.monotonic()
            shown.run(screen.told)
        took = time.monotonic() - began
        written = running.written()
        console.print(f"{shown.lines:,} inputs, {written:,} records in {took:.0f} s: {written / took:,.0f} a second\n")
        log = log_of(running.kafka.bootstrap, "nivaran")
        show(log, running.redis.url, simulation.profiles, console)
        results = checks(running, shown)
        show_results(results, console)
        if keep:
            _addresses(running, secrets.tokens, console)
            _until_interrupted()
    return holds(results)


def checks(running: Fleet, shown: Demonstration) -> list[Result]:
    """The reconciliation, the ground truth, the read model, and that no process left in doubt."""
    log = log_of(running.kafka.bootstrap, "nivaran")
    ledger = list(deliveries(running.home / "sms-sandbox" / "ledger.ndjson"))
    results = reconcile(
        log,
        processes=min(2, os.cpu_count() or 1),
        ledger=ledger,
        truth=shown.simulation.truth,
        redis_url=running.redis.url,
    )
    return [*results, _door(shown), _processes(running)]


def _door(shown: Demonstration) -> Result:
    """What the gateway and the loader answered, line by line of the input."""
    findings, truth = Findings(), shown.simulation.truth
    on_the_wire = truth.lines.get("wire", 0)
    for difference in differences({"door": dict(truth.door)}, {"door": dict(shown.door)}):
        findings.add(difference)
    if shown.door.total() + on_the_wire != shown.lines:
        findings.add(f"{shown.door.total()} answers and {on_the_wire} on the wire for {shown.lines} lines")
    figures = {"lines": shown.lines, **dict(shown.door), "on the wire": on_the_wire}
    return findings.result("inputs at the door", "each taken, answered as before, or refused with its reason", figures)


def _processes(running: Fleet) -> Result:
    findings = Findings()
    for name, codes in running.restarts.items():
        for code in codes:
            if code != Exit.UNAVAILABLE:  # Kafka did not answer yet when it started
                findings.add(f"{name} left with {code} and was started again")
    return findings.result("processes", "none left in doubt", {"processes": len(running.services) + 2})


def _addresses(running: Fleet, tokens: dict[str, str], console: Console) -> None:
    console.print("\n[bold]Left running[/], Ctrl-C ends it")
    console.print(
        f"  NIVARAN_KAFKA={running.kafka.bootstrap}\n  NIVARAN_REDIS_URL={running.redis.url}", highlight=False
    )
    for name, service in running.services.items():
        console.print(f"  {name:12} {service.url}", highlight=False)
    for role, token in tokens.items():
        console.print(f"  token of {role}: {token}", highlight=False)


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
