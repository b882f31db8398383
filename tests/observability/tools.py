"""Tools of others that checks run: in CI they must be there, elsewhere what is left out is said."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "node": "nodejs",
    "npm": "npm",
    "valgrind": "valgrind",
}
"""Program -> Debian package."""


def tool(name: str) -> str:
    """Path of a program; where there is none, the check fails in CI and is left out elsewhere, with the reason."""
    found = shutil.which(name)
    if found is None:
        missing = f"left out: {name} is not on this machine (Debian package {PACKAGES[name]})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def run(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool(name), *map(str, words)], capture_output=True, text=True, check=False)
