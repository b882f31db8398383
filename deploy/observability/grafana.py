"""From a board's table of panels to Grafana's JSON, by Grafana's own types."""

import json
from typing import Any, Final, Literal, NamedTuple

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos, VariableHide, VariableRefresh, VariableSort

Kind = Literal["stat", "lines", "bars", "table"]
Unit = Literal[
    "short", "s", "percentunit", "reqps", "ops", "cps", "bytes", "none", "bool_yes_no", "rps", "cores", "offset"
]
WIDTH: Final = 24
MATCHERS: Final = 'job=~"$job",instance=~"$instance"'
"""What `$S` in a query stands for: the processes chosen above the panels."""
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
GRAFANA_UNIT: Final = {"cores": "short", "offset": "none"}


class Query(NamedTuple):
    """PromQL, and what its series are called (`{{label}}`)."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """A panel; `wide` of 24 columns, `high` in rows of 30 pixels."""

    title: str
    about: str
    kind: Kind
    unit: Unit
    queries: tuple[Query, ...]
    wide: int = 8
    high: int = 7


class Board(NamedTuple):
    """A dashboard: sections of panels, in the order in which they are read."""

    uid: str
    title: str
    about: str
    sections: tuple[tuple[str, tuple[Panel, ...]], ...]


def rendered(board: Board) -> str:
    """The board's JSON, with ids, places and references set."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["nivaran"])
        .readonly()
        .timezone("Asia/Kolkata")
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", "Job", "label_values(nivaran_build_info, job)"))
        .with_variable(_variable("instance", "Instance", 'label_values(nivaran_build_info{job=~"$job"}, instance)'))
    )
    number, top = 1, 0
    for title, panels in board.sections:
        built = built.with_row(dashboard.Row(title).id(number).grid_pos(_place(0, top, WIDTH, 1)))
        number, top, left, highest = number + 1, top + 1, 0, 0
        for panel in panels:
            if left + panel.wide > WIDTH:
                top, left, highest = top + highest, 0, 0
            built = built.with_panel(_panel(panel).id(number).grid_pos(_place(left, top, panel.wide, panel.high)))
            number, left, highest = number + 1, left + panel.wide, max(highest, panel.high)
        top += highest
    text: str = json.dumps(built.build(), cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True)
    return text + "\n"


def _place(x: int, y: int, wide: int, high: int) -> GridPos:
    return GridPos(x=x, y=y, w=wide, h=high)


def _variable(name: str, label: str, query: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .hide(VariableHide.DONT_HIDE)
        .multi(True)
        .include_all(True)
        .all_value(".+")
    )


def _panel(panel: Panel) -> Any:
    made = _made(panel.kind).title(panel.title).description(panel.about).datasource(SOURCE)
    made = made.unit(GRAFANA_UNIT.get(panel.unit, panel.unit)).no_value("none")
    for number, query in enumerate(panel.queries):
        expr = query.expr.replace("$S", MATCHERS)
        target = prometheus.Dataquery().expr(expr).legend_format(query.legend).ref_id("ABCDEFGH"[number])
        made = made.with_target(
            target.instant() if panel.kind in {"stat", "table", "bars"} else target.range().exemplar(True)
        )
    return made


def _made(kind: Kind) -> Any:
    match kind:
        case "stat":
            return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        case "bars":
            return bargauge.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        case "table":
            return table.Panel()
        case "lines":
            return timeseries.Panel().fill_opacity(8).span_nulls(False)
