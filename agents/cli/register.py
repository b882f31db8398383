"""`nivaran register`: the requirements R01 to R24, the stories that show them, and whether they do."""

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from agents.cli.shared import json_option, print_json

HOME = Path(__file__).parents[2]
NUMBERS: Final = tuple(f"R{number:02d}" for number in range(1, 25))
FILE: Final = Path("tests/register.toml")


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A requirement, and the tests that show what no story can: their paths and names."""

    title: str
    done: bool = False
    tests: tuple[str, ...] = ()


class Shown(Struct, frozen=True):
    """A story (or test) that names a requirement, and what became of it."""

    number: str
    name: str
    result: str
    problems: tuple[str, ...] = ()


def entries() -> dict[str, Entry]:
    """Every requirement by its number."""
    return msgspec.convert(tomllib.loads((HOME / FILE).read_text("utf-8")), dict[str, Entry])


@click.command()
@json_option
def register(as_json: bool) -> None:
    """Print the register of requirements R01 to R24: each with its stories, run in memory now, and their results.

    What a story cannot express is shown by a test, named here and run by `make check`. Stories are part of the
    repository, not of the installed application.

    Exit code: 0 every story does as it tells; 1 one differs, or there are no stories here; 2 wrong usage.

    \b
    Example:
      nivaran register
      nivaran register --json
    """
    if not (HOME / FILE).is_file():
        raise click.ClickException(f"there are no stories here: {HOME / FILE} is part of the repository's tests")
    known = entries()
    shown = [*_stories(), *_tests(known)]
    if as_json:
        print_json({"requirements": known, "shown": shown})
    else:
        _print(known, shown)
    if any(each.result == "differs" for each in shown):
        raise SystemExit(1)


def _stories() -> Iterator[Shown]:
    """Run each story once; it is told under every number it names."""
    story, flow, registered = _harness()
    for each in story.stories():
        seen = flow.play(each)
        problems = (*each.problems(seen), *registered.register_problems(each, seen))
        for number in each.raw["requirements"]:
            yield Shown(number, f"{each.name}: {each.raw['title']}", "differs" if problems else "holds", problems)


def _harness() -> tuple[Any, Any, Any]:
    """What plays a story: it lives with the tests, and so do the packages it needs."""
    sys.path.insert(0, str(HOME))
    try:
        return tuple(
            importlib.import_module(name) for name in ("tests.story", "tests.flow.test_stories", "tests.registered")
        )  # type: ignore[return-value] # three names, three modules
    except ImportError as fault:
        raise click.ClickException(
            f"the stories cannot be run: {fault}. `make check` installs what they need"
        ) from fault
    finally:
        sys.path.remove(str(HOME))


def _tests(known: dict[str, Entry]) -> Iterator[Shown]:
    for number, entry in known.items():
        for test in entry.tests:
            yield Shown(number, test, "make check")


def _print(known: dict[str, Entry], shown: list[Shown]) -> None:
    console = Console()
    table = Table(title="Register of requirements", title_justify="left", title_style="bold", show_edge=False)
    for heading in ("", "requirement", "shown by", "result"):
        table.add_column(heading, overflow="fold")
    style = {"holds": "[green]holds[/]", "differs": "[bold red]differs[/]"}
    for number, entry in known.items():
        own = [each for each in shown if each.number == number]
        for place, each in enumerate(own or [Shown(number, "", "open")]):
            first = (number, entry.title) if place == 0 else ("", "")
            table.add_row(*first, each.name, style.get(each.result, each.result))
    console.print(table)
    for name, problems in dict.fromkeys((each.name, each.problems) for each in shown if each.problems):
        console.print(f"[red]{name}[/]", *problems, sep="\n  ", highlight=False)
