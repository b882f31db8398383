"""A long file with bad rows of every kind: the rejects are exact, line by line, in a dry run and in a real one."""

import pytest

from agents.loader import run
from deploy.bench import bulk
from tests.gateway.loading import Kept, load

pytestmark = pytest.mark.usefixtures("loads_nowhere")
ROWS = 5_000


def test_the_rejects_of_a_long_file_are_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BATCH_ROWS", 1_000)
    file = tmp_path / "in.csv"
    expected = bulk.write(file, ROWS)
    assert {field for _, _, field in bulk.SPOILS} == set(expected.values())
    for options in (("--dry-run",), ()):
        result, told = load(file, "--mapping", str(bulk.MAPPING), *options)
        assert (result.exit_code, told["rows"], told["rejected"]) == (1, ROWS, len(expected))
        assert bulk.rejected(file.with_name("in.csv.rejects.ndjson")) == expected
        assert len(Kept.entries) == (0 if options else ROWS - len(expected))
    assert len({entry.value.case for entry in Kept.entries}) == ROWS - len(expected)
