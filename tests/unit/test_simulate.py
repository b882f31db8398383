"""The made-up helpline: reproducible, in order of time, as its sources say, and without anybody's data."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from agents.simulate import lines, truth
from agents.simulate.generate import Simulation
from agents.simulate.lines import Line, LineError
from agents.simulate.truth import differences
from agents.simulate.world import texts, world
from streams.profiles.load import profile
from streams.text import mask_numbers, nfc, segments

UP = profile("up-1076")


@pytest.fixture(scope="module")
def made() -> tuple[list[Line], Simulation]:
    simulation = Simulation(UP, 3, scale=0.15)
    return list(simulation), simulation


def test_the_same_seed_gives_the_same_weeks() -> None:
    first, second = Simulation(UP, 5, scale=0.01), Simulation(UP, 5, scale=0.01)
    assert list(first) == list(second)
    assert first.truth == second.truth


def test_another_seed_gives_others() -> None:
    assert list(Simulation(UP, 5, scale=0.01)) != list(Simulation(UP, 6, scale=0.01))


def test_lines_come_in_order_of_time_and_none_after_the_end(made: tuple[list[Line], Simulation]) -> None:
    told, simulation = made
    instants = [line.at for line in told]
    assert instants == sorted(instants)
    assert simulation.truth.start_at <= instants[0]
    assert instants[-1] <= simulation.truth.end_at


def test_every_line_is_counted_by_its_way(made: tuple[list[Line], Simulation]) -> None:
    told, simulation = made
    counted = simulation.truth.lines
    assert counted == Counter(line.way for line in told)
    assert sum(simulation.truth.door.values()) + counted["wire"] == len(told)


def test_what_belongs_to_a_citizen_comes_one_way(made: tuple[list[Line], Simulation]) -> None:
    """Two ways could overtake each other, and which was first would be chance."""
    ways: defaultdict[str, set[str]] = defaultdict(set)
    for line in made[0]:
        if line.body is not None and "mobile" in line.body and not line.key.startswith("faulty"):
            ways[line.body["mobile"]].add(line.way)
    assert all(len(each) == 1 for each in ways.values())


def test_shares_are_those_of_the_load_model(made: tuple[list[Line], Simulation]) -> None:
    events = made[1].truth.events
    verified = events["case.satisfied.v1"] + events["case.dissatisfied.v1"]
    assert 0.27 < events["case.dissatisfied.v1"] / verified < 0.33
    first_level = made[1].truth.escalations["time-out L1 to L2"]
    # of those whose seven days are over by the end, two thirds of all, a quarter
    assert 0.12 < first_level / events["case.registered.v1"] < 0.2


def test_everything_that_can_happen_does(made: tuple[list[Line], Simulation]) -> None:
    found = made[1].truth
    assert {"again", "refused", "taken"} <= found.door.keys()
    assert {"registered", "duplicate", "repeated"} <= found.submissions.keys()
    assert {"rejected repeated", "rejected not-owner", "rejected not-pending", "taken"} <= found.commands.keys()
    assert {"case.escalation-withdrawn.v1", "case.reopened.v1", "case.transferred.v1"} <= found.events.keys()
    assert {"satisfied", "satisfaction-unknown", "recorded"} <= found.closed.keys()
    assert {"open L1", "open L2", "open L3", "open L4", "disposed", "closed", "recorded"} == found.standing.keys()


def test_numbers_are_nobodys_and_texts_hold_none(made: tuple[list[Line], Simulation]) -> None:
    for line in made[0]:
        body = line.body or {}
        assert re.fullmatch(r"1[0-9]{9}|12", body.get("mobile", "12"))
        assert mask_numbers(body.get("text", "")) == body.get("text", "")


def test_a_line_survives_its_file(tmp_path: Path, made: tuple[list[Line], Simulation]) -> None:
    path = tmp_path / "input.ndjson"
    assert lines.write(path, made[0]) == len(made[0])
    assert list(lines.read(path)) == made[0]
    truth.write(tmp_path / "truth.json", made[1].truth)
    assert truth.read(tmp_path / "truth.json") == made[1].truth


def test_a_line_that_is_none_is_named_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "input.ndjson"
    path.write_text('{"at":1,"way":"http","key":"a"}\n{"at":1,"way":"post","key":"a"}\n')
    with pytest.raises(LineError, match=r"line 2: .*\$\.way"):
        list(lines.read(path))


def test_every_category_has_texts_in_hindi_that_are_normal_and_fill() -> None:
    assert UP.categories.keys() <= texts().keys()
    for about, each in texts().items():
        for text in each:
            assert text == nfc(text), about
            assert segments(text.format(v="रामपुर", n=3)) >= 1


def test_every_district_has_its_people() -> None:
    assert world().districts.keys() == UP.districts.keys()
    assert set(world().channels) <= {"call", "portal", "app", "whatsapp", "sms", "counter", "camp", "email", "transfer"}


def test_differences_name_the_figure_both_ways() -> None:
    expected = {"closed": {"satisfied": 3, "recorded": 1}}
    assert differences(expected, expected) == []
    assert differences(expected, {"closed": {"satisfied": 2, "dissatisfied": 1}}) == [
        "closed / dissatisfied: 1, not 0",
        "closed / recorded: 0, not 1",
        "closed / satisfied: 2, not 3",
    ]
