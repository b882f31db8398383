"""The same job on other engines, and the environment they are installed into: no part of the product."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.local.errors import LocalError
from deploy.local.locks import own
from deploy.local.paths import CACHE_SETTING, cache_home

REQUIREMENTS: Final = Path(__file__).parents[3] / "requirements" / "peers.txt"
PROGRAMS: Final = {
    "Quix Streams": "deploy.bench.peers.quix",
    "stock Faust": "deploy.bench.peers.stock_faust",
}


def installed(tell: Callable[[str], None]) -> str:
    """Return the Python that has the peers, installed on first use; raises LocalError saying why it cannot be."""
    try:
        wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    except FileNotFoundError:
        raise LocalError(
            f"{REQUIREMENTS} is not there: peers are measured from a checkout, or leave them out"
        ) from None
    place = cache_home() / "peers" / wanted
    python, whole = place / "bin" / "python", place / "whole"
    with own(place.parent, CACHE_SETTING):
        if not whole.exists():
            tell(f"installing {', '.join(PROGRAMS)} into {place}")
            shutil.rmtree(place, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(place))
            _run(str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
                 "--require-hashes", "-r", str(REQUIREMENTS))  # fmt: skip
            whole.touch()
    return str(python)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"peers could not be installed: {done.stderr.strip()[-2000:]}")
