"""What is told of idle threads."""

from benchmarks.idle import Idle, Load
from benchmarks.reports.idle import report


def test_the_report_divides_what_was_added_by_the_threads(circumstances):
    idle = Idle(1_000, Load(200, 1, 5), Load(220, 1.5, 6), begun=30, woken=[40, 50, 90], server_version="1.32.0")

    text = report(idle, circumstances)

    assert "1,000 idle threads take 20 MB of their worker's memory, 20.5 kB each, and 0.50 ms of its CPU" in text
    assert "takes 50 ms afterwards, 90 at most" in text
