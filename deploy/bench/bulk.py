"""`python -m deploy.bench.bulk`: a long CSV whose bad rows are known, loaded; wall time, and the rejects compared."""

import csv
import os
import resource
import secrets
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import click
import msgspec

COLUMNS: Final = (
    "registration_no", "org_code", "state", "dist_name", "recvd_date", "mobile_no", "CategoryV7",
    "subject_content_text", "remarks_text",
)  # fmt: skip
MAPPING: Final = Path(__file__).parents[1] / "examples" / "mappings" / "cpgrams.toml"
SPOILT_EVERY: Final = 97
SPANNING_EVERY: Final = 1000
"""A quoted cell of two lines: from then on the number of a row is not that of its line."""
SPOILS: Final = (
    ("registration_no", "", "key"), ("registration_no", "9876543210", "external"),
    ("recvd_date", "2026-11-23", "occurred"),
    ("dist_name", "Nowhere", "place.district"), ("mobile_no", "12", "mobile"), ("CategoryV7", "4711", "category"),
    ("subject_content_text", None, ""),
)  # fmt: skip
"""Column, what stands there instead (None: the column is missing), the field the reject must name."""
PLACES: Final = ("Almora", "Chamoli", "Haridwar", "Nainital", "Rudraprayag", "अल्मोड़ा")
SUBJECTS: Final = ("hand-pump", "power-cut", "Village road", "राशन कार्ड")


class Row(NamedTuple):
    """A row, and the field for which it must be rejected; None: it must be taken."""

    cells: list[str]
    wrong: str | None


def rows(count: int) -> Iterator[Row]:
    """As many rows of a transfer, every so often a bad one, the kinds in turn."""
    for number in range(1, count + 1):
        known = {
            "registration_no": f"PMOPG/E/2026/{number:07d}", "org_code": "PMOPG", "state": "Uttarakhand",
            "dist_name": PLACES[number % len(PLACES)], "recvd_date": f"{number % 28 + 1:02d}/11/2026",
            "mobile_no": f"9{number:09d}", "CategoryV7": SUBJECTS[number % len(SUBJECTS)],
            "subject_content_text": f"समस्या क्रमांक {number}",
            "remarks_text": "दो सप्ताह से,\nकोई नहीं आया" if number % SPANNING_EVERY == 0 else "दो सप्ताह से, कोई नहीं आया",
        }  # fmt: skip
        if number % SPOILT_EVERY:
            yield Row(list(known.values()), None)
            continue
        column, value, field = SPOILS[number // SPOILT_EVERY % len(SPOILS)]
        spoilt = {name: value if name == column else cell for name, cell in known.items()}
        yield Row([cell for cell in spoilt.values() if cell is not None], field)


def write(path: Path, count: int) -> dict[int, str]:
    """Write the file; answer line -> field of every row that must be rejected."""
    expected: dict[int, str] = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        line = 2
        for row in rows(count):
            if row.wrong is not None:
                expected[line] = row.wrong
            writer.writerow(row.cells)
            line += 1 + sum(cell.count("\n") for cell in row.cells)
    return expected


def rejected(path: Path) -> dict[int, str]:
    """Line -> field of what the reject file has; fields of a row that has several are joined."""
    told = (msgspec.json.decode(line) for line in path.read_bytes().splitlines())
    return {each["line"]: "+".join(error["field"] for error in each["errors"]) for each in told}


@click.command()
@click.option("--rows", "count", type=click.IntRange(1, 5_000_000), default=100_000, show_default=True)
@click.option("--kafka", metavar="HOST:PORT", help="Load into this Kafka; without it a dry run.")
def bulk(count: int, kafka: str | None) -> None:
    """Load a long CSV and compare its rejects, line by line.

    Exit code: 0 the rejects are exact; 1 they are not, or the loader failed.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "transfer.csv"
        expected = write(file, count)
        began = time.perf_counter()
        told = _load(file, kafka)
        seconds = time.perf_counter() - began
        found = rejected(file.with_name(file.name + ".rejects.ndjson"))
    exact = found == expected and told["rows"] == count and told["records"] == count - len(expected)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    where = f"Kafka at {kafka}" if kafka else "dry run"
    click.echo(
        f"{count:,} rows, {where}: {seconds:.1f} s by the clock, {used.ru_utime + used.ru_stime:.1f} s of CPU, "
        f"{used.ru_maxrss / 1024:.0f} MiB; "
        f"{told['records']:,} records, {len(found):,} rejected of {len(expected):,} bad rows; "
        f"line and field of each: {'exact' if exact else 'NOT exact'}."
    )
    sys.exit(0 if exact else 1)


def _load(file: Path, kafka: str | None) -> dict[str, Any]:
    """Run the command as a person does, with secrets of its own; answer its summary."""
    key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    where = ["--kafka", kafka] if kafka else ["--dry-run"]
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "load", str(file), "--mapping", str(MAPPING), "--json", *where],
        env={**os.environ, "NIVARAN_CITIZEN_KEY": key, "NIVARAN_CONTACT_KEY": key},
        capture_output=True,
        check=False,
    )
    try:
        found: dict[str, Any] = msgspec.json.decode(ended.stdout)
    except msgspec.DecodeError:
        raise click.ClickException(ended.stderr.decode("utf-8", "replace")) from None
    return found


if __name__ == "__main__":
    bulk()
