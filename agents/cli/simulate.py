"""`nivaran simulate`: a seeded input file of a helpline's weeks, and what must come of it."""

from pathlib import Path

import click

from agents.cli.shared import json_option, print_json
from agents.simulate import lines, truth
from agents.simulate.generate import Simulation
from agents.simulate.world import world
from streams.profiles.load import profiles


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="var/simulated", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same files.")
@click.option(
    "--scale", type=click.FloatRange(min=0.0001), default=1.0, show_default=True, help="1: 20,000 complaints."
)
@click.option("--days", type=click.IntRange(min=1, max=365), help="Days of input; default: 21, at the same rate a day.")
@click.option("--system", default=None, help="Which system's; default: the one agents/simulate/world.toml names.")
@json_option
def simulate(out: Path, seed: int, scale: float, days: int | None, system: str | None, as_json: bool) -> None:
    """Write made-up input of a system (`input.ndjson`) and its ground truth (`truth.json`).

    The input has submissions and actions in order of time, each with the way it reaches us (HTTP, loader, another
    writer), duplicates, retries, late and malformed ones among them. The ground truth is counted by the plan that made
    the input, not by what decides. Shares and their sources: agents/simulate/world.toml.

    Exit code: 0 written; 1 the folder takes no file; 2 wrong usage.

    \b
    Example:
      nivaran simulate --seed 7 --scale 0.1 --out var/simulated
      nivaran replay var/simulated/input.ndjson --truth var/simulated/truth.json --json
    """
    chosen = profiles().get(system or world().volume.system)
    if chosen is None:
        raise click.BadParameter(f"no system {system!r}; there are {', '.join(profiles())}", param_hint="--system")
    simulation = Simulation(chosen, seed, scale=scale, days=days)
    try:
        out.mkdir(parents=True, exist_ok=True)
        count = lines.write(out / "input.ndjson", simulation)
        truth.write(out / "truth.json", simulation.truth)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    found = simulation.truth
    if as_json:
        print_json({"input": str(out / "input.ndjson"), "truth": str(out / "truth.json"), "lines": count, "seed": seed})
        return
    cases = found.submissions["registered"]
    click.echo(f"{count} lines, {cases} cases, {simulation.days} days from seed {seed}")
    click.echo(f"  {out / 'input.ndjson'}\n  {out / 'truth.json'}")
