"""`python -m deploy.observability.publish`: writes the rules and dashboards; the tests compare them with this."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.observability import alerts, slo
from deploy.observability.boards import BOARDS
from deploy.observability.grafana import rendered

DEPLOY: Final = Path(__file__).parents[1]
INDEX: Final = """# Runbook

One page per alert: what it means, what to look at, what to do, how to know that it is over. Alerts link here by the
external label `runbooks` of [`deploy/prometheus/prometheus.yml`](../prometheus/prometheus.yml). Commands are written
for docker-compose.yml; `nivaran` commands need NIVARAN_KAFKA and NIVARAN_REDIS_URL. `worker-case` stands for the role
concerned. Titles in italics (*Stream*) are dashboards of [`deploy/grafana`](../grafana).

A **page** needs hands now: citizens or officers notice. A **ticket** can wait for the day.

| alert | severity | |
|---|---|---|
"""
VALUE: Final = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")
HEAD: Final = "# Written by `python -m deploy.observability.publish` from deploy/observability; change it there.\n"


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's signature
        super().increase_indent(flow, indentless=False)


def documents() -> dict[Path, str]:
    """Every file that is published, with its content."""
    rules = DEPLOY / "prometheus" / "rules"
    return {
        rules / "slo.yml": _yaml({"groups": slo.groups()}),
        rules / "alerts.yml": _yaml({"groups": alerts.groups()}),
        DEPLOY / "runbook" / "README.md": INDEX + "".join(_index()),
        **{DEPLOY / "grafana" / "dashboards" / f"{board.uid}.json": rendered(board) for board in BOARDS},
    }


def _index() -> Iterator[str]:
    """A line per alert, by name."""
    rules = [rule for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"] if "alert" in rule]
    for name in sorted({rule["alert"] for rule in rules}):
        same = [rule for rule in rules if rule["alert"] == name]
        summary = VALUE.sub(r"*\1*", same[0]["annotations"]["summary"])
        yield f"| [{name}]({name}.md) | {', '.join(rule['labels']['severity'] for rule in same)} | {summary} |\n"


def _yaml(content: Any) -> str:
    return HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def main() -> None:
    """Write what has changed."""
    for path, text in documents().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(DEPLOY.parent))


if __name__ == "__main__":
    main()
