"""`nivaran simulate` and `nivaran replay`: the product decides what the plan of the input says must come of it."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents.cli.replay import replay
from agents.cli.simulate import simulate
from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation, Together
from agents.simulate.playback import Playback
from agents.simulate.truth import differences, total
from agents.simulate.world import world
from schemas.codec import decoder
from schemas.events import Event
from schemas.intake import IntakeOutcome
from streams.profiles.load import profile, profiles
from streams.topology import STAGES

SYSTEMS = [name for name, each in profiles().items() if each.zone == "Asia/Kolkata"]
FIRST, *REST = (name for name in SYSTEMS if name != world().volume.system)
OTHERS = [FIRST, *(pytest.param(name, marks=pytest.mark.thorough) for name in REST)]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weeks")
    done = CliRunner().invoke(simulate, ["--out", str(folder), "--seed", "11", "--scale", "0.02", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["lines"] > 2000
    return folder


def played(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(replay, [str(folder / "input.ndjson"), *options])


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (2, 3))])
def test_every_count_is_as_the_plan_says(seed: int, tmp_path: Path) -> None:
    """Registrations, duplicates, rejections, dead letters, escalations, closings, SMS, what stands open: all of it."""
    CliRunner().invoke(simulate, ["--out", str(tmp_path), "--seed", str(seed), "--scale", "0.1"])
    done = played(tmp_path, "--truth", str(tmp_path / "truth.json"), "--json")
    told = json.loads(done.output)
    assert told["differences"] == []
    assert told["ok"] is True
    assert done.exit_code == 0
    expected = json.loads((tmp_path / "truth.json").read_text())
    assert told["door"] == {name: count for name, count in expected["door"].items() if count}


@pytest.mark.parametrize("system", OTHERS)
def test_every_count_of_every_system_is_as_the_plan_says(system: str, tmp_path: Path) -> None:
    made = ["--out", str(tmp_path), "--system", system, "--seed", "4", "--scale", "0.06"]
    assert CliRunner().invoke(simulate, made).exit_code == 0
    told = json.loads(played(tmp_path, "--truth", str(tmp_path / "truth.json"), "--json").output)
    assert told["differences"] == []


def test_systems_together_are_the_sum_of_each() -> None:
    parts = [Simulation(profile(name), 7, scale=0.01) for name in SYSTEMS]
    together = Together([Simulation(profile(name), 7, scale=0.01) for name in SYSTEMS])
    alone, told = [line for part in parts for line in part], list(together)
    assert sorted(alone, key=repr) == sorted(told, key=repr)
    assert [line.at for line in told] == sorted(line.at for line in told)
    assert total([part.truth for part in parts]) == together.truth
    playback = Playback(STAGES, Door(stand_in_identity()), told[0].at)
    for line in told:
        playback.play(line)
    playback.finish(together.truth.end_at)
    assert differences(together.truth.shown(), playback.tally.shown()) == []


def test_what_differs_between_systems_happens() -> None:
    found = Together([Simulation(profile(name), 2, scale=0.1) for name in SYSTEMS])
    assert list(found)
    events = {tag for tag, count in found.truth.events.items() if count}
    assert events >= {
        "case.marked.v1", "case.close-proposed.v1", "case.close-returned.v1", "case.special-closed.v1",
        "case.citizen-told.v1", "case.force-closed.v1", "case.revived.v1", "case.sent-up.v1", "case.sent-back.v1",
        "case.graded.v1",
    }  # fmt: skip
    assert found.truth.sms["disposed-partial citizen"]


def test_facts_are_lines_that_any_reader_decodes(weeks: Path) -> None:
    done = played(weeks)
    assert done.exit_code == 0
    facts = done.stdout.splitlines()
    decode = decoder(Event | IntakeOutcome)
    assert len(facts) > 2000
    assert all(decode(fact.encode()) for fact in facts)
    assert "records in" in done.stderr


def test_the_same_input_gives_the_same_bytes(weeks: Path) -> None:
    assert played(weeks).stdout == played(weeks).stdout


def test_one_topic_can_be_asked_for(weeks: Path) -> None:
    done = played(weeks, "--topic", "grievance.escalation.raised.v1")
    kinds = {json.loads(line)["type"] for line in done.stdout.splitlines()}
    assert kinds == {"escalation.raised.v1"}


def test_a_wrong_truth_is_told_and_fails(weeks: Path, tmp_path: Path) -> None:
    wrong = json.loads((weeks / "truth.json").read_text())
    wrong["closed"]["satisfied"] += 1
    (tmp_path / "truth.json").write_bytes(msgspec.json.encode(wrong))
    done = played(weeks, "--truth", str(tmp_path / "truth.json"))
    assert done.exit_code == 1
    assert "closed / satisfied" in done.stderr
    assert "differs from the ground truth" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no line in it"), ('{"at": 1}\n', "line 1: Object missing required field `way`"), ("[]\n", "line 1")],
)
def test_a_file_that_is_no_input_is_told_by_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "input.ndjson").write_text(text)
    done = played(tmp_path)
    assert done.exit_code == 1
    assert said in done.output
