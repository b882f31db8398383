"""The real rules with their time constants shortened: two seconds for a minute, so that half an hour is a minute."""

import re
from pathlib import Path
from typing import Final

from deploy.observability.publish import DEPLOY

FACTOR: Final = 30
UNIT_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION: Final = re.compile(r"((?<=\[)|(?<=for: )|(?<=offset ))(\d+)([smhd])\b")
WAITS: Final = {"> 300": f"> {300 // FACTOR}", "> 3600": f"> {3600 // FACTOR}", "3 * 86400": f"3 * {86_400 // FACTOR}"}
"""Seconds that are compared and are long waits themselves; those of a minute and less stay as they are."""


def shortened(text: str) -> str:
    """Rules with every `for:`, range and offset a `FACTOR`th of what it is, and the waits among the limits too."""

    def shorter(found: re.Match[str]) -> str:
        return f"{int(found[2]) * UNIT_MS[found[3]] // FACTOR}ms"

    for wait, short in WAITS.items():
        text = text.replace(wait, short)
    return DURATION.sub(shorter, text)


def write(folder: Path) -> Path:
    """The rules of deploy/prometheus, shortened, in a folder of their own."""
    folder.mkdir(parents=True)
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        (folder / path.name).write_text(shortened(path.read_text()))
    return folder
