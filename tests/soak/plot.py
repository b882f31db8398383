"""A run as one SVG: lag, memory and states over time, strikes as lines."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from tests.soak.sampling import Sample
from tests.soak.strikes import Strike

WIDTH: Final = 1000
HEIGHT: Final = 220
LEFT: Final = 70
TOP: Final = 40
COLOURS: Final = ("#1f5a94", "#d9822b", "#5b8c5a", "#9a4a62", "#5a6170", "#8a6d3b", "#3b8a86", "#6b5b95")
Points = list[tuple[float, float]]


def svg(samples: Sequence[Sample], strikes: Sequence[Strike]) -> str:
    """The pictures one below the other."""
    names = sorted({name for sample in samples for name in sample.processes})
    rss = {
        name: [(each.after, each.processes[name].rss_mib) for each in samples if name in each.processes]
        for name in names
    }
    lag: Points = [(each.after, float(each.lag)) for each in samples if each.lag is not None]
    states: Points = [
        (each.after, float(sum(held.states or 0 for held in each.processes.values()))) for each in samples
    ]
    pictures = (
        ("records behind", {"lag": lag}),
        ("resident memory, MiB", rss),
        ("states in memory", {"states": states}),
    )
    inner = "".join(
        f'<g transform="translate(0 {number * (HEIGHT + TOP + 30)})">{"".join(_picture(title, lines, strikes))}</g>'
        for number, (title, lines) in enumerate(pictures)
    )
    high = len(pictures) * (HEIGHT + TOP + 30)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" font-size="12">{inner}</svg>\n'


def _picture(title: str, lines: Mapping[str, Points], strikes: Sequence[Strike]) -> Iterator[str]:
    wide = max(
        [after for points in lines.values() for after, _ in points] + [each.after for each in strikes], default=1
    )
    top = max((value for points in lines.values() for _, value in points), default=0) or 1
    scale = (WIDTH - LEFT) / max(wide, 1.0)
    yield f'<text x="{LEFT}" y="14" font-weight="bold">{escape(title)}, at most {top:,.0f}; {wide:,.0f} s</text>'
    yield f'<path d="M{LEFT} {TOP}V{TOP + HEIGHT}H{WIDTH}" fill="none" stroke="#5a6170"/>'
    for each in strikes:
        x = LEFT + each.after * scale
        yield f'<path d="M{x:.1f} {TOP}V{TOP + HEIGHT}" stroke="#e4c7c7"><title>{escape(each.what)}</title></path>'
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{LEFT + x * scale:.1f},{TOP + HEIGHT - y * HEIGHT / top:.1f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}"><title>{escape(name)}</title></polyline>'
        yield f'<text x="{LEFT + number * 75}" y="30" fill="{colour}" font-size="10">{escape(name)}</text>'
