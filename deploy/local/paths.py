"""The two folders of the embedded services: what is downloaded once, and what a run keeps."""

from __future__ import annotations

import os
from pathlib import Path

HOME_SETTING = "NIVARAN_HOME"
CACHE_SETTING = "NIVARAN_CACHE"
_CHECKOUT = Path(__file__).resolve().parents[2]


def cache_home() -> Path:
    """Return the folder of downloads shared by every clone: NIVARAN_CACHE, else in the user's cache folder."""
    if chosen := os.environ.get(CACHE_SETTING):
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nivaran"


def local_home() -> Path:
    """State and data of `nivaran local`: `local` in NIVARAN_HOME, else in `var` of the checkout or working folder."""
    if chosen := os.environ.get(HOME_SETTING):
        return Path(chosen).expanduser().resolve() / "local"
    base = _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path.cwd()
    return base / "var" / "local"
