"""What the commands have in common: the options `--kafka` and `--json`, and how an answer is printed."""

import os
from typing import Any, Final

import click
import msgspec

from agents.settings import PREFIX, Settings, T, load

kafka_option: Final = click.option(
    "--kafka", metavar="HOST:PORT", help="Bootstrap servers, comma separated; default: NIVARAN_KAFKA."
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")


def settings_with(kafka: str | None = None, redis_url: str | None = None) -> Settings:
    """Settings of the environment, those given on the command line before them; raises SettingsError."""
    return settings_of(Settings, kafka=kafka, redis_url=redis_url)


def settings_of(kind: type[T], **given: str | None) -> T:
    """Settings of this kind; what is `given` is held against the same rules as the variable it stands for."""
    told = {PREFIX + name.upper(): value for name, value in given.items() if value is not None}
    return load(kind, {**os.environ, **told})


def print_json(value: Any) -> None:
    """Print `value` as indented JSON, Hindi unescaped."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
