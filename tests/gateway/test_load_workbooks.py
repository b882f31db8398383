"""`nivaran load` of XLSX workbooks, as people keep the list of a camp: titles, merged cells, numbers, dates, Hindi."""

import re
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from agents.loader import run, workbook
from schemas.commands import Dispose
from schemas.intake import Submitted
from streams.ids import case_id, citizen_token
from tests.gateway.loading import HEADER, MAPPING, Kept, lines, load, rejects

pytestmark = pytest.mark.usefixtures("loads_nowhere")
typed = partial(datetime, tzinfo=None)
"""A date as Excel keeps it: of no zone."""
COLUMNS = HEADER.strip().split(",")
DAY = typed(2026, 2, 1)
OPENED = 1_769_884_200_000
"""2026-02-01T00:00 in India."""


def row(reference: str = "R-1", **other) -> list:
    known = {
        "ref": reference, "opened": DAY, "closed": None, "kind": "शिकायत", "subject": "Hand Pump",
        "words": "खराब, दो सप्ताह", "phone": 9876543210, "district": "D159", "block": "gola",
    }  # fmt: skip
    return list((known | other).values())


def book(path: Path, *rows: list, merged: tuple[str, ...] = ()) -> Path:
    made = Workbook()
    page = made.active
    page.title = "तहसील"
    for each in rows:
        page.append(each)
    for each in merged:
        page.merge_cells(each)
    made.save(path)
    return path


def rewritten(file: Path, change: Callable[[bytes], bytes]) -> None:
    """The first sheet as another program would have written it."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = change(parts["xl/worksheets/sheet1.xml"])
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_cells_are_what_a_person_sees(tmp_path, mapping):
    late = typed(2026, 2, 3, 17, 30)
    rows = [
        row("R-1"),
        row("R-2", phone=9876543210.0, opened=date(2026, 2, 1), closed=late),
        row(3.0, phone="98765 43210", opened="01/02/2026", closed=typed(2026, 2, 3)),
        row("R-4", words=unicodedata.normalize("NFD", "पढ़ाई"), opened=typed(2026, 2, 1, 9, 15)),
    ]
    result, told = load(book(tmp_path / "in.xlsx", COLUMNS, *rows), "--mapping", mapping)
    assert (result.exit_code, told["rows"], told["records"], told["blank"]) == (0, 4, 6, 0)
    submitted = [entry.value for entry in Kept.entries if isinstance(entry.value, Submitted)]
    assert [each.case for each in submitted] == [case_id("10", "counter", ref) for ref in ("R-1", "R-2", "3", "R-4")]
    assert [each.at - OPENED for each in submitted] == [0, 0, 0, (9 * 60 + 15) * 60_000]
    assert {each.citizen for each in submitted} == {citizen_token(b"k" * 32, "9876543210")}
    assert submitted[3].text == unicodedata.normalize("NFC", "Hand Pump: पढ़ाई")
    disposed = [entry.value.at for entry in Kept.entries if isinstance(entry.value, Dispose)]
    day = 86_400_000
    assert disposed == [OPENED + 2 * day + 63_000_000, OPENED + 3 * day - 1], (
        "an hour is kept, a day is its last moment"
    )


def test_titles_empty_rows_and_merged_headings_are_passed_over_and_counted(tmp_path, mapping):
    rows = [
        ["सम्पूर्ण समाधान दिवस, तहसील गोला"],
        [],
        [" ref ", "opened", "closed", "kind", "subject", "words", "phone\n", "district", "block", None],
        ["राजस्व विभाग"],
        row("R-1"),
        [None, "  "],
        row("R-2"),
        row("R-3", district="D0"),
    ]
    result, told = load(book(tmp_path / "in.xlsx", *rows, merged=("A1:I1", "A4:I4")), "--mapping", mapping)
    assert (result.exit_code, told["rows"], told["records"], told["rejected"], told["blank"]) == (1, 3, 2, 1, 4)
    assert [each["line"] for each in rejects(told)] == [8]
    assert [error["field"] for error in rejects(told)[0]["errors"]] == ["place.district"]
    assert rejects(told)[0]["original"]["words"] == "खराब, दो सप्ताह"


@pytest.mark.parametrize(
    ("other", "field", "says"),
    [
        ({"opened": "2026-02-01"}, "occurred", "no date"),
        ({"opened": 46054}, "occurred", "no date"),
        ({"opened": typed(9999, 12, 31), "closed": typed(9999, 12, 31)}, "dispose.at", "no date"),
        ({"phone": 12}, "mobile", "telephone"),
        ({"ref": 123456789012345678}, "", "15 digits"),
        ({"words": "=1/0", "subject": "#DIV/0!"}, "", "#DIV/0! in a cell (under subject)"),
        ({"ref": None}, "key", "blank"),
        ({"block": "gola", "more": "a note beside the table"}, "", "10 columns"),
        ({"kind": True}, "type", "must be one of"),
    ],
)
def test_a_row_that_cannot_be_taken_has_excels_number_and_the_reason(tmp_path, mapping, other, field, says):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"), row("R-2", **other), row("R-3"))
    result, told = load(file, "--mapping", mapping)
    [reject] = rejects(told)
    assert (result.exit_code, told["records"], reject["line"]) == (1, 2, 3)
    assert [says in error["detail"] for error in reject["errors"] if error["field"] == field] == [True], reject


def test_what_a_formula_came_to_is_its_value(tmp_path, mapping):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("=CONCATENATE(A9,1)"))
    rewritten(
        file, lambda xml: re.sub(rb'(<c r="A2")([^>]*>.*?)<v ?(?:/>|></v>)', rb'\1 t="str"\2<v>R-9</v>', xml, count=1)
    )
    load(file, "--mapping", mapping)
    assert [entry.value.case for entry in Kept.entries] == [case_id("10", "counter", "R-9")]


def test_a_sheet_is_named_or_the_first(tmp_path, mapping):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"))
    made = load_workbook(file)
    page = made.create_sheet("थाना")
    for each in (COLUMNS, row("R-2"), row("R-3")):
        page.append(each)
    made.save(file)
    assert load(file, "--mapping", mapping)[1]["records"] == 1
    assert load(file, "--mapping", mapping, "--sheet", "थाना", "--restart")[1]["records"] == 2
    result, _ = load(file, "--mapping", mapping, "--sheet", "Thana", "--restart")
    assert (result.exit_code, "तहसील, थाना" in result.stderr) == (2, True)


def test_another_sheet_is_not_gone_on_with(tmp_path, mapping):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"))
    load(file, "--mapping", mapping)
    assert load(file, "--mapping", mapping, "--sheet", "तहसील")[0].exit_code == 2


def test_a_workbook_that_kafka_stopped_goes_on_where_it_was_durable(tmp_path, mapping, monkeypatch):
    monkeypatch.setattr(run, "BATCH_ROWS", 5)
    rows = [row(f"R-{number}") if number % 4 else [] for number in range(20)]
    file = book(tmp_path / "in.xlsx", COLUMNS, *rows)
    Kept.fail_at = 9
    assert load(file, "--mapping", mapping)[0].exit_code == 69
    Kept.fail_at = None
    result, told = load(file, "--mapping", mapping)
    assert (result.exit_code, told["rows"], told["blank"]) == (0, 15, 5)
    assert [entry.value.case for entry in Kept.entries] == [
        case_id("10", "counter", f"R-{number}") for number in range(20) if number % 4
    ]


def test_a_dry_run_writes_nothing(tmp_path, mapping):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"), row("R-2", phone=1))
    result, told = load(file, "--mapping", mapping, "--dry-run")
    assert (result.exit_code, told["records"], told["rejected"], Kept.entries) == (1, 1, 1, [])
    assert not file.with_name("in.xlsx.progress.json").exists()


def _bomb(file: Path, _mapping: str) -> None:
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/picture", b"\x00" * 2_000_000)


def _entities(file: Path, _mapping: str) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE worksheet [<!ENTITY e0 "{"ha" * 50}">{levels}]>'.encode()
    rewritten(file, lambda xml: laughs + xml.replace(b"R-1", b"&e9;"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file, _: file.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)), "save an .xls as .xlsx"),
        (lambda file, _: file.write_bytes(file.read_bytes()[:-500]), "no XLSX"),
        (lambda file, _: file.write_bytes(b""), "no XLSX"),
        (lambda file, _: book(file), "no header"),
        (lambda file, _: book(file, ["ref", "opened"], ["R-1", DAY]), "phone, subject, words"),
        (lambda file, _: book(file, [*COLUMNS, "ref"], [*row(), "R"]), "more than once: ref"),
        (_bomb, "unpacks to more"),
        (_entities, "damaged"),
    ],
)
def test_a_workbook_that_cannot_be_one_is_refused_whole(tmp_path, mapping, monkeypatch, spoil, says):
    monkeypatch.setattr(workbook, "HELD_BYTES", 1_000_000)
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"))
    spoil(file, mapping)
    result, _ = load(file, "--mapping", mapping)
    assert (result.exit_code, Kept.entries) == (2, []), result.output
    assert says in result.stderr


@pytest.mark.thorough
def test_a_row_number_far_away_is_not_walked_to(tmp_path, mapping):
    file = book(tmp_path / "in.xlsx", COLUMNS, row("R-1"))
    rewritten(file, lambda xml: xml.replace(b'<row r="2"', b'<row r="99999999999"'))
    result, _ = load(file, "--mapping", mapping, "--dry-run")
    assert (result.exit_code, "more than" in result.stderr) == (2, True)


def test_a_workbook_needs_a_mapping_and_only_it_has_sheets(tmp_path, mapping):
    assert "--mapping" in load(book(tmp_path / "in.xlsx", COLUMNS, row()))[0].stderr
    result, _ = load(lines(tmp_path / "in.csv", HEADER), "--mapping", mapping, "--sheet", "s")
    assert (result.exit_code, "sheets" in result.stderr) == (2, True)


def test_districts_and_subjects_are_found_by_their_names(tmp_path):
    named = MAPPING.replace('pattern = "D([0-9]+)", as = "integer"', 'as = "district"').replace('"slug"', '"category"')
    mapping = str(lines(tmp_path / "named.toml", named))
    rows = [
        row("R-1", district="खीरी", subject="हैण्डपम्प"),
        row("R-2", district="kheri", subject="Hand pump"),
        row("R-3", district=159, subject="hand-pump"),
        row("R-4", district="Kherri", subject="road"),
    ]
    _, told = load(book(tmp_path / "in.xlsx", COLUMNS, *rows), "--mapping", mapping)
    assert {(each.value.place.district, each.value.category) for each in Kept.entries} == {(159, "hand-pump")}
    assert told["records"] == 3
    [reject] = rejects(told)
    assert {error["field"]: "near are" in error["detail"] for error in reject["errors"]} == {
        "place.district": True,
        "category": True,
    }
