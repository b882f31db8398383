"""Another release of the product: a copy of this tree in which some places read otherwise."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]


class Change(NamedTuple):
    """File, what stands there once, and what stands there in the other release."""

    path: str
    before: str
    after: str


def built(folder: Path, changes: Iterable[Change], packages: Iterable[str], files: Iterable[str] = ()) -> Path:
    """Make the copy; a change whose place is not there, or twice, fails."""
    for package in packages:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    for path, before, after in changes:
        text = (folder / path).read_text("utf-8")
        assert text.count(before) == 1, f"{path} has changed: the other release must be told anew"
        (folder / path).write_text(text.replace(before, after), "utf-8")
    return folder


def environ(folder: Path = ROOT) -> Mapping[str, str]:
    """For a process that shall run the release in that folder."""
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
