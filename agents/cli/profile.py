"""`nivaran profile`: the systems that are shipped, and every setting of one with the mark of its source."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from agents.cli.shared import json_option, print_json
from streams.profiles.load import profiles
from streams.profiles.profile import Mark, Profile, ProfileError, Source
from streams.sla.rankings import rankings

TABLES: Final = (
    "chains", "departments", "categories", "districts", "templates", "places", "fallback", "routes", "restricted",
    "intake_sources", "not_taken", "unsaid", "holidays",
)  # fmt: skip
"""Long tables, which `show` counts unless it is told `--all`."""
MEANING: Final[dict[Mark, str]] = {"S": "stated", "I": "inferred", "D": "DEFAULT, to confirm"}
STYLE: Final[dict[Mark, dict[str, Any]]] = {"S": {}, "I": {"fg": "cyan"}, "D": {"fg": "yellow", "bold": True}}


class Line(Struct, frozen=True):
    """One setting."""

    key: str
    value: Any
    mark: Mark
    source: str


@click.group()
def profile() -> None:
    """Show the grievance systems that are shipped and what their settings rest on.

    Each figure is S stated in a public page, I inferred from one, or D a default of ours that the operator has to
    confirm. docs/sources.md lists the sources.

    \b
    Example:
      nivaran profile list
      nivaran profile show SYSTEM
    """


@profile.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the systems.

    Exit code: 0 all profiles are valid; 1 one is not, and which key of which file; 2 wrong usage.

    \b
    Example:
      nivaran profile list --json
    """
    told = [_summary(each) for each in _valid().values()]
    if as_json:
        print_json({"profiles": told})
        return
    for each in told:
        marks = ", ".join(f"{count} {MEANING[mark]}" for mark, count in each["marks"].items())
        click.echo(f"{each['system']:<14} {each['name']}\n{'':<14} {each['version']}, {each['zone']}, {marks}")


@profile.command()
@click.argument("system")
@click.option("--all", "everything", is_flag=True, help="Offices, departments, categories, places and SMS texts too.")
@click.option("--defaults", is_flag=True, help="Only what is a default of ours, to be confirmed.")
@json_option
def show(system: str, everything: bool, defaults: bool, as_json: bool) -> None:
    """Show the settings of SYSTEM, each with its mark and source.

    Exit code: 0 shown; 1 a profile is not valid; 2 there is no such system, or wrong usage.

    \b
    Example:
      nivaran profile show SYSTEM --defaults
    """
    found = _valid().get(system)
    if found is None:
        raise click.BadParameter(f"no system {system!r}; there are {', '.join(_valid())}", param_hint="SYSTEM")
    chosen = [
        line
        for line in lines(found)
        if (everything or line.key.partition(".")[0] not in TABLES) and (not defaults or line.mark == "D")
    ]
    if as_json:
        print_json({**_summary(found), "settings": chosen})
    else:
        _print(chosen)
        click.echo(_tables(found))


def lines(found: Profile) -> Iterator[Line]:
    """Every setting of a profile that stands in its files, its rankings included."""
    yield from _lines(found, found.sources, "")
    for name, scorer in rankings().get(found.system, {}).items():
        yield from _lines(scorer.ranking, scorer.ranking.sources, f"ranking.{name}.")


def _lines(settings: Struct, sources: Mapping[str, Source], prefix: str) -> Iterator[Line]:
    values = dict(_leaves(msgspec.to_builtins(settings, str_keys=True, order="deterministic"), ""))
    for key, source in sources.items():
        if key in values:
            yield Line(prefix + key, values[key], source.mark, source.source)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys as the loader notes them: a list is one value unless it is a list of tables."""
    match node:
        case dict():
            for key, each in node.items():
                yield from _leaves(each, f"{path}.{key}" if path else key)
        case list() | tuple() if node and isinstance(node[0], dict):
            for index, each in enumerate(node):
                yield from _leaves(each, f"{path}.{index}")
        case _:
            yield path, node


def _valid() -> dict[str, Profile]:
    try:
        rankings()
        return profiles()
    except ProfileError as error:
        raise click.ClickException(str(error)) from error


def _summary(found: Profile) -> dict[str, Any]:
    marks = Counter(source.mark for source in found.sources.values())
    return {
        "system": found.system,
        "name": found.name.en,
        "version": found.version,
        "zone": found.zone,
        "marks": {mark: marks[mark] for mark in MEANING},
    }


def _print(chosen: Iterable[Line]) -> None:
    for line in chosen:
        value = ", ".join(map(str, line.value)) if isinstance(line.value, (list, tuple)) else str(line.value)
        mark = click.style(f"{line.mark} {MEANING[line.mark]:<19}", **STYLE[line.mark])
        click.echo(f"{line.key:<28} {value:<38} {mark} {line.source}")


def _tables(found: Profile) -> str:
    return (
        f"and {len(found.departments)} departments, {len(found.categories)} categories, {len(found.districts)} "
        f"districts, {len(found.templates)} SMS texts: --all"
    )
