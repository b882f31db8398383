"""Every command: JSON where it prints data, exit codes that its help names, an answer to what is wrong; no Kafka."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner, Result

from deploy.cli import COMMANDS, cli
from deploy.local.locks import own
from tests.waiting import until

NOBODY = "127.0.0.1:1"
CASE = "108838367268258838"
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
WITHOUT_JSON = {
    "demo": "shows, and its exit code is the answer",
    "worker": "serves /metrics",
    "gateway": "serves HTTP",
    "exporter": "serves /metrics",
    "webhooks run": "serves /metrics",
}
SERVING = {
    "NIVARAN_CITIZEN_KEY": KEY,
    "NIVARAN_CONTACT_KEY": KEY,
    "NIVARAN_API_TOKENS": "officer:a-token-of-the-tests",
}
HOOKS = {"NIVARAN_WEBHOOK_SECRET_DESK": "whsec_" + base64.b64encode(b"k" * 32).decode()}


class Asked(NamedTuple):
    """A command line, the exit code it ends with, and what its answer must hold."""

    words: str
    code: int
    says: str = ""
    more: Mapping[str, str] = MappingProxyType({})


def leaves(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command, info_name=name)
    for each in command.list_commands(context):
        below = command.get_command(context, each)
        assert below is not None
        yield from leaves(f"{name} {each}", below)


def _all() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = ((name, cli.get_command(context, name)) for name in COMMANDS)
    return {full: leaf for name, command in found if command is not None for full, leaf in leaves(name, command)}


LEAVES = _all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated input with its truth, and files that are neither."""
    folder = tmp_path_factory.mktemp("commands")
    assert invoke(f"simulate --scale 0.001 --out {folder}", folder).exit_code == 0
    (folder / "noise").write_bytes(b"\xff\xfe no line of anything\n")
    (folder / "latin").write_bytes(b'{"way": "caf\xe9"}\n')
    (folder / "empty").touch()
    shutil.copy(Path(__file__).parents[2] / "schemas" / "asyncapi.json", folder / "contract.json")
    (folder / "hooks.toml").write_text(
        '[desk]\nurl = "https://example.org/hook"\nsecrets = ["NIVARAN_WEBHOOK_SECRET_DESK"]\n', "utf-8"
    )
    assert invoke("token rotate --file {folder}/issuer.json", folder).exit_code == 0
    (folder / "offices.csv").write_text("system,office,name\nup-1076,revenue:dm@159,जिलाधिकारी\n", "utf-8")
    return folder


def invoke(words: str, folder: Path, more: Mapping[str, str] | None = None) -> Result:
    quiet = {name: "" for name in os.environ if name.startswith("NIVARAN_") and name != "NIVARAN_CACHE"}
    given = {"NIVARAN_KAFKA": NOBODY, "NIVARAN_REDIS_URL": f"redis://{NOBODY}/0", "NIVARAN_HOME": str(folder)}
    arguments = words.format(folder=folder).split()
    return CliRunner().invoke(cli, arguments, env={**quiet, **given, **(more or {})}, catch_exceptions=False)


JSON = [
    Asked("local status", 1),
    Asked("local down", 0),
    Asked("doctor", 1),
    Asked("simulate --scale 0.001 --out {folder}/again", 0),
    Asked("replay {folder}/input.ndjson", 0),
    Asked("replay {folder}/input.ndjson --truth {folder}/truth.json", 0),
    Asked("officers load {folder}/offices.csv --dry-run", 0, more=SERVING),
    Asked("officers load {folder}/noise", 2, more=SERVING),
    Asked("token rotate --file {folder}/issuer.json", 0),
    Asked("token keys --file {folder}/issuer.json", 0),
    Asked("token issue --role officer --officer o-77 --district 159 --file {folder}/issuer.json", 0),
    Asked("profile list", 0),
    Asked("profile show up-1076", 0),
    Asked("register", 0),
    Asked("size --complaints-per-day 20000", 0),
    Asked("contract diff {folder}/contract.json", 0),
    Asked("webhooks check --file {folder}/hooks.toml", 0, more=HOOKS),
    Asked(f"top --every 0.2 http://{NOBODY}", 1),
    Asked("load {folder}/empty --dry-run", 0, more=SERVING),
    Asked("load {folder}/noise --dry-run --rejects {folder}/rejects", 1, more=SERVING),
]


@pytest.mark.parametrize("asked", JSON, ids=lambda asked: asked.words)
def test_what_prints_data_prints_one_json_document(asked: Asked, folder: Path) -> None:
    answer = invoke(f"{asked.words} --json", folder, asked.more)
    assert answer.exit_code == asked.code, answer.output
    assert isinstance(json.loads(answer.stdout), dict)


def test_json_is_offered_wherever_data_is_printed() -> None:
    lacking = {name for name, leaf in LEAVES.items() if not any("--json" in each.opts for each in leaf.params)}
    assert lacking == set(WITHOUT_JSON)


WRONG = [
    Asked("topics apply", 1, NOBODY),
    Asked("topics verify", 1, NOBODY),
    Asked("bench door --runs 0", 2, "--runs"),
    Asked("rebuild sla --replace", 2, "--replace is for the board"),
    Asked("rebuild board", 1, NOBODY),
    Asked("rebuild windows", 2, "registers"),
    Asked("export new", 1, NOBODY),
    Asked("export .", 2, "is not empty"),
    Asked("import nothing-here", 1, "manifest.json"),
    Asked("dlq list", 1, NOBODY),
    Asked("dlq show", 1, NOBODY),
    Asked("dlq show nonsense", 2, "PLACE"),
    Asked("dlq redrive --dry-run", 1, NOBODY),
    Asked("explain 123", 2, "digit"),
    Asked(f"explain {CASE}", 1, "Redis"),
    Asked("profile show up-1067", 2, "up-1076"),
    Asked("simulate --scale 0 --out {folder}", 2, "--scale"),
    Asked("simulate --scale 0.001 --out {folder}/empty", 2, "empty"),
    Asked("simulate --scale 0.001 --out {folder}/empty/none", 1, "empty"),
    Asked("audit", 1, NOBODY),
    Asked(f"explain {CASE} --from log", 1, NOBODY),
    Asked("load {folder}/latin", 69, NOBODY, SERVING),
    Asked("replay {folder}/noise", 1, "line 1"),
    Asked("replay {folder}/latin", 1, "line 1"),
    Asked("replay {folder}/empty", 1, "no line"),
    Asked("replay {folder}/input.ndjson --truth {folder}/noise", 1, "noise"),
    Asked("replay {folder}/input.ndjson --topic case.events", 2, "--topic"),
    Asked("replay {folder}/none", 2, "does not exist"),
    Asked("load {folder}/input.ndjson", 2, "NIVARAN_CITIZEN_KEY"),
    Asked("load {folder}/input.ndjson --rejects {folder}/input.ndjson", 2, "--rejects", SERVING),
    Asked("load {folder}/input.ndjson --mapping {folder}/noise", 2, "noise", SERVING),
    Asked("load {folder}/input.ndjson --sheet s", 2, "sheets", SERVING),
    Asked("mail --folder {folder}", 2, "NIVARAN_CITIZEN_KEY"),
    Asked("mail --folder {folder}/none", 2, "--folder", SERVING),
    Asked("mail --folder {folder}", 2, "NIVARAN_MAIL_SYSTEM", SERVING),
    Asked("mail --folder {folder}", 2, "up-1076", {**SERVING, "NIVARAN_MAIL_SYSTEM": "up-1067"}),
    Asked("mail --folder {folder} --imap", 2, "NIVARAN_IMAP_HOST", {**SERVING, "NIVARAN_MAIL_SYSTEM": "up-1076"}),
    Asked("mail --folder {folder}", 69, NOBODY, {**SERVING, "NIVARAN_MAIL_SYSTEM": "up-1076"}),
    Asked("gateway", 2, "NIVARAN_CITIZEN_KEY"),
    Asked("gateway --port 70000", 2, "--port"),
    Asked("gateway", 2, "NIVARAN_OIDC_AUDIENCE", {**SERVING, "NIVARAN_OIDC_ISSUER": "https://issuer.example"}),
    Asked("token keys --file {folder}/none.json", 1, "token rotate"),
    Asked("token issue --role nobody", 2, "--role"),
    Asked("token rotate --file {folder}/noise", 1, "noise"),
    Asked("worker nobody", 2, "intake"),
    Asked("exporter --port 70000", 2, "--port"),
    Asked("contract diff {folder}/noise", 2, "OLD"),
    Asked("contract diff {folder}/none", 2, "does not exist"),
    Asked("contract diff {folder}/contract.json {folder}", 2, "NEW"),
    Asked("webhooks check", 2, "NIVARAN_WEBHOOKS"),
    Asked("webhooks check --file {folder}/hooks.toml", 2, "NIVARAN_WEBHOOK_SECRET_DESK"),
    Asked("webhooks run --file {folder}/noise", 2, "noise"),
    Asked("webhooks run --file {folder}/hooks.toml", 69, NOBODY, HOOKS),
    Asked("webhooks redrive nobody --file {folder}/hooks.toml", 2, "desk", HOOKS),
    Asked("webhooks redrive desk --file {folder}/hooks.toml", 1, NOBODY, HOOKS),
    Asked("top", 2, "URL"),
    Asked(f"top --once --every 0.2 http://{NOBODY}", 1, "does not answer"),
    Asked("sms-sandbox --fail 2", 2, "--fail"),
    Asked("sms-sandbox --ledger {folder}/empty/ledger --port 0", 1, "empty"),
    Asked("local up --brokers 2", 2, "--brokers"),
    Asked("local down --now", 2, "--now"),
    Asked("local status --now", 2, "--now"),
    Asked("demo --scale 0", 2, "--scale"),
    Asked("doctor --now", 2, "--now"),
    Asked("real --first yesterday", 2, "--first"),
    Asked("bench all --events 1", 2, "--events"),
    Asked("bench case --events 1", 2, "--events"),
    Asked("bench latency --runs 0", 2, "--runs"),
    Asked("bench flow --axis height", 2, "--axis"),
    Asked("bench shuffle --runs 0", 2, "--runs"),
    Asked("bench timers --events 1", 2, "--events"),
    Asked("bench engines --events 1", 2, "--events"),
    Asked("size", 2, "--complaints-per-day"),
    Asked("size --complaints-per-day 0", 2, "--complaints-per-day"),
    Asked("size --complaints-per-day 10 --systems up-1067", 2, "up-1076"),
    Asked("bench metrics --events 1", 2, "--events"),
    Asked("bench recovery --runs 0", 2, "--runs"),
    Asked("bench storm --due 1", 2, "--due"),
    Asked("bench pauses --runs 0", 2, "--runs"),
    Asked("profile list --now", 2, "--now"),
    Asked("audit --processes 0", 2, "--processes"),
    Asked("board --district 159", 1, "Redis"),
    Asked("board --district 158888", 2, "near are"),
    Asked("board --district 159 --system nyc-council", 2, "up-1076"),
    Asked("pack --system up-1076 --district 159 --month 2026-01", 1, "Redis"),
    Asked("pack --system up-1076 --district 159 --month 2026-01 --from log", 1, NOBODY),
    Asked("pack --system up-1076 --district 159 --month 2026-13", 2, "YYYY-MM"),
    Asked("pack --system up-1076 --district 159 --month 2026-01 --as-of yesterday", 2, "YYYY-MM-DD"),
    Asked("pack --system up-1067 --month 2026-01", 2, "up-1076"),
    Asked("pack --system up-1076 --for dm --month 2026-01", 2, "--district"),
    Asked("pack --system up-1076 --department watr --month 2026-01", 2, "water"),
    Asked("rank --system up-1076 --month 2026-01", 1, "Redis"),
    Asked("rank --system up-1076 --month January", 2, "YYYY-MM"),
    Asked("review sample --system up-1076 --month 2026-01 --seed s", 1, "Redis"),
    Asked("review sample --system up-1076 --month 2026-01", 2, "--seed"),
    Asked("review record --system up-1076 --month 2026-01 --seed s --case 1 --officer o --office c", 2, "--finding"),
    Asked("register --now", 2, "--now"),
    Asked("officers load {folder}/noise", 2, "NIVARAN_CONTACT_KEY"),
    Asked("officers load {folder}/noise", 2, "noise:1: is no UTF-8", SERVING),
    Asked("officers load {folder}/empty", 2, "must name system, office, name", SERVING),
    Asked("officers absent", 1, "Redis"),
    Asked("officers absent --system up-1067", 2, "up-1076"),
    Asked("officers missing --at yesterday", 2, "--at"),
    Asked("officers ladder", 1, "Redis"),
    Asked("officers conduct", 1, "Redis"),
    Asked("officers tickets --district kheri", 2, "--district"),
    Asked("officers applications --system up-1076", 2, "NIVARAN_CONTACT_KEY"),
    Asked("officers applications --system up-1076", 1, NOBODY, SERVING),
]


@pytest.mark.parametrize("asked", WRONG, ids=lambda asked: asked.words)
def test_what_is_wrong_is_answered_with_its_name_and_an_exit_code(asked: Asked, folder: Path) -> None:
    answer = invoke(asked.words, folder, asked.more)
    assert answer.exit_code == asked.code, answer.output
    assert asked.says in answer.output


def test_every_command_is_asked_something_wrong() -> None:
    assert {name for name in LEAVES if not any(f"{each.words} ".startswith(f"{name} ") for each in WRONG)} == set()


@pytest.mark.parametrize("asked", [*JSON, *WRONG], ids=lambda asked: asked.words)
def test_every_exit_code_stands_in_the_help(asked: Asked) -> None:
    [name] = [each for each in LEAVES if f"{asked.words} ".startswith(f"{each} ")]
    told = re.search(r"Exit code: (.*?)\n\n", LEAVES[name].help or "", re.DOTALL)
    assert told is not None
    assert re.search(rf"\b{asked.code}\s", told[1]), told[1]


@pytest.mark.parametrize("command", ["topics verify", "dlq list", f"explain {CASE}", "audit", "gateway", "worker case"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NIVARAN_KAFKA", "kafka"),
        ("NIVARAN_REDIS_URL", "localhost:6379"),
        ("NIVARAN_REDIS_URL", "redis://user:pa55word@localhost:port/0"),
        ("NIVARAN_PARTITIONS", "many"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    command: str, variable: str, value: str, folder: Path
) -> None:
    answer = invoke(command, folder, {**SERVING, variable: value})
    assert (answer.exit_code, variable in answer.output) == (2, True), answer.output
    assert "pa55word" not in answer.output


def test_what_is_given_on_the_command_line_is_held_against_the_same_rule(folder: Path) -> None:
    for words in (f"explain {CASE} --redis localhost", "topics verify --kafka kafka", "audit --kafka ''"):
        answer = invoke(words, folder)
        assert (answer.exit_code, "NIVARAN_" in answer.output) == (2, True), answer.output


# as processes of their own: they listen, and are told to stop


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **SERVING, "NIVARAN_KAFKA": NOBODY, "NIVARAN_REDIS_URL": f"redis://{NOBODY}/0", **more}


@pytest.mark.parametrize("words", [("gateway",), ("sms-sandbox",)])
def test_an_address_in_use_is_said_so(words: tuple[str, ...], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            command(*words, "--port", port),
            env=environment(NIVARAN_DATA_DIR=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ended.returncode == 1, ended.stderr
    assert port in ended.stderr
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_without_kafka_ends_with_69() -> None:
    ended = subprocess.run(
        command("worker", "case"), env=environment(NIVARAN_START_TIMEOUT="1"), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 69
    assert NOBODY in ended.stderr


def test_ctrl_c_is_no_answer_of_a_command(tmp_path: Path) -> None:
    """Of an audit, 1 would mean that something does not hold."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        command("replay", str(pipe)), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as interrupted:
        with pipe.open("w"):  # opens when the command reads, and then gives it nothing
            interrupted.send_signal(signal.SIGINT)
            until(lambda: interrupted.poll() is not None, 20, what="the command ends")
        assert interrupted.stderr is not None
        told = interrupted.stderr.read()
    assert (interrupted.returncode, told.strip()) == (130, "interrupted")


def test_a_second_demonstration_leaves_the_first_alone(tmp_path: Path) -> None:
    with own(tmp_path / "demo", "NIVARAN_HOME"):
        kept = tmp_path / "demo" / "kafka"
        kept.mkdir()
        answer = invoke("demo --scale 0.01", tmp_path)
        assert (answer.exit_code, "in use by another run" in answer.output) == (1, True)
        assert kept.exists()


@pytest.mark.parametrize("words", ["demo --scale 0.01", "local up", "local status", "local down"])
def test_a_folder_that_cannot_be_written_is_named_with_the_setting_that_moves_it(words: str, folder: Path) -> None:
    answer = invoke(words, folder, {"NIVARAN_HOME": str(folder / "empty" / "home")})
    assert (answer.exit_code, "NIVARAN_HOME" in answer.output) == (1, True)
    assert "a file, not a folder" in answer.output
