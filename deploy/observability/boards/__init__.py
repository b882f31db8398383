"""The dashboards, as tables: what is shown, how it is asked, what it means."""

from collections.abc import Iterable
from typing import Final

from deploy.observability.boards.channels import INTAKE, SMS, WEBHOOKS
from deploy.observability.boards.ground import KAFKA
from deploy.observability.boards.helpline import OFFICERS, SLA
from deploy.observability.boards.overview import OVERVIEW, SLOS
from deploy.observability.boards.stream import STREAM
from deploy.observability.grafana import Board, Panel

BOARDS: Final = (OVERVIEW, STREAM, SLA, INTAKE, SMS, WEBHOOKS, OFFICERS, KAFKA, SLOS)


def panels() -> Iterable[tuple[Board, Panel]]:
    """Every panel with its board."""
    return ((board, panel) for board in BOARDS for _, section in board.sections for panel in section)
