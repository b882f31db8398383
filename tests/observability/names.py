"""Which metrics a query names."""

from collections.abc import Iterator
from typing import Any

import promql_parser

from agents.telemetry.catalogue import CATALOGUE

PARTS = ("_bucket", "_sum", "_count")


def metric_names(query: str) -> set[str]:
    """Names in a query, histograms by the name they have in the catalogue; raises ValueError for what is no PromQL."""
    return {_whole(name) for name in _selected(promql_parser.parse(query))}


def _whole(name: str) -> str:
    for part in PARTS:
        bare = name.removesuffix(part)
        if bare != name and bare in CATALOGUE and CATALOGUE[bare].kind == "histogram":
            return bare
    return name


def _selected(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or next(each.value for each in node.matchers.matchers if each.name == "__name__")
        return
    for attribute in ("expr", "lhs", "rhs", "vector_selector", "param", "modifier"):
        child = getattr(node, attribute, None)
        if isinstance(child, promql_parser.Expr):
            yield from _selected(child)
    for child in getattr(node, "args", None) or ():
        yield from _selected(child)
