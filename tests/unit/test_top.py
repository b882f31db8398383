"""`nivaran top` on the endpoints of processes: sums over processes, rates between two looks, who is away."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from deploy.cli import cli

EXPORTER = """
kafka_consumergroup_members{consumergroup="nivaran-case"} 2
kafka_consumergroup_lag{consumergroup="nivaran-case",topic="t",partition="0"} 3
kafka_consumergroup_lag{consumergroup="nivaran-case",topic="t",partition="1"} 4
nivaran_consumergroup_lag_seconds{consumergroup="nivaran-case",topic="t",partition="0"} 7.5
nivaran_consumergroup_lag_seconds{consumergroup="nivaran-case",topic="t",partition="1"} 70
nivaran_consumergroup_unowned_partitions{consumergroup="nivaran-case"} 1
nivaran_open_cases{system="up-1076",department="water",level="1",age="0-1d"} 11
nivaran_open_cases{system="up-1076",department="water",level="2",age="0-1d"} 5
nivaran_open_cases{system="up-1076",department="energy",level="1",age="1-3d"} 2
"""
WORKER = """
nivaran_records_total{{part="case"}} {records}
nivaran_outputs_total{{part="case"}} {records}
nivaran_event_age_seconds_sum{{part="case"}} {age}
nivaran_event_age_seconds_count{{part="case"}} {batches}
nivaran_wakes_pending{{part="case"}} 9
nivaran_timer_overdue_seconds{{part="case"}} 61
"""


class Processes(http.server.BaseHTTPRequestHandler):
    """The exporter at /exporter, a worker at /worker whose counters grow with each look."""

    looks = 0

    def do_GET(self) -> None:
        body = EXPORTER
        if self.path.startswith("/worker"):
            looks = Processes.looks = Processes.looks + 1
            body = WORKER.format(records=100 * looks, age=0.5 * looks, batches=10 * looks)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    Processes.looks = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Processes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_shows_lag_rates_levels_and_lateness(url: str) -> None:
    shown = CliRunner().invoke(cli, ["top", "--json", "--every", "0.2", f"{url}/exporter", f"{url}/worker"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["groups"] == [{"group": "nivaran-case", "members": 2, "unowned": 1, "lag": 7, "behind_s": 70.0}]
    [part] = found["parts"]
    assert part["records"] == part["outputs"] == pytest.approx(100 / 0.2, rel=0.5)
    assert part | {"records": 0, "outputs": 0} == {
        "part": "case", "records": 0, "outputs": 0, "dead": 0.0, "age_s": 0.05, "wakes": 9, "overdue_s": 61.0,
    }  # fmt: skip
    assert found["open"] == {"up-1076": {"1": 13, "2": 5}}


def test_who_does_not_answer_is_named(url: str) -> None:
    shown = CliRunner().invoke(cli, ["top", "--once", "--every", "0.2", f"{url}/exporter", "http://127.0.0.1:1"])
    assert shown.exit_code == 1
    assert "http://127.0.0.1:1 does not answer" in shown.output
    assert "nivaran-case" in shown.output
    assert "open L2" in shown.output
