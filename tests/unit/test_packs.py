"""Review packs: as of a day, the same bytes from the same log, nothing inflated, nothing of another district."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agents.audit.board import Shadow, ShadowSource
from agents.audit.memory import MemoryLog
from agents.cli.pack import write
from agents.readmodel.packs import NotClosedError, gather, last_closed
from agents.readmodel.review import Registers
from agents.readmodel.views import WindowView
from schemas import topics as t
from schemas.codec import encode
from streams.profiles.load import profile
from streams.review.chart import ceiling, svg
from streams.review.document import Chart, Column, Document, Series, Table
from streams.review.material import Scope, age, age_class, measures, ranked
from streams.review.pack import SECTIONS, document
from streams.review.registers import Life, Unit
from streams.review.render import markdown, page, tables
from streams.sla.table import Line
from tests.simulated import EVERY_ROLE, weeks, weeks_folded

UP = profile("up-1076")
KHERI = Scope(district=159)
MONTH = "2026-01"


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return weeks()


@pytest.fixture(scope="module")
def source(log: MemoryLog) -> ShadowSource:
    return ShadowSource(weeks_folded())


async def pack(source, audience="dm", scope=KHERI, as_of=None):
    return await gather(source, UP, audience, scope, MONTH, as_of)


def files(material, out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for language in ("hi", "en") for path in write(material, language, out)}


async def test_as_of_a_day_the_pack_is_the_same_bytes_whatever_happened_later(log, source, tmp_path):
    """The log as it was once the last news of the day could have come, and the log two weeks later."""
    registers = Registers(source, "up-1076", UP.zone)
    day = "2026-01-24"
    settled = (await pack(source, as_of=day)).end_at + UP.intake.lateness_ms
    then = Shadow()
    for topic in (t.CASE_EVENTS, t.SLA_WINDOW):
        entries = [entry for entry in log.entries[topic] if entry.at <= settled]
        assert 0 < len(entries) < len(log.entries[topic])
        then.take(entries)

    early = files(await pack(ShadowSource(then), as_of=day), tmp_path / "then")
    late = files(await pack(source, as_of=day), tmp_path / "now")

    assert await last_closed(registers, UP.zone) > day
    assert early == late
    assert len(late) > 10


async def test_cases_of_restricted_classes_stand_in_it_without_their_numbers(source):
    """Unless it is written for a role that sees them; no figure differs."""
    plain = await pack(source)
    hidden = {stay.case for stay in plain.stays if stay.restricted is not None}
    assert hidden
    assert len(hidden) < len(plain.stays)
    own = await gather(source, UP, "dm", KHERI, MONTH, None, EVERY_ROLE)
    masked, shown = (
        markdown(document(each, "en"), "x") + str(tables(document(each, "en"), "x")) for each in (plain, own)
    )
    assert not [case for case in hidden if case in masked]
    assert all(case in shown for case in hidden)
    assert "restricted" in masked
    assert "restricted" not in shown


async def test_packs_of_every_audience_are_written_in_both_languages(source, tmp_path):
    for audience in SECTIONS:
        scope = {"dm": KHERI, "acs": Scope(department="energy")}.get(audience, Scope())
        written = files(await pack(source, audience, scope), tmp_path)
        assert {name.split(".")[1] for name in written} == {"hi", "en"}
        hindi = next(text for name, text in written.items() if name.endswith("hi.md")).decode()
        assert re.search("[ऀ-ॿ]", hindi)
        assert "\\u" not in hindi


@pytest.mark.parametrize("scope", [KHERI, Scope(), Scope(department="energy"), Scope(159, "energy")])
async def test_what_was_pending_and_came_less_what_left_is_what_is_pending(source, scope):
    for as_of in (None, "2026-01-20", "2026-01-27"):
        material = await pack(source, "cm", scope, as_of)
        line = material.line()
        came = line["received"] + line["returned"] - line["left"]
        assert material.pending_before() + came == sum(map(sum, material.pending(lambda _: None).values()))
        if None in (scope.district, scope.department):
            assert line["received"] > 0


async def test_disposed_verified_satisfied_and_unknown_are_columns_of_their_own(source):
    material = await pack(source, "cm", Scope())
    blocks = {block.key: block for block in document(material, "en").blocks if isinstance(block, Table)}
    table = blocks["by-district"]
    apart = ("disposed", "partial", "special", "forced", "verified", "satisfied", "dissatisfied", "closed_unknown")
    keys = [column.key for column in table.columns]
    assert set(apart) <= set(keys)
    for row in (*table.rows, table.total):
        told = dict(zip(keys, row, strict=True))
        assert told["satisfied"] + told["dissatisfied"] == told["verified"]
        share = None if not told["verified"] else round(told["satisfied"] / told["verified"] * 100, 2)
        assert told["satisfied_share"] is None if share is None else abs(float(told["satisfied_share"]) - share) < 0.011
    for place, key in enumerate(keys):
        if key in apart:
            assert sum(row[place] for row in table.rows) == table.total[place]


async def test_a_districts_pack_names_no_case_of_another(source):
    material = await pack(source)
    assert material.stays
    assert {stay.district for stay in material.stays} == {159}
    other = await pack(source, "dm", Scope(district=161))
    cases = {stay.case for stay in other.stays} | {line.case for line in other.dissatisfied}
    assert cases
    text = markdown(document(material, "en"), "x") + str(tables(document(material, "en"), "x"))
    assert not [case for case in cases if case in text]


async def test_a_ranking_drills_down_to_the_counts_it_was_made_of(source):
    material = await pack(source, "cm", Scope())
    units = ranked(material, "district")
    assert [each.rank for each in units if each.rank][:1] == [1]
    assert {each.unit for each in units} == set(map(str, UP.districts)), "all 75 are listed, those without a score last"
    first = units[0]
    own = await pack(source, "dm", Scope(district=int(first.unit)))
    assert first.measures["satisfied"] == own.line()["satisfied"]
    assert first.measures["pending"] == len(own.stays)


async def test_a_state_month_of_75_districts_is_ranked_without_a_look_at_any_case():
    """A full state's month: every department and level of every district, 300,000 cases pending."""
    big, start = Shadow(), 1_767_205_800_000
    window = big.keys.window("up-1076", "month", start)
    big.scores[big.keys.windows("up-1076", "month")]["1767205800000"] = start
    big.scores[big.keys.windows("up-1076", "hour")]["1770000000000"] = 1_770_000_000_000
    lives = big.counts[big.keys.lives("up-1076")]
    for place, (district, department) in enumerate((one, other) for one in UP.districts for other in UP.departments):
        for level in range(1, UP.last_level + 1):
            counts = {"received": 400, "disposed": 300, "left": 350, "verified": 200, "satisfied": 100 + place % 90}
            view = WindowView(end_at=start + 1, counts=counts, finals=1)
            big.fields[window][f"{district}|{department}|{level}"] = encode(view)
            for day in range(1, 29):
                lives[f"{district}|{department}|{level}|2026-01-{day:02d}|2026-01-{day:02d}"] = 2
    material = await gather(ShadowSource(big), UP, "cm", Scope(), MONTH, None)
    units = ranked(material, "district")
    assert len(material.units) == 75 * len(UP.departments) * UP.last_level
    assert units[0].rank == 1
    assert len(units) == 75


async def test_a_day_that_is_not_closed_is_refused_with_the_one_that_is(source):
    closed = await last_closed(Registers(source, "up-1076", UP.zone), UP.zone)
    with pytest.raises(NotClosedError, match=re.escape(closed)):
        await gather(source, UP, "dm", KHERI, closed[:7], f"{closed[:8]}28")
    with pytest.raises(NotClosedError, match="is no day of 2026-01"):
        await pack(source, as_of="2026-02-01")
    with pytest.raises(NotClosedError, match="no day of 2027-01"):
        await gather(source, UP, "dm", KHERI, "2027-01", None)


async def test_no_log_at_all_is_no_month(source):
    with pytest.raises(NotClosedError, match="is closed yet"):
        await pack(ShadowSource(Shadow()))


class Seen(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.charts += tag == "svg"
        self.outside += [value for name, value in attrs if name in ("src", "href")] + [tag] * (
            tag in ("script", "link")
        )
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs): ...

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


async def test_the_page_stands_alone_and_has_its_charts(source):
    for language in ("hi", "en"):
        found = page(document(await pack(source), language), "x")
        seen = Seen()
        seen.feed(found)
        assert (seen.open, seen.outside) == ([], [])
        assert seen.charts == 4
        assert f'<html lang="{language}">' in found
        assert "@page" in found
        assert "url(" not in found
        assert "@import" not in found


async def test_csv_files_have_all_rows_and_the_printed_lists_say_what_they_leave_out(source, monkeypatch):
    monkeypatch.setattr("streams.review.lists.PRINTED", 5)
    state = (await pack(source, "cm", Scope())).pending(lambda unit: unit.district)
    scope = Scope(max(state, key=lambda district: sum(state[district])))
    material = await gather(source, UP, "dm", scope, MONTH, None, EVERY_ROLE)
    found = document(material, "en")
    rows = list(csv.DictReader(io.StringIO(tables(found, "x")["x.pending.csv"])))
    assert len(rows) == len(material.stays) > 5
    assert f"and {len(rows) - 5} more: x.pending.csv" in markdown(found, "x")
    assert {row["case"] for row in rows} == {stay.case for stay in material.stays}


def test_a_text_that_a_spreadsheet_would_run_is_kept_a_text():
    table = Table("t", "t", (), (("=1+1", "@x", "plain", 5, None),))
    found = tables(document_of(table), "x")["x.t.csv"]
    assert found.splitlines()[1] == "'=1+1,'@x,plain,5,"


def document_of(*blocks):
    return Document("en", "t", "s", (), blocks, "n", (), "{count} {file}")


def test_what_comes_from_outside_is_escaped():
    table = Table("t", "<b>", (), (("<script>alert(1)</script>",),))
    chart = Chart("c", 'a"b', ("<x>",), (Series("<y>", (3,)),))
    table = table._replace(columns=(Column("k", "<k>"),))
    found = page(document_of(table, chart), "x")
    assert "<script>" not in found
    assert "<x>" not in found
    assert "<y>" not in found
    assert "a|b" not in markdown(document_of(table._replace(rows=(("a|b",),))), "x")


@pytest.mark.parametrize(
    ("most", "top"), [(0, 4), (4, 4), (5, 8), (13, 20), (21, 40), (120, 120), (121, 200), (10**9, 12 * 10**8)]
)
def test_an_axis_ends_at_a_round_number(most, top):
    assert ceiling(most) == top
    assert svg(Chart("c", "c", ("a",), (Series("s", (most,)),))).count("<svg") == 1


def test_ages_are_whole_days_and_over_fifty_means_more_than_fifty():
    assert age("2026-01-01", "2026-01-31") == 30
    assert [age_class(days) for days in (0, 7, 8, 15, 16, 30, 31, 60, 61, 180, 181)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        5,
    ]
    unit = Unit(1, "water", 1)
    lives = [Life(unit, "2026-01-01", 2), Life(unit, "2026-01-02", 3)]
    found = measures({unit: Line()}, lives, "2026-02-20", [50], lambda each: str(each.district))
    # at the end of 20 February what came on 1 January is 50 to 51 days old
    assert found == {"1": {"pending": 5, "pending_over_50_days": 2}}
