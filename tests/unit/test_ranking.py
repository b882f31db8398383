"""Ranking formulas: the published worked examples, the grammar, ranks, and what a bad file is told."""

import re
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.profiles.profile import Mark, ProfileError
from streams.sla.formula import FormulaError, compiled
from streams.sla.ranking import KNOWN, decimal, half_up
from streams.sla.rankings import FILE, rankings, read

FOLDER = files("streams.profiles")
MEASURED_ELSEWHERE = ("partial", "special", "revived", "grade_a", "grade_b", "grade_c")
SYSTEMS = ("up-1076", "up-igrs", "uttarakhand-1905", "rajasthan-sampark", "mp-181")


def scorer(system: str, name: str = "district"):
    return read(FOLDER.joinpath(system), {*KNOWN, *MEASURED_ELSEWHERE})[name]


def parts(score):
    return {mark.parameter: mark.marks for mark in score.marks}


# the worked examples


MORENA = {
    "disposed": 3000, "satisfied": 2803, "grade_c": 0, "pending": 1000, "pending_over_50_days": 61,
    "received": 1000, "escalated_timeout": 4,
}  # fmt: skip


def test_mp_gives_morenas_published_line_94_80():
    score = scorer("mp-181").score(MORENA)

    assert parts(score) == {"satisfied": "56.06", "over-50-days": "18.78", "low-quality": "10.00",
                            "not-attended": "9.96"}  # fmt: skip
    assert (decimal(score.total), decimal(score.maximum), score.grade) == ("94.80", "100.00", "A")


def test_of_morenas_457_cases_no_whole_number_gives_18_78_so_the_denominators_are_settings():
    assert {decimal(half_up(2000 * (1 - Fraction(old, 457)))) for old in range(458)}.isdisjoint({"18.78"})
    assert set(scorer("mp-181").ranking.define) == {
        "eligible_satisfied", "eligible_pending", "eligible_quality", "eligible_attended",
    }  # fmt: skip


FLAWLESS = {
    "disposed": 1000, "verified": 1000, "satisfied": 1000, "grade_a": 100, "pending": 100, "received": 1000,
}  # fmt: skip


def test_igrs_131_of_140_is_93_57_percent():
    # nine marks lost on feedback: three eighths of its 24
    score = scorer("up-igrs").score(FLAWLESS | {"satisfied": 625, "dissatisfied": 375})

    assert (decimal(score.total), decimal(score.maximum)) == ("131.00", "140.00")
    assert decimal(score.percent) == "93.57"


def test_igrs_122_of_130_four_lost_to_defaulters_four_to_c_grades_is_93_85_percent():
    told = {"defaulters": 250, "grade_a": 0, "grade_b": 80, "grade_c": 20}
    score = scorer("up-igrs", "district-130").score(FLAWLESS | told)

    assert parts(score)["defaulters"] == "16.00"
    assert parts(score)["grade-c"] == "16.00"
    assert (decimal(score.total), decimal(score.maximum)) == ("122.00", "130.00")
    assert decimal(score.percent) == "93.85"


def test_rajasthan_satisfied_of_verified_is_66_90():
    score = scorer("rajasthan-sampark").score({"disposed": 8883, "verified": 6311, "satisfied": 4222})

    assert decimal(score.total) == decimal(score.percent) == "66.90"


@pytest.mark.parametrize(
    ("percent", "grade"),
    [("80.1", "A"), ("81.91", "A"), ("80", "A"), ("79.99", "B"), ("79.5", "B"), ("75.46", "B"), ("69.99", "C"),
     ("60", "C"), ("59.99", "D"), ("51.06", "D"), ("0", "D")],
)  # fmt: skip
def test_grades_are_those_that_were_published(percent, grade):
    marks = scorer("mp-181")
    lost = 100 - Fraction(percent)
    # all that is lost is lost on satisfaction (60), and beyond that on pendency and quality
    on_satisfied, rest = min(lost, Fraction(60)), max(Fraction(0), lost - 60)
    told = {"disposed": 600_000, "satisfied": int(600_000 * (1 - on_satisfied / 60)), "pending": 200_000,
            "pending_over_50_days": int(min(rest, 20) * 10_000), "received": 10,
            "grade_c": int(max(rest - 20, 0) * 60_000), "escalated_timeout": 10 if rest > 30 else 0}  # fmt: skip
    assert marks.score(told).grade == grade


# data


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_value_of_a_ranking_keeps_its_mark_and_source(system):
    for each in read(FOLDER.joinpath(system), {*KNOWN, *MEASURED_ELSEWHERE}).values():
        for slug in each.ranking.parameters:
            source = each.ranking.sources[f"parameters.{slug}.maximum"]
            assert source.mark in Mark.__args__
            assert source.source


def test_maxima_add_up_to_what_is_published():
    assert sum(each.maximum for each in scorer("mp-181").ranking.parameters.values()) == 100
    igrs = read(FOLDER.joinpath("up-igrs"), {*KNOWN, *MEASURED_ELSEWHERE})
    totals = {name: sum(part.maximum for part in each.ranking.parameters.values()) for name, each in igrs.items()}
    assert totals == {"district": 140, "district-130": 130}
    assert [len(each.ranking.parameters) for each in igrs.values()] == [10, 9]


def test_systems_that_are_shipped_have_their_rankings_checked():
    assert set(rankings()["up-1076"]) == {"district", "department"}


# scores and ranks


def test_the_unreachable_are_neither_satisfied_nor_verified():
    told = {"disposed": 100, "verified": 50, "satisfied": 40, "closed_unknown": 50}
    assert decimal(scorer("rajasthan-sampark").score(told).total) == "80.00"


def test_a_share_of_nothing_counts_neither_for_nor_against():
    score = scorer("up-1076").score({"disposed": 10, "verified": 0, "pending": 0})
    assert parts(score) == {"satisfied": "-", "in-time": "30.00", "old": "-"}
    assert (score.total, score.maximum) == (3000, 3000)
    nothing = scorer("up-1076").score({})
    assert (nothing.total, nothing.percent, nothing.grade) == (None, None, "")


def test_equal_scores_share_a_rank_and_a_unit_without_a_score_has_none():
    units = {"9": {"verified": 2, "satisfied": 1}, "10": {"verified": 4, "satisfied": 2}, "8": {"verified": 0},
             "11": {"verified": 3, "satisfied": 1}, "7": {"verified": 1, "satisfied": 1}}  # fmt: skip
    found = scorer("rajasthan-sampark").rank(units)
    assert [(each.unit, each.rank) for each in found] == [("7", 1), ("9", 2), ("10", 2), ("11", 4), ("8", None)]


def test_small_units_are_ranked_among_themselves():
    units = {"1": MORENA, "2": {**MORENA, "received": 499}, "3": {**MORENA, "received": 500, "satisfied": 0}}
    found = scorer("mp-181").rank(units)
    assert [(each.unit, each.rank, each.group.en) for each in found] == [
        ("1", 1, "500 complaints or more"), ("3", 2, "500 complaints or more"), ("2", 1, "Fewer than 500 complaints"),
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KNOWN), st.integers(-1000, 10**9)))
def test_no_parameter_gives_more_than_its_maximum_or_less_than_nothing(told):
    for system in SYSTEMS:
        for mark in scorer(system).score(told).marks:
            assert mark.hundredths is None or 0 <= mark.hundredths <= mark.maximum


# the grammar


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("8 / 4 / 2", 1), ("7 - 2 - 1", 4), ("0.1 + 0.2", Fraction(3, 10)),
     ("satisfied / verified", Fraction(2, 3)), ("satisfied/0", None), ("1 + satisfied / pending", None),
     ("pending_over_50_days", 5)],
)  # fmt: skip
def test_formulas_are_exact(text, value):
    measures = {"satisfied": 2, "verified": 3, "pending_over_50_days": 5}
    assert compiled(text, KNOWN)(measures) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("satisfied / verifed", "character 13: no measure 'verifed'; did you mean 'verified'?"),
        ("quality", "no measure 'quality'; there are breach"),
        ("", "character 1: a measure, a number or a bracket is expected, not 'the end'"),
        ("satisfied /", "character 12: a measure"),
        ("(satisfied", "character 11: ')' is expected, not 'the end'"),
        ("satisfied verified", "character 11: an operator is expected, not 'verified'"),
        ("__import__('os')", "character 1: a measure"),
        ("satisfied ** 2", "character 12: a measure"),
        ("satisfied.real", "an operator is expected, not '.'"),
        ("pending_over_0_days", "no measure 'pending_over_0_days'"),
        ("(" * 40 + "1" + ")" * 40, "more than 32 brackets"),
    ],
)
def test_what_is_no_formula_is_told_where(text, said):
    with pytest.raises(FormulaError, match=r".*") as told:
        compiled(text, ("satisfied", "verified", "breach"))
    assert said in str(told.value)


GOOD = """
[district]
subject = "district"
name = { hi = "जनपद", en = "Districts" }
marks = { mark = "D", source = "ours" }
[district.parameters.one]
name = { hi = "एक", en = "One" }
maximum = 10
expression = "satisfied / verified"
direction = "more"
"""


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("satisfied / verified", "satisfied / verifed",
         "ranking.toml: district.parameters.one.expression: character 13: no measure 'verifed'; did you mean 'veri"),
        ('direction = "more"', 'direction = "up"', "district.parameters[...].direction: Invalid enum value 'up'"),
        ("maximum = 10", "maximum = -1", "district.parameters[...].maximum: Expected `float` > 0.0"),
        ("maximum = 10", "", "Object missing required field `maximum`"),
        ('subject = "district"', 'subject = "village"', "district.subject: Invalid enum value 'village'"),
        ('marks = { mark = "D", source = "ours" }', "", "has no source mark: add mark = 'S' | 'I' | 'D'"),
        ("maximum = 10", "maximum = 10\nmaximun = 10", "unknown field `maximun`"),
        ("[district]", "stray = 1\n[district]", "stray: must be a table"),
        ("maximum = 10", "maximum = ", "Invalid value"),
        ("[district.parameters.one]", '[[district.grades]]\nletter = "A"\nleast = 80\n[district.parameters.one]',
         "district.grades: the last needs `least = 0`"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_file_key_and_what_would_be_right(good, bad, said, tmp_path: Path):
    (tmp_path / FILE).write_text(GOOD, "utf-8")
    assert read(tmp_path)["district"].score({"verified": 1}).total == 0
    (tmp_path / FILE).write_text(GOOD.replace(good, bad), "utf-8")
    with pytest.raises(ProfileError, match=re.escape(FILE)) as told:
        read(tmp_path)
    assert said in str(told.value)
