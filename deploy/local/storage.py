"""Formats the storage of brokers as Kafka's own tool does: by the tool itself once, later by what it wrote then.

The tool is a Java process, a third of what a start costs. Of what it writes, the features that a cluster begins
with are the same for every cluster of a version, and the rest is names.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FEATURES: Final = "bootstrap.checkpoint"
_NAMES: Final = "meta.properties"


def format_storage(data: Mapping[int, Path], kept: Path, tool: Callable[[int, str], None]) -> None:
    """Give unformatted storage of the nodes (by id) the cluster's id; storage formatted before keeps its own.

    `tool` formats that of one node for a cluster's id; its features are then in the file `kept`, for later calls.
    Raises what it raises, and OSError.
    """
    ids = {node_id: _cluster_id(folder) for node_id, folder in data.items()}
    cluster_id = next(filter(None, ids.values()), None) or _new_id()
    bare = [node_id for node_id, known in ids.items() if known is None]
    features = kept
    if bare and not kept.exists():
        first, *bare = bare
        tool(first, cluster_id)
        features = data[first] / FEATURES
        _keep(features, kept)
    for node_id in bare:
        data[node_id].mkdir(parents=True, exist_ok=True)
        shutil.copyfile(features, data[node_id] / FEATURES)
        names = {"cluster.id": cluster_id, "directory.id": _new_id(), "node.id": node_id, "version": 1}
        # last: by it storage is taken for formatted
        (data[node_id] / _NAMES).write_text("".join(f"{name}={value}\n" for name, value in names.items()))


def _keep(features: Path, kept: Path) -> None:
    # a folder that takes no write is only a matter of speed
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        shutil.copyfile(features, Path(scratch, kept.name)).replace(kept)


def _new_id() -> str:
    """Kafka's text form of an id: 16 bytes in URL-safe base64; a first byte of 1 keeps a dash from the front."""
    return base64.urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


def _cluster_id(data: Path) -> str | None:
    try:
        lines = (data / _NAMES).read_text().splitlines()
    except FileNotFoundError:
        return None
    return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)
