"""`nivaran contract`: what has changed since an older contract, and whether it breaks those who rest on it."""

from collections import Counter
from pathlib import Path

import click

from agents.cli.shared import json_option, print_json
from schemas.compare import Difference, differences
from schemas.contract import Contract, ContractError, of_document, of_folder
from schemas.publish import HOME

OWN = HOME / "schemas"


@click.group()
def contract() -> None:
    """Topics and records as others rest on them (docs/contracts.md).

    \b
    Example:
      nivaran contract diff schemas/released/0.1.0.json
    """


@contract.command()
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path), required=False)
@json_option
def diff(old: Path, new: Path | None, as_json: bool) -> None:
    """Name every change from OLD to NEW, the breaking ones first; NEW is this version where it is not given.

    Each is a `schemas` folder of an older version, or an AsyncAPI document as in schemas/asyncapi.json.

    Exit code: 0 compatible; 1 something breaks a reader or writer; 2 wrong usage, or what was given is no contract.

    \b
    Example:
      nivaran contract diff schemas/released/0.1.0.json
      nivaran contract diff ../older/schemas --json
    """
    found = differences(_read(old, "OLD"), _read(new or OWN, "NEW"))
    breaking = Counter(each.kind for each in found)["breaking"]
    if as_json:
        print_json({"compatible": not breaking, "differences": found})
    else:
        _print(found)
    if breaking:
        raise SystemExit(1)


def _read(path: Path, name: str) -> Contract:
    try:
        if path.is_dir():
            wire = {each.stem: each.read_bytes() for each in sorted((path / "wire").glob("*.json"))}
            return of_folder((path / "topics.toml").read_text("utf-8"), wire)
        return of_document(path.read_bytes())
    except (ContractError, OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} {error}", param_hint=name) from None


def _print(found: list[Difference]) -> None:
    for each in found:
        click.echo(f"{each.kind:<11} {each.where}: {each.what}")
    counts = Counter(each.kind for each in found)
    click.echo(f"{counts['breaking']} breaking, {counts['compatible']} compatible")
