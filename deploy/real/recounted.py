"""Runs the independent recount as a process of its own and reads what it prints."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.real.span import CASES, ROOT, SYSTEM, Span

SCRIPT: Final = ROOT / "tests" / "recount" / "recount.py"
PROFILE: Final = ROOT / "streams" / "profiles" / SYSTEM / "profile.toml"
CHECKS_FAILED: Final = 1


class RecountError(RuntimeError):
    """The recount could not be made."""


def recounted(span: Span, file: Path = CASES) -> dict[str, Any]:
    """What the recount says of the span's cases, its own checks included; raises RecountError when it says nothing."""
    for needed in (file, SCRIPT, PROFILE):
        if not needed.exists():
            raise RecountError(f"{needed} is missing: the real cases are run from a checkout of the repository")
    command = [sys.executable, str(SCRIPT), str(file), str(PROFILE)]
    for name in ("first", "last", "now"):
        command += [f"--{name}", getattr(span, name).isoformat()]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, CHECKS_FAILED) or not done.stdout:
        raise RecountError(f"the recount failed: {done.stderr.decode(errors='replace').strip()[-400:]}")
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found
