"""`nivaran token`: an issuer of signed tokens for a demonstration, with two keys in a file."""

import time
from pathlib import Path
from typing import Any, Final

import click

from agents.cli.shared import json_option, print_json
from agents.gateway.auth import ROLES
from agents.gateway.signed.settings import OidcSettings
from agents.issuer import IssuerError, IssuerFile, opened, public_keys, rotated, signed
from agents.settings import Settings, load

FILE: Final = "issuer-keys.json"
ISSUER: Final = "urn:nivaran:local-issuer"
AUDIENCE: Final = "nivaran"
LONGEST_HOURS: Final = 24 * 7

file_option: Final = click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"File of the keys, readable by its owner alone; default: {FILE} in NIVARAN_DATA_DIR.",
)


@click.group()
def token() -> None:
    """Signed tokens for a demonstration: not for a deployment, which has an issuer of its own.

    \b
    Example:
      nivaran token rotate
      nivaran token keys > keys.json
      export NIVARAN_OIDC_ISSUER=urn:nivaran:local-issuer NIVARAN_OIDC_AUDIENCE=nivaran NIVARAN_OIDC_KEYS=keys.json
      nivaran token issue --role officer --officer o-77 --district 159
    """


@token.command()
@file_option
@json_option
def rotate(file: Path | None, as_json: bool) -> None:
    """Make a new key, which signs from now on; the one before it stays published, an older one goes.

    Publish `nivaran token keys` anew after it. The file is made where there is none.

    Exit code: 0 done; 1 the file cannot be written or read, or others may read it.

    \b
    Example:
      nivaran token rotate
    """
    path = _path(file)
    try:
        held = rotated(path)
    except IssuerError as error:
        raise click.ClickException(str(error)) from error
    told = {"file": str(path), "signs": held.keys[0]["kid"], "published": [key["kid"] for key in held.keys]}
    if as_json:
        print_json(told)
    else:
        click.echo(f"{path}: {told['signs']} signs, published: {', '.join(told['published'])}")


@token.command()
@file_option
@json_option
def keys(file: Path | None, as_json: bool) -> None:  # noqa: ARG001 - a JWK set is JSON in any case
    """Print the public keys as a JWK set, for NIVARAN_OIDC_KEYS.

    Exit code: 0 printed; 1 the file cannot be read, or others may read it.

    \b
    Example:
      nivaran token keys > keys.json
    """
    print_json(public_keys(_held(file)))


@token.command()
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--subject", metavar="ID", default="demo", show_default=True, help="Whom the token is for: an opaque id.")
@click.option("--system", "systems", metavar="SYSTEM", multiple=True, help="A system it is for; without: all.")
@click.option("--district", "districts", type=int, multiple=True, metavar="LGD", help="A district it is for.")
@click.option("--department", metavar="SLUG", help="The department it is for.")
@click.option("--office", metavar="OFFICE", help="The office an officer acts for.")
@click.option("--officer", metavar="ID", help="Who acts.")
@click.option("--sees", metavar="ROLE", multiple=True, help="A role in which it sees restricted cases.")
@click.option("--hours", type=click.FloatRange(0, LONGEST_HOURS, min_open=True), default=8.0, show_default=True)
@file_option
@json_option
def issue(
    role: str,
    subject: str,
    systems: tuple[str, ...],
    districts: tuple[int, ...],
    department: str | None,
    office: str | None,
    officer: str | None,
    sees: tuple[str, ...],
    hours: float,
    file: Path | None,
    as_json: bool,
) -> None:
    """Print a signed token. Its issuer and audience are those of NIVARAN_OIDC_ISSUER and NIVARAN_OIDC_AUDIENCE.

    The gateway refuses a scope that its role cannot have; see docs/channels/officer-portal.md.

    Exit code: 0 printed; 1 the file of keys cannot be read, or others may read it; 2 an option is wrong.

    \b
    Example:
      nivaran token issue --role officer --officer o-77 --office water:district-officer@159
    """
    settings, now = load(OidcSettings), int(time.time())
    scope = {
        "systems": list(systems),
        "districts": list(districts),
        "department": department,
        "office": office,
        "officer": officer,
        "sees": list(sees),
    }
    claims: dict[str, Any] = {
        "iss": settings.oidc_issuer or ISSUER,
        "aud": settings.oidc_audience or AUDIENCE,
        "sub": subject,
        "iat": now,
        "nbf": now,
        "exp": now + round(hours * 3600),
        "role": role,
        **{name: value for name, value in scope.items() if value},
    }
    made = signed(_held(file), claims)
    if as_json:
        print_json({"token": made, "claims": claims})
    else:
        click.echo(made)


def _path(file: Path | None) -> Path:
    return file or Path(load(Settings).data_dir) / FILE


def _held(file: Path | None) -> IssuerFile:
    try:
        return opened(_path(file))
    except IssuerError as error:
        raise click.ClickException(f"{error}. `nivaran token rotate` makes one.") from error
