"""The runbook: a page per alert, each in the same four parts, naming only commands, services and metrics there are."""

import re
from pathlib import Path

import click
import pytest
import yaml

from agents.telemetry.catalogue import CATALOGUE
from deploy.cli import cli
from deploy.observability import alerts, slo
from deploy.observability.publish import DEPLOY
from tests.observability.names import PARTS

PAGES = sorted((DEPLOY / "runbook").glob("[NW]*.md"))
PARTS_OF_A_PAGE = ["Meaning", "Look at", "Do", "Verify"]
COMPOSE = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
WORDS_OF_COMPOSE = {"ps", "logs", "restart", "up", "stop", "start"}


def test_there_is_a_page_for_each_alert_and_no_other() -> None:
    named = {rule["alert"] for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"] if "alert" in rule}
    assert {page.stem for page in PAGES} == named
    index = (DEPLOY / "runbook" / "README.md").read_text()
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_parts_and_names_only_what_exists(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS_OF_A_PAGE
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        assert part.strip()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).is_file(), link
    for code in re.findall(r"`([^`]+)`", text):
        _exists(code)


def _exists(code: str) -> None:
    words = code.split()
    match words:
        case ["nivaran", *rest]:
            _understood(cli, [word.replace("CASE", "109763405948883359") for word in rest])
        case ["docker", "compose", *rest]:
            services = set(COMPOSE["services"])
            plain = [word for word in rest if not word.startswith("-")]
            assert any(word in WORDS_OF_COMPOSE for word in plain), code
            assert {
                word.partition("=")[0] for word in plain if word.startswith(("worker-", "sms-", "exporter", "gateway"))
            } <= services
        case _:
            for name in re.findall(r"\b(?:nivaran|kafka)_[a-z_]+", code):
                bare = next((name.removesuffix(end) for end in PARTS if name.endswith(end)), name)
                assert name in CATALOGUE or bare in CATALOGUE, name


def _understood(command: click.Command, words: list[str]) -> None:
    """Parse as the command line would, and call nothing; click raises UsageError for what it does not know."""
    if not isinstance(command, click.Group):
        command.make_context("nivaran", list(words), resilient_parsing="--help" in words)
        return
    assert words, "a group alone does nothing"
    if words == ["--help"]:
        return
    found = command.get_command(click.Context(command), words[0])
    assert found is not None, words
    _understood(found, words[1:])
