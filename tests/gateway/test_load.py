"""`nivaran load` as the person who runs it sees it; Kafka is replaced where the test is about reading."""

import gzip
import json
import resource
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import load as command
from agents.loader import rows, run, tables
from schemas.commands import AddNote, Dispose
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import case_id
from tests.gateway.conftest import COMPLAINT
from tests.gateway.loading import GOOD, HEADER, MAPPING, Kept, line, lines, load

pytestmark = pytest.mark.usefixtures("loads_nowhere")


def test_lines_become_the_records_the_gateway_makes(tmp_path):
    case = case_id("10", "call", "key-00001")
    note = {"key": "note-0001", "case": case, "body": {"type": "add-note", "by": {"role": "officer"}, "text": "देखा"}}
    result, told = load(lines(tmp_path / "in.ndjson", line(1), "\n", note))
    assert (result.exit_code, told["rows"], told["records"]) == (0, 2, 2)
    submitted, noted = Kept.entries
    assert isinstance(submitted.value, Submitted)
    assert (submitted.topic, submitted.value.case, submitted.id) == (INTAKE_SUBMITTED, case, f"submitted-{case}")
    assert isinstance(noted.value, AddNote)
    assert (noted.topic, noted.key) == (CASE_COMMANDS, case)


def test_history_keeps_the_instants_of_the_file(tmp_path):
    file = lines(tmp_path / "in.ndjson", line(1) | {"at": 1_600_000_000_000})
    load(file, "--received", "file")
    assert Kept.entries[0].value.received_at == Kept.entries[0].value.at == 1_600_000_000_000


def test_rows_that_cannot_be_taken_are_told_with_line_and_reason_and_the_others_are_loaded(tmp_path):
    file = lines(
        tmp_path / "in.ndjson",
        line(1),
        "{not json}\n",
        line(2, category="handpump", mobile="12"),
        {"key": "x", "body": COMPLAINT},
        {"key": "key-00009", "case": "1" * 18, "body": {"type": "view"}},
        line(3),
    )
    result, told = load(file)
    assert (result.exit_code, told["rejected"], told["records"]) == (1, 4, 2)
    rejects = [json.loads(each) for each in Path(told["reject_file"]).read_text("utf-8").splitlines()]
    assert [each["line"] for each in rejects] == [2, 3, 4, 5]
    assert [[error["field"] for error in each["errors"]] for each in rejects] == [
        [""],
        ["mobile", "category"],
        ["key"],
        ["case"],
    ]
    assert rejects[0]["original"] == "{not json}"
    assert Path(told["reject_file"]).stat().st_mode & 0o077 == 0


def test_a_second_run_does_nothing_twice(tmp_path):
    file = lines(tmp_path / "in.ndjson", *(line(number) for number in range(20)))
    load(file)
    result, told = load(file)
    assert (result.exit_code, told["rows"], told["rows_this_run"], len(Kept.entries)) == (0, 20, 0, 20)


def test_a_run_that_kafka_stopped_goes_on_where_it_was_durable(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BATCH_ROWS", 5)
    rows = [line(number) if number % 4 else "bad\n" for number in range(20)]
    file = lines(tmp_path / "in.ndjson", *rows)
    Kept.fail_at = 9
    result, told = load(file)
    assert (result.exit_code, told["rows"]) == (69, 10)
    assert "in-sync" in told["fault"]
    Kept.fail_at = None
    result, told = load(file)
    assert (result.exit_code, told["rows"], told["rows_this_run"], told["rejected"]) == (1, 20, 10, 5)
    assert [entry.value.case for entry in Kept.entries] == [
        case_id("10", "call", f"key-{number:05d}") for number in range(20) if number % 4
    ]
    assert len(Path(told["reject_file"]).read_text().splitlines()) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_sends_nothing_again(tmp_path, monkeypatch, number):
    file = lines(tmp_path / "in.ndjson", *(line(each) if each % 4 else "bad\n" for each in range(20)))
    put = Kept.put

    def interrupted(kept, entry):
        put(kept, entry)
        if entry.value.case == case_id("10", "call", "key-00009"):
            signal.raise_signal(number)

    monkeypatch.setattr(Kept, "put", interrupted)
    result, told = load(file)
    assert (result.exit_code, told["rows"], told["fault"]) == (130, 10, "interrupted")
    result, told = load(file)
    assert (result.exit_code, told["rows"], told["rows_this_run"], told["rejected"]) == (1, 20, 10, 5)
    assert [entry.value.case for entry in Kept.entries] == [
        case_id("10", "call", f"key-{each:05d}") for each in range(20) if each % 4
    ]


def test_a_changed_file_is_not_gone_on_with(tmp_path):
    file = lines(tmp_path / "in.ndjson", line(1))
    load(file)
    lines(file, line(1), line(2))
    result, _ = load(file)
    assert result.exit_code == 2
    assert "--restart" in result.stderr
    assert load(file, "--restart")[0].exit_code == 0


def test_a_dry_run_checks_all_and_writes_nothing_to_kafka(tmp_path):
    file = lines(tmp_path / "in.ndjson", line(1), "bad\n")
    result, told = load(file, "--dry-run")
    assert (result.exit_code, told["records"], told["rejected"], Kept.entries) == (1, 1, 1, [])
    assert not file.with_name("in.ndjson.progress.json").exists()
    assert load(file)[1]["rows_this_run"] == 2


def test_columns_become_a_submission_and_its_disposal_each_at_its_own_time(tmp_path, mapping):
    file = lines(tmp_path / "in.csv", "\ufeff" + HEADER, GOOD)
    result, told = load(file, "--mapping", mapping)
    assert (result.exit_code, told["records"]) == (0, 2)
    submitted, disposed = (entry.value for entry in Kept.entries)
    assert isinstance(submitted, Submitted)
    assert submitted.at == submitted.received_at == 1_769_884_200_000  # 2026-02-01T00:00 in India
    assert submitted.place.district == 159
    assert submitted.place.units == {"block": "gola"}
    assert (submitted.category, submitted.text) == ("hand-pump", "Hand Pump: खराब, दो सप्ताह")
    assert isinstance(disposed, Dispose)
    assert disposed.at == 1_769_884_200_000 + 3 * 86_400_000 - 1
    assert disposed.case == submitted.case == case_id("10", "counter", "R-1")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (GOOD.replace("R-1", ""), "key"),
        (GOOD.replace("01/02/2026", "2026-02-01"), "occurred"),
        (GOOD.replace("03/02/2026", "soon"), "dispose.at"),
        (GOOD.replace("Hand Pump", "Unheard Of"), "category"),
        (GOOD.replace("D159", "159"), "place.district"),
        (GOOD.replace("9876543210", "none"), "mobile"),
        (GOOD.replace("शिकायत", "wish"), "type"),
        (GOOD.replace(",gola", ""), ""),
    ],
)
def test_a_row_says_which_field_is_wrong(tmp_path, mapping, row, field):
    result, told = load(lines(tmp_path / "in.csv", HEADER, row, GOOD), "--mapping", mapping)
    [reject] = [json.loads(each) for each in Path(told["reject_file"]).read_text("utf-8").splitlines()]
    assert result.exit_code == 1
    assert reject["line"] == 2
    assert field in [error["field"] for error in reject["errors"]]
    assert len(Kept.entries) == 2


def test_a_blank_closing_date_is_an_open_case_and_a_person_without_number_is_the_row_itself(tmp_path, mapping):
    rows = [GOOD.replace("03/02/2026", "").replace("9876543210", "").replace("R-1", f"R-{n}") for n in (1, 2)]
    load(lines(tmp_path / "in.csv", HEADER, *rows), "--mapping", mapping)
    first, second = (entry.value for entry in Kept.entries)
    assert isinstance(first, Submitted)
    assert first.contact is None
    assert first.citizen != second.citizen


def test_bytes_that_are_no_utf8_are_rejected_by_row(tmp_path, mapping):
    file = tmp_path / "in.csv"
    file.write_bytes((HEADER + GOOD.replace("खराब", "X")).encode().replace(b"X", b"\xff") + GOOD.encode())
    result, told = load(file, "--mapping", mapping)
    assert (result.exit_code, told["rejected"], told["records"]) == (1, 1, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    file = lines(tmp_path / "in.ndjson", "\ufeff", line(1), line(2))
    assert load(file)[1]["records"] == 2


def test_lines_may_end_as_windows_ends_them(tmp_path):
    file = tmp_path / "in.ndjson"
    file.write_bytes(b"\r\n".join(json.dumps(line(number)).encode() for number in (1, 2)))
    assert load(file)[1]["records"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (json.dumps(line(1) | {"key": "key-00002"}, ensure_ascii=False).encode("utf-16"), "malformed"),
        ('{"key": "caf\xe9"}'.encode("windows-1252"), "UTF-8"),
        (b'{"key": "key-00003"', "truncated"),
        (b'{"key": "key-00004", "body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"key": "key-00005", "body": "' + b"a" * rows.LINE_LIMIT + b'"}', "longer than"),
    ],
)
def test_a_line_that_cannot_be_read_says_why_and_the_others_are_loaded(tmp_path, text, says):
    file = tmp_path / "in.ndjson"
    file.write_bytes(b"\n".join([json.dumps(line(1)).encode(), text.replace(b"\n", b""), json.dumps(line(9)).encode()]))
    result, told = load(file)
    assert (result.exit_code, told["records"], told["rejected"]) == (1, 2, 1)
    [reject] = [json.loads(each) for each in Path(told["reject_file"]).read_text("utf-8").splitlines()]
    assert reject["line"] == 2
    assert says in reject["errors"][0]["detail"]
    assert len(reject["original"]) < 2 * rows.KEPT_OF_LONG or says == "nested"


def test_a_file_without_rows_is_said_so(tmp_path, mapping):
    for name, content, more in (("in.ndjson", "", ()), ("in.csv", HEADER, ("--mapping", mapping))):
        file = lines(tmp_path / name, content)
        assert load(file, *more)[0].exit_code == 0
        assert "has no rows" in CliRunner().invoke(command.load, [str(file), *more]).stdout
    result, _ = load(lines(tmp_path / "bare.csv", ""), "--mapping", mapping)
    assert (result.exit_code, "no header" in result.stderr) == (2, True)


def test_the_reject_file_is_never_the_file_itself(tmp_path):
    file = lines(tmp_path / "in.ndjson", line(1), "bad\n")
    before = file.read_bytes()
    (tmp_path / "link").symlink_to(file)
    for rejects in (file, tmp_path / "link"):
        assert load(file, "--rejects", str(rejects))[0].exit_code == 2
    assert file.read_bytes() == before


def test_a_reject_file_that_cannot_grow_ends_the_run_with_its_name(tmp_path):
    file = lines(tmp_path / "in.ndjson", *(f"bad line {number}\n" for number in range(5000)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        result = CliRunner().invoke(command.load, [str(file)], catch_exceptions=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, kept)
    assert (result.exit_code, "in.ndjson.rejects.ndjson" in result.stderr) == (2, True)
    assert load(file)[1]["rejected"] == 5000


def test_quoted_cells_span_lines_and_a_reject_names_the_first(tmp_path, mapping):
    spanning = GOOD.replace("खराब, दो सप्ताह", 'खराब,\n""दो""\r\nसप्ताह')
    file = lines(tmp_path / "in.csv", HEADER, spanning, spanning.replace("R-1", "R-2").replace("D159", "D0"), GOOD)
    result, told = load(file, "--mapping", mapping)
    assert (result.exit_code, told["records"], told["rejected"]) == (1, 4, 1)
    [reject] = [json.loads(each) for each in Path(told["reject_file"]).read_text("utf-8").splitlines()]
    assert reject["line"] == 5
    assert "दो" in reject["original"]["words"]


def test_a_cell_that_cannot_be_read_costs_its_row_only(tmp_path, mapping):
    huge = GOOD.replace("खराब", "X" * (tables.FIELD_LIMIT + 1))
    result, told = load(lines(tmp_path / "in.csv", HEADER, GOOD, huge, GOOD), "--mapping", mapping)
    assert (result.exit_code, told["records"], told["rejected"]) == (1, 4, 1)


def test_a_column_that_stands_twice_is_refused(tmp_path, mapping):
    file = lines(tmp_path / "in.csv", "ref," + HEADER, "R-0," + GOOD)
    result, _ = load(file, "--mapping", mapping)
    assert (result.exit_code, "ref" in result.stderr, Kept.entries) == (2, True, [])


def test_packed_files_are_unpacked(tmp_path, mapping):
    file = tmp_path / "in.csv.gz"
    file.write_bytes(gzip.compress((HEADER + GOOD).encode()))
    assert load(file, "--mapping", mapping)[1]["records"] == 2
    file.write_bytes(gzip.compress((HEADER + GOOD * 20).encode())[:-12])
    result, _ = load(file, "--mapping", mapping, "--restart")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('zone = "Asia/Kolkata"', 'zone = "Asia/Calcuta"'), "time zone"),
        (('column = "phone"', 'column = "telephone"'), "telephone"),
        (("mobile =", "mobil ="), "submission.mobil"),
        (('type = "dispose"', 'type = "disposed"'), "dispose"),
        (('{ constant = "counter" }', "{}"), "submission.channel"),
        (('pattern = "[a-z]+"', 'pattern = "["'), "pattern"),
        (('system = "up-1076"', 'system = "up-1067"'), "up-1067"),
        (("[key]", "[kee]"), "kee"),
        (('as = "slug"', 'as = "slog"'), "slog"),
    ],
)
def test_a_mapping_that_cannot_be_right_is_refused_before_anything_is_loaded(tmp_path, change, says):
    path = lines(tmp_path / "register.toml", MAPPING.replace(*change))
    result, _ = load(lines(tmp_path / "in.csv", HEADER, GOOD), "--mapping", str(path))
    assert result.exit_code == 2
    assert says in result.stderr
    assert Kept.entries == []


def test_settings_are_named_when_they_are_missing(tmp_path, monkeypatch):
    monkeypatch.delenv("NIVARAN_CONTACT_KEY")
    result, _ = load(lines(tmp_path / "in.ndjson", line(1)))
    assert result.exit_code == 2
    assert "NIVARAN_CONTACT_KEY" in result.stderr


def test_the_summary_in_words(tmp_path):
    file = lines(tmp_path / "in.ndjson", line(1), "bad\n")
    result = CliRunner().invoke(command.load, [str(file)])
    assert "2 rows loaded" in result.stdout
    assert "1 rows rejected" in result.stdout
    assert "Nothing to do" in CliRunner().invoke(command.load, [str(file)]).stdout
