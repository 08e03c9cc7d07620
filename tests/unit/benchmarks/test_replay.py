"""What is told of replays."""

from benchmarks.replay import REPLAYED, Replays
from benchmarks.replaying import Replayed
from benchmarks.reports.replay import report
from benchmarks.reports.table import times
from benchmarks.roster import DEEPAGENTS, OFFICIAL
from benchmarks.summary import Sample, Spread


def ratio(value):
    return times(Spread(value, value, value))


def test_a_ratio_is_taken_at_the_largest_size_that_a_peer_reached(circumstances):
    samples = [
        Sample(number, contestant, size, Replayed(wall=size / 10, cpu=4.0 if contestant == OFFICIAL else 1.0))
        for number in (1, 2)
        for contestant in REPLAYED
        for size in (10, 150, 200)
        if size == 10 or contestant != OFFICIAL
    ]

    text = report(Replays(samples, (10, 150, 200), 2, "1.32.0"), circumstances)

    assert "Perdure replays 200 turns in 20.0 s." in text
    assert f"{OFFICIAL.name} takes 1.0 s for 10, and {ratio(4)} the CPU of perdure for as many." in text
    assert f"{DEEPAGENTS.name} takes 20.0 s for 200, and {ratio(1)} the CPU" in text
    assert "2 rounds on 2 cores" in text
