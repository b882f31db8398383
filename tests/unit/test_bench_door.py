"""What is read of wrk's output, and when a run is void."""

import pytest

from deploy.bench.door import Told, told
from deploy.bench.lab import BenchError

OUTPUT = """Running 10s test @ http://127.0.0.1:8080
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    23.15ms    5.02ms  80.11ms   81.2%
    Req/Sec     2.77k   214.00     3.20k    70.0%
  Latency Distribution
     50%   22.10ms
     75%   25.00ms
     90%   28.90ms
     99%   {p99}
  27612 requests in 10.01s, 7.21MB read
{more}Requests/sec:   2758.44
Transfer/sec:    737.60KB
"""


@pytest.mark.parametrize(("p99", "ms"), [("41.20ms", 41.2), ("1.02s", 1020.0), ("870.00us", 0.87)])
def test_rate_count_and_p99_are_read(p99: str, ms: float) -> None:
    assert told(OUTPUT.format(p99=p99, more="")) == Told(27612, 2758.44, pytest.approx(ms))


@pytest.mark.parametrize(
    "more", ["  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 0, write 0, timeout 12\n"]
)
def test_another_answer_or_a_broken_connection_makes_it_void(more: str) -> None:
    with pytest.raises(BenchError, match="void"):
        told(OUTPUT.format(p99="41.20ms", more=more))


def test_silence_is_said_with_what_wrk_complained_of() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        told("", "unable to connect to 127.0.0.1:8080 Connection refused")
