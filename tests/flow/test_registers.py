"""The registers and the board as stories expect them, and the register of requirements itself."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import register as command
from deploy.cli import cli
from tests.flow.test_stories import play
from tests.registered import register_problems
from tests.story import stories

WITH_REGISTERS = [story for story in stories() if "register" in story.raw]


@pytest.mark.parametrize("story", WITH_REGISTERS, ids=lambda story: story.name)
def test_registers_of_a_story(story) -> None:
    assert register_problems(story, play(story)) == []


def test_the_registers_are_really_looked_at() -> None:
    assert {each["name"] for story in WITH_REGISTERS for each in story.raw["register"]} >= {
        "pending", "dissatisfied", "defaulters", "board", "sample", "ranking", "pack",
    }  # fmt: skip
    story = WITH_REGISTERS[0]
    wrong = [{**each, "lines": [*each["lines"], {"case": "a"}]} for each in story.raw["register"]]
    assert register_problems(type(story)(story.path, {**story.raw, "register": wrong}), play(story))


@pytest.mark.parametrize("number", command.NUMBERS)
def test_a_requirement_that_is_done_has_a_story_or_a_test_that_names_it(number: str) -> None:
    entry = command.entries()[number]
    told = [story.name for story in stories() if number in story.raw["requirements"]]
    assert not entry.done or told or entry.tests, f"{number} is done and nothing shows it"
    for test in entry.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in Path(command.HOME, path).read_text("utf-8"), f"{number}: there is no {test}"


def test_the_register_has_every_number_and_no_story_names_another() -> None:
    assert list(command.entries()) == list(command.NUMBERS)
    for story in stories():
        assert story.raw["requirements"], f"{story.name} names no requirement"
        assert set(story.raw["requirements"]) <= set(command.NUMBERS)


def test_nivaran_register_runs_every_story() -> None:
    done = CliRunner().invoke(cli, ["register", "--json"])
    assert done.exit_code == 0, done.output
    assert done.output.count('"holds"') >= len(stories())
    text = CliRunner().invoke(cli, ["register"])
    assert all(number in text.output for number in command.NUMBERS)


def test_where_there_are_no_tests_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "HOME", tmp_path)
    done = CliRunner().invoke(cli, ["register"])
    assert done.exit_code == 1
    assert "no stories here" in done.output


def test_a_story_that_differs_is_told_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = next(story for story in stories() if story.name == "satisfied_closes")
    broken.raw["expect"][0]["events"][0]["level"] = 8
    monkeypatch.setattr("tests.story.stories", lambda: [broken])
    done = CliRunner().invoke(cli, ["register"])
    assert done.exit_code == 1
    assert "differs" in done.output
    assert "level is 1, expected 8" in done.output
