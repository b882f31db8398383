"""Counts the lines of ours that stand on the insides of Faust, mode and aiokafka: `python -m tests.private_api`.

Such a line is code of a method that replaces one of theirs, or names an attribute of theirs that begins with an
underscore. What Faust documents for others to implement (Store, Sensor, Schema) does not count.
"""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import faust
from faust.stores import base

THEIRS = ("faust", "mode", "aiokafka")
FOR_OTHERS = (base.Store, faust.Sensor, faust.Schema)
RUNTIME = Path("agents/runtime")
OURS = ("schemas", "streams", "agents", "deploy")
NOT_THEIRS = ("self", "cls", "os", "KafkaError")
"""Owners of other names that begin with an underscore: our own, `os._exit`, librdkafka's local errors."""


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def names_of(kind: type) -> frozenset[str]:
    """What the ancestors of `kind` that are not ours have and set."""
    found: set[str] = set()
    for ancestor in kind.__mro__:
        if ancestor.__module__.partition(".")[0] in THEIRS:
            found |= vars(ancestor).keys()
            found |= set(re.findall(r"self\.(\w+)", inspect.getsource(ancestor)))
    return frozenset(found)


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, text: list[str]) -> set[int]:
    """The lines of a method, without its docstring, comments and what is blank."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    lines = set(range(first, (node.end_lineno or first) + 1))
    if ast.get_docstring(node) is not None:
        lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return {line for line in lines if text[line - 1].strip() and not text[line - 1].lstrip().startswith("#")}


def touching(path: Path) -> dict[int, set[str]]:
    """The lines of a module of ours that stand on their insides, and the private names of theirs on each."""
    source = path.read_text("utf-8")
    tree, text = ast.parse(source), source.splitlines()
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    found: defaultdict[int, set[str]] = defaultdict(set)
    for line, name in _named(tree):
        found[line].add(name)
    for node in tree.body:
        kind = vars(module).get(getattr(node, "name", ""))
        if isinstance(node, ast.ClassDef) and isinstance(kind, type) and not issubclass(kind, FOR_OTHERS):
            for line, name in _inherited(node, names_of(kind), text):
                found[line] |= {name} if private(name) else set()
    return dict(found)


def _named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in NOT_THEIRS):
                yield node.lineno, node.attr


def _inherited(kind: ast.ClassDef, theirs: frozenset[str], text: list[str]) -> Iterator[tuple[int, str]]:
    for node in kind.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            if node.name in theirs:
                yield from ((line, node.name) for line in code_lines(node, text))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id in theirs:
                    yield node.lineno, target.id
    for node in ast.walk(kind):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr in theirs:
            yield node.lineno, node.attr


def importers() -> set[Path]:
    """Modules of ours that import theirs."""
    pattern = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(THEIRS)})\b", re.MULTILINE)
    return {path for folder in OURS for path in Path(folder).rglob("*.py") if pattern.search(path.read_text("utf-8"))}


def table() -> dict[Path, dict[int, set[str]]]:
    """By module of the runtime."""
    return {path: lines for path in sorted(RUNTIME.glob("*.py")) if (lines := touching(path))}


def private_names() -> set[str]:
    """All private names of theirs that we name."""
    return {name for lines in table().values() for names in lines.values() for name in names}


def count() -> int:
    """How many lines there are."""
    return sum(map(len, table().values()))


if __name__ == "__main__":
    for module, lines in table().items():
        print(f"{len(lines):4}  {module}")
    print(f"{count():4}  in all; private names: {', '.join(sorted(private_names()))}")
