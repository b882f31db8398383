"""The packages depend one way, the pure ones are pure, and the command line is quick and whole."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.cli import COMMANDS, cli

HOME = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
IMPURE = [
    "import time\n\n\ndef now() -> float:\n    return time.time()\n",
    "import os\n\nhome = os.environ\n",
    "import random\n\nrandom.random()\n",
    "import faust\n\nfaust.App\n",
    "from datetime import datetime\n\ndatetime.now()\n",
]


@pytest.mark.parametrize("package", ["schemas", "streams"])
@pytest.mark.parametrize("source", IMPURE)
def test_what_decides_cannot_reach_the_world(package: str, source: str) -> None:
    refused = subprocess.run(
        [BIN / "ruff", "check", "--select", "TID251", "--stdin-filename", f"{package}/new.py", "-"],
        input=source, text=True, capture_output=True, cwd=HOME, check=False,
    )  # fmt: skip
    assert "TID251" in refused.stdout


def test_packages_depend_one_way() -> None:
    checked = subprocess.run([BIN / "lint-imports"], capture_output=True, text=True, cwd=HOME, check=False)
    assert checked.returncode == 0, checked.stdout


def test_help_loads_none_of_the_commands() -> None:
    program = (
        "import sys; from deploy.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*sorted(sys.modules), file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=HOME, check=True)
    assert all(name in shown.stdout for name in COMMANDS)
    assert {"faust", "kafka", "confluent_kafka", "aiohttp", "redis"}.isdisjoint(shown.stderr.split())


def leaves(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    context = click.Context(command, info_name=name)
    found = []
    for each in command.list_commands(context):
        below = command.get_command(context, each)
        assert below is not None
        found += leaves(f"{name} {each}", below)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_its_help_has_an_example_and_exit_codes(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for full_name, leaf in leaves(name, command):
        help_text = leaf.help or ""
        assert "Example:" in help_text, full_name
        assert f"nivaran {full_name}" in help_text, full_name
        assert "Exit code" in help_text, full_name


def test_a_wrong_setting_ends_with_its_name_and_exit_code_2() -> None:
    answer = CliRunner().invoke(cli, ["topics", "verify"], env={"NIVARAN_PARTITIONS": "many"})
    assert answer.exit_code == 2
    assert "NIVARAN_PARTITIONS" in answer.output


def test_a_command_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agents.cli.topics", None)
    answer = CliRunner().invoke(cli, ["topics", "verify"])
    assert answer.exit_code == 1
    assert "nivaran doctor" in answer.output
    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
