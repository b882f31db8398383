"""`nivaran pack`: the monthly review pack of a district, a department or the state, as of a day."""

from pathlib import Path
from typing import Final, cast

import click

from agents.cli.reviewing import (
    answered,
    as_of_option,
    department_of,
    district_of,
    from_option,
    month_option,
    profile_of,
    redis_option,
    sees_option,
    system_option,
)
from agents.cli.shared import json_option, kafka_option, print_json
from agents.readmodel.packs import gather
from schemas.base import Language
from streams.profiles.profile import Profile
from streams.review.material import Audience, Material, Scope
from streams.review.pack import document, stem
from streams.review.render import markdown, page, tables

AUDIENCES: Final[tuple[Audience, ...]] = ("dm", "acs", "cs", "cm")


@click.command()
@system_option
@click.option("--district", type=int, metavar="LGD", help="A district's code: the District Magistrate's pack.")
@click.option("--department", help="A department: the Additional Chief Secretary's pack.")
@month_option
@as_of_option
@click.option("--for", "audience", type=click.Choice(AUDIENCES),
              help="Default: dm with a district, acs with a department, else cm.")  # fmt: skip
@click.option("--language", type=click.Choice(["hi", "en", "both"]), default="both", show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("var/packs"), show_default=True)
@sees_option
@from_option
@redis_option
@kafka_option
@json_option
def pack(
    system: str,
    district: int | None,
    department: str | None,
    month: str,
    as_of: str | None,
    audience: Audience | None,
    language: str,
    out: Path,
    sees: tuple[str, ...],
    origin: str,
    redis_url: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Write the monthly review pack: Markdown, CSV, and a page to print with its charts, in Hindi and English.

    As of a day's end: what happened later is not in it, and the same log gives the same bytes. Disposed, verified,
    satisfied, unknown, forced and partial are counted apart; who was not reached is not satisfied.

    Exit code: 0 written; 1 the day is not closed or no longer kept, or Redis or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran pack --system SYSTEM --district 159 --month 2026-01
      nivaran pack --system SYSTEM --for cm --month 2026-01 --as-of 2026-01-20 --out review
    """
    profile = profile_of(system)
    reader, scope = _scope(profile, audience, district, department)
    material = answered(
        lambda source: gather(source, profile, reader, scope, month, as_of, frozenset(sees)), origin, redis_url, kafka
    )  # fmt: skip
    languages = ("hi", "en") if language == "both" else (language,)
    written = [path for each in languages for path in write(material, cast("Language", each), out)]
    if as_json:
        print_json({"as_of": material.as_of, "files": [str(path) for path in written]})
    else:
        for path in written:
            click.echo(path)


def _scope(
    profile: Profile, audience: Audience | None, district: int | None, department: str | None
) -> tuple[Audience, Scope]:
    chosen: Audience = audience or ("dm" if district is not None else "acs" if department is not None else "cm")
    if chosen == "dm" and district is None:
        raise click.UsageError("a District Magistrate's pack needs --district")
    if chosen == "acs" and department is None:
        raise click.UsageError("an Additional Chief Secretary's pack needs --department")
    return chosen, Scope(
        None if district is None else district_of(profile, district),
        None if department is None else department_of(profile, department),
    )


def write(material: Material, language: Language, out: Path) -> list[Path]:
    """The files of one language; each replaces its predecessor whole."""
    name = f"{stem(material)}.{language}"
    found = document(material, language)
    contents = {f"{name}.md": markdown(found, name), f"{name}.html": page(found, name), **tables(found, name)}
    out.mkdir(parents=True, exist_ok=True)
    for file, text in contents.items():
        whole = out / f".{file}.new"
        whole.write_text(text, "utf-8", newline="\n")
        whole.replace(out / file)
    return [out / file for file in contents]
