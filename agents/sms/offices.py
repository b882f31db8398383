"""The numbers of offices: a directory in a file, or made-up numbers for the sandbox."""

import csv
import zlib
from pathlib import Path
from typing import Final, Protocol

from agents.settings import SettingsError
from streams.ids import normal_mobile

SANDBOX: Final = "sandbox"
COLUMNS: Final = {"office", "mobile"}


class Offices(Protocol):
    """Who to text for an office."""

    def mobile(self, office: str) -> str | None:
        """The office's number; None when it has none."""
        ...


class Directory:
    """Numbers from a CSV file with the columns `office` and `mobile`."""

    def __init__(self, numbers: dict[str, str]) -> None:
        self._numbers = numbers

    def mobile(self, office: str) -> str | None:
        return self._numbers.get(office)

    @classmethod
    def read(cls, path: Path) -> "Directory":
        """Raises SettingsError naming the file and the line."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if not COLUMNS.issubset(rows.fieldnames or ()):
                    raise SettingsError(f"NIVARAN_OFFICES: {path}: the first line must name the columns office, mobile")
                return cls({row["office"]: _mobile(row["mobile"], path, rows.line_num) for row in rows})
        except OSError as error:
            raise SettingsError(f"NIVARAN_OFFICES: {path}: {error.strerror}") from None


def _mobile(text: str | None, path: Path, line: int) -> str:
    number = normal_mobile(text or "")
    if not number.isdecimal():
        raise SettingsError(f"NIVARAN_OFFICES: {path}: line {line}: mobile is no telephone number")
    return number


class MadeUp:
    """A number for any office that no telephone network has: they begin with 00. For the sandbox only."""

    def mobile(self, office: str) -> str | None:
        return f"00{zlib.crc32(office.encode()):010d}"


def offices(setting: str) -> Offices:
    """From NIVARAN_OFFICES: a file's path, `sandbox`, or nothing (then no office has a number)."""
    if setting == SANDBOX:
        return MadeUp()
    return Directory.read(Path(setting)) if setting else Directory({})
