"""A profile that is not valid stops every process at its start: exit code 2, the file, the key and what is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAID = "up-igrs/profile.toml: closing.approved_at: 9, the profile has levels 1 to 4"
KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they are, but for one figure in one system."""
    home = tmp_path_factory.mktemp("broken")
    for package in ("schemas", "streams", "agents", "deploy"):
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    part = home / "streams" / "profiles" / "up-igrs" / "profile.toml"
    text = part.read_text("utf-8")
    assert "approved_at = { value = 2" in text
    part.write_text(text.replace("approved_at = { value = 2", "approved_at = { value = 9"), "utf-8")
    return home


@pytest.mark.parametrize("words", ["worker case", "worker board", "gateway", "doctor"])
def test_no_process_starts(broken: Path, words: str) -> None:
    environ = os.environ | {
        "PYTHONPATH": str(broken),
        "NIVARAN_CITIZEN_KEY": KEY,
        "NIVARAN_CONTACT_KEY": KEY,
        "NIVARAN_API_TOKENS": "officer:not-a-secret-of-anybody",
        "NIVARAN_KAFKA": "127.0.0.1:1",
    }
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words.split()],
        cwd=broken, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (told.returncode, SAID in told.stderr, "Traceback" in told.stderr) == (2, True, False), told.stderr
