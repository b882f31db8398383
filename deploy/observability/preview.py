"""`python -m deploy.observability.preview URL FOLDER [SECONDS [UNTIL]]`: dashboards drawn with a Prometheus' series.

HTML for documentation and review: the same JSON, the same queries, real series; a preview, Grafana is not involved.
"""

import html
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.observability.publish import DEPLOY

COLUMN_PX: Final = 62
ROW_PX: Final = 34
STEPS: Final = 160
COLOURS: Final = (
    "#1f77b4", "#d95f02", "#2ca02c", "#7570b3", "#e7298a", "#666666", "#a6761d", "#17a2b8", "#b22222", "#556b2f",
)  # fmt: skip
MOST: Final = 10
"""Series of a panel that are named below it."""
CSS: Final = """
body{font:13px/1.35 system-ui,'Noto Sans',sans-serif;margin:16px;background:#f4f5f7;color:#1d232b}
h1{font-size:20px;margin:0}p.about{margin:2px 0 10px;color:#55606d}
.board{position:relative}.panel,.row{position:absolute;box-sizing:border-box}
.row{font-weight:600;padding-top:10px}
.panel{background:#fff;border:1px solid #dde1e6;border-radius:4px;padding:6px 8px;overflow:hidden}
.panel h2{font-size:12px;margin:0 0 2px}.value{font-size:28px;font-weight:600;padding-top:14px;text-align:center}
.legend{font-size:10px;color:#333;line-height:13px}
.legend i{display:inline-block;width:8px;height:8px;margin:0 3px 0 6px}
table{border-collapse:collapse;width:100%;font-size:11px}
td{border-top:1px solid #eee;padding:1px 4px}td.n{text-align:right}
.bar{background:#9ecae1;height:10px;display:inline-block}.empty{color:#b22222;padding:20px;text-align:center}
"""


class Prometheus:
    """Queries with every variable set to all, over the last `seconds`."""

    def __init__(self, url: str, seconds: int, until: float | None) -> None:
        self._url, self.seconds, self.now = url.rstrip("/"), seconds, until or time.time()

    def range(self, expr: str) -> list[dict[str, Any]]:
        start = self.now - self.seconds
        step = max(1.0, self.seconds / STEPS)
        return self._ask("query_range", {"query": self._filled(expr), "start": start, "end": self.now, "step": step})

    def instant(self, expr: str) -> list[dict[str, Any]]:
        return self._ask("query", {"query": self._filled(expr), "time": self.now})

    def _filled(self, expr: str) -> str:
        chosen = expr.replace("$job", ".+").replace("$instance", ".+")
        return chosen.replace("$__rate_interval", f"{max(10, self.seconds // 20)}s")

    def _ask(self, path: str, form: Mapping[str, Any]) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}", body, timeout=30) as answer:  # noqa: S310 - given by the user
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def page(board: Mapping[str, Any], source: Prometheus) -> str:
    """One dashboard as an HTML document without scripts."""
    high = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in board["panels"])
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(board['title'])} (preview)</title>"
        f"<style>{CSS}</style><h1>{html.escape(board['title'])}</h1><p class=about>{html.escape(board['description'])} "
        "Preview drawn from the dashboard's JSON with series of a real Prometheus; not Grafana.</p>"
        f"<div class=board style='height:{high * ROW_PX}px;width:{24 * COLUMN_PX}px'>"
        + "".join(_box(panel, source) for panel in board["panels"])
        + "</div></html>"
    )


def _box(panel: Mapping[str, Any], source: Prometheus) -> str:
    at = panel["gridPos"]
    place = (
        f"left:{at['x'] * COLUMN_PX}px;top:{at['y'] * ROW_PX}px;"
        f"width:{at['w'] * COLUMN_PX - 8}px;height:{at['h'] * ROW_PX - 8}px"
    )
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f"<div class=row style='{place}'>{title}</div>"
    unit = panel["fieldConfig"]["defaults"]["unit"]
    match panel["type"]:
        case "timeseries":
            inside = _chart(panel, source, at["w"] * COLUMN_PX - 26, at["h"] * ROW_PX - 100, unit)
        case "stat":
            found = [series["value"][1] for each in panel["targets"] for series in source.instant(each["expr"])]
            inside = f"<div class=value>{_told(float(found[0]), unit)}</div>" if found else _nothing()
        case _:
            inside = _list(panel, source, unit)
    return f"<div class=panel style='{place}'><h2>{title}</h2>{inside}</div>"


def _nothing() -> str:
    return "<div class=empty>no series</div>"


def _list(panel: Mapping[str, Any], source: Prometheus, unit: str) -> str:
    rows = [
        (float(series["value"][1]), _name(target["legendFormat"], series["metric"]))
        for target in panel["targets"]
        for series in source.instant(target["expr"])
    ]
    if not rows:
        return _nothing()
    most = max(value for value, _ in rows) or 1
    return "<table>" + "".join(
        f"<tr><td>{html.escape(name)}<td class=n>{_told(value, unit)}"
        f"<td style='width:40%'><span class=bar style='width:{max(0, value) / most * 100:.0f}%'></span>"
        for value, name in sorted(rows, reverse=True)[:14]
    ) + "</table>"  # fmt: skip


def _chart(panel: Mapping[str, Any], source: Prometheus, wide: int, high: int, unit: str) -> str:
    lines: list[tuple[str, list[tuple[float, float]]]] = []
    for target in panel["targets"]:
        for series in source.range(target["expr"]):
            points = [(float(at), float(value)) for at, value in series["values"] if value not in {"NaN", "+Inf"}]
            if points:
                lines.append((_name(target["legendFormat"], series["metric"]), points))
    if not lines:
        return _nothing()
    first, last = source.now - source.seconds, source.now
    top = max(value for _, points in lines for _, value in points) or 1.0
    drawn = "".join(
        f"<polyline fill=none stroke='{COLOURS[number % len(COLOURS)]}' stroke-width=1.4 points='"
        + " ".join(
            f"{(at - first) / max(1, last - first) * wide:.1f},{high - value / top * (high - 4):.1f}"
            for at, value in points
        )
        + "'/>"
        for number, (_, points) in enumerate(lines)
    )
    grid = "".join(
        f"<line x1=0 x2={wide} y1={high * n / 4:.0f} y2={high * n / 4:.0f} stroke='#eee'/>" for n in range(5)
    )
    names = "".join(
        f"<i style='background:{COLOURS[number % len(COLOURS)]}'></i>{html.escape(name)}"
        for number, (name, _) in enumerate(lines[:MOST])
    )
    more = f" and {len(lines) - MOST} more" if len(lines) > MOST else ""
    return (
        f"<svg width={wide} height={high}>{grid}{drawn}"
        f"<text x=2 y=10 font-size=9 fill='#888'>{_told(top, unit)}</text></svg>"
        f"<div class=legend>{names}{more}</div>"
    )


def _name(legend: str, labels: Mapping[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


def _told(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{value:.1%}"
        case "s":
            return f"{value:,.2f} s" if value >= 1 else f"{value * 1000:,.2f} ms"
        case "bytes":
            return f"{value / 2**20:,.0f} MiB"
        case "ops" | "reqps":
            return f"{value:,.2f}/s"
        case _:
            return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def write(url: str, folder: Path, seconds: int, until: float | None = None) -> Iterable[Path]:
    """Write a page per dashboard, of the `seconds` before `until` (s since the epoch; else now); tells their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Prometheus(url, seconds, until)
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        made = folder / f"{path.stem}.html"
        made.write_text(page(json.loads(path.read_text()), source))
        yield made


def main(url: str, folder: str, seconds: str = "3600", until: str = "") -> None:
    """Write the pages and name them."""
    for path in write(url, Path(folder), int(seconds), float(until) if until else None):
        print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
