"""Storage is formatted by Kafka's tool once; every later one is what the tool would have made of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.storage import FEATURES, format_storage

Tool = Callable[[int, str], None]


def names(data: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (data / "meta.properties").read_text("utf-8").splitlines())


def tool(data: dict[int, Path], asked: list[int]) -> Tool:
    def formats(node_id: int, cluster_id: str) -> None:
        asked.append(node_id)
        data[node_id].mkdir()
        (data[node_id] / FEATURES).write_bytes(b"features")
        told = f"cluster.id={cluster_id}\ndirectory.id=of-{node_id}\nnode.id={node_id}\nversion=1\n"
        (data[node_id] / "meta.properties").write_text(told, "utf-8")

    return formats


def refuse(node_id: int, _: str) -> None:
    raise AssertionError(f"the tool was run for {node_id}")


def folders(home: Path, count: int = 3) -> dict[int, Path]:
    home.mkdir()
    return {number: home / f"node{number}" for number in range(1, count + 1)}


def test_the_tool_runs_once_and_what_it_wrote_serves_all(tmp_path: Path) -> None:
    first, later, kept = folders(tmp_path / "first"), folders(tmp_path / "later"), tmp_path / FEATURES
    asked: list[int] = []
    format_storage(first, kept, tool(first, asked))
    assert asked == [1]
    format_storage(later, kept, refuse)
    for cluster in (first, later):
        told = [names(data) for data in cluster.values()]
        assert [each["node.id"] for each in told] == ["1", "2", "3"]
        assert {each["version"] for each in told} == {"1"}
        assert len({each["cluster.id"] for each in told}) == 1
        assert len({each["directory.id"] for each in told}) == 3
        assert {(data / FEATURES).read_bytes() for data in cluster.values()} == {b"features"}
    assert names(first[1])["cluster.id"] != names(later[1])["cluster.id"]
    assert {each.name for each in tmp_path.iterdir()} == {"first", "later", FEATURES}


def test_what_is_formatted_keeps_its_id_and_gives_it_to_the_others(tmp_path: Path) -> None:
    data, kept = folders(tmp_path / "cluster"), tmp_path / FEATURES
    tool(data, [])(2, "theirs")
    before = (data[2] / "meta.properties").read_bytes()
    format_storage(data, kept, tool(data, asked := []))
    assert asked == [1]
    assert {names(each)["cluster.id"] for each in data.values()} == {"theirs"}
    assert (data[2] / "meta.properties").read_bytes() == before
    format_storage(data, kept, refuse)


def test_where_nothing_can_be_kept_the_tool_formats_the_first_of_each_cluster(tmp_path: Path) -> None:
    kept = tmp_path / "no such folder" / FEATURES
    for name in ("first", "later"):
        data = folders(tmp_path / name)
        format_storage(data, kept, tool(data, asked := []))
        assert asked == [1]
        assert {names(each)["cluster.id"] for each in data.values()} == {names(data[1])["cluster.id"]}
        assert {(each / FEATURES).read_bytes() for each in data.values()} == {b"features"}


def test_what_the_tool_says_is_heard_and_nothing_is_kept(tmp_path: Path) -> None:
    data, kept = folders(tmp_path / "cluster"), tmp_path / FEATURES

    def fails(_: int, __: str) -> None:
        raise ValueError("no such setting")

    with pytest.raises(ValueError, match="no such setting"):
        format_storage(data, kept, fails)
    assert not kept.exists()
