"""Bar charts as inline SVG: whole numbers only, so that the same figures are the same bytes everywhere."""

from collections.abc import Iterator
from html import escape
from typing import Final

from streams.review.document import Chart

WIDTH: Final = 900
HEIGHT: Final = 260
LEFT: Final = 56
TOP: Final = 34
BOTTOM: Final = 36
COLOURS: Final = ("#1f5a94", "#d9822b", "#5b8c5a", "#9a4a62")
MOST_LABELS: Final = 16
PLOT: Final = HEIGHT - TOP - BOTTOM
STEPS: Final = 4


def svg(chart: Chart) -> str:
    """The chart; a screen reader is told its title, and each bar its value."""
    return "".join(_svg(chart))


def _svg(chart: Chart) -> Iterator[str]:
    top = ceiling(max((value for series in chart.series for value in series.values), default=0))
    yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}" font-size="13">'
    yield from _grid(top)
    yield from _legend(chart)
    if chart.labels:
        yield from _groups(chart, top)
    yield f'<line x1="{LEFT}" y1="{TOP + PLOT}" x2="{WIDTH}" y2="{TOP + PLOT}" stroke="#5a6170"/></svg>'


def ceiling(most: int) -> int:
    """The least of 4, 8, 12, 20, 40, 80, 120, 200, ... that is not below `most`: each quarter is a whole number."""
    scale = 1
    while True:
        for each in (4, 8, 12, 20):
            if each * scale >= most:
                return each * scale
        scale *= 10


def _grid(top: int) -> Iterator[str]:
    for step in range(STEPS + 1):
        y = TOP + PLOT - PLOT * step // STEPS
        yield f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH}" y2="{y}" stroke="#e2e6eb"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#5a6170">{top * step // STEPS:,}</text>'


def _legend(chart: Chart) -> Iterator[str]:
    x = LEFT
    for place, series in enumerate(chart.series):
        yield f'<rect x="{x}" y="8" width="12" height="12" fill="{COLOURS[place % len(COLOURS)]}"/>'
        yield f'<text x="{x + 18}" y="18" fill="#1b1b1b">{escape(series.name)}</text>'
        x += 40 + 9 * len(series.name)


def _groups(chart: Chart, top: int) -> Iterator[str]:
    room = (WIDTH - LEFT) * 100 // len(chart.labels)
    bar = max(1, room * 7 // 1000 // max(1, len(chart.series)))
    every = -(-len(chart.labels) // MOST_LABELS)
    for place, label in enumerate(chart.labels):
        start = LEFT + place * room // 100
        x = start + (room // 100 - bar * len(chart.series)) // 2
        for number, series in enumerate(chart.series):
            value = series.values[place]
            height = PLOT * max(value, 0) // top
            told = f"{label}, {series.name}: {value:,}"
            yield f'<rect x="{x + number * bar}" y="{TOP + PLOT - height}" width="{bar}" height="{height}"'
            yield f' fill="{COLOURS[number % len(COLOURS)]}"><title>{escape(told)}</title></rect>'
        if place % every == 0:
            middle = start + room // 200
            yield f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle" fill="#5a6170">{escape(label)}</text>'
