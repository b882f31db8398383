"""The forms panels have in common."""

from typing import Final

from deploy.observability.grafana import Kind, Panel, Query, Unit

RATE: Final = "[$__rate_interval]"
THIRD: Final = 8


def lines(title: str, about: str, unit: Unit, *queries: tuple[str, str], wide: int = THIRD) -> Panel:
    return Panel(title, about, "lines", unit, tuple(Query(*query) for query in queries), wide)


def now(title: str, about: str, unit: Unit, expr: str, legend: str = "", wide: int = 4, kind: Kind = "stat") -> Panel:
    return Panel(title, about, kind, unit, (Query(expr, legend),), wide, 4 if kind == "stat" else 9)


def quantiles(title: str, about: str, unit: Unit, name: str, by: str, select: str = "") -> Panel:
    """Median and 99th percentile of a histogram."""
    chosen = f"$S,{select}" if select else "$S"
    labels = f"le, {by}" if by else "le"
    called = f" {{{{{by}}}}}" if by else ""
    return lines(
        title,
        about,
        unit,
        *(
            (
                f"histogram_quantile({q}, sum by ({labels}) (rate({name}_bucket{{{chosen}}}{RATE})))",
                f"p{round(q * 100)}{called}",
            )
            for q in (0.5, 0.99)
        ),
    )


def rate(title: str, about: str, unit: Unit, name: str, by: str, select: str = "") -> Panel:
    chosen = f"$S,{select}" if select else "$S"
    return lines(title, about, unit, (f"sum by ({by}) (rate({name}{{{chosen}}}{RATE}))", f"{{{{{by}}}}}"))
