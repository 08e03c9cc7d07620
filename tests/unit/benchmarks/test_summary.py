"""How samples become figures: medians with their spread, ratios within a round, and the table."""

from dataclasses import replace

import pytest

from benchmarks.circumstances import Circumstances
from benchmarks.load import Load, WrongAnswer, drive
from benchmarks.measure import Measurement
from benchmarks.reports.runs import report
from benchmarks.roster import BARE, IN_MEMORY, PEERS, PERDURE, ROSTER
from benchmarks.rounds import LOADS, Pass
from benchmarks.summary import Sample, Summary

LOAD = LOADS[0]


def sample(number, contestant, latency, **figures):
    measured = Measurement(latency=latency, rate=1.0, worker_cpu=1.0, **figures)
    return Sample(number, contestant, LOAD, measured)


def test_a_ratio_pairs_the_figures_of_one_round():
    summary = Summary(
        [
            sample(1, PERDURE, 20.0),
            sample(1, BARE, 10.0),
            sample(2, PERDURE, 900.0),
            sample(2, BARE, 300.0),
            sample(3, PERDURE, 40.0),
            sample(3, BARE, 10.0),
        ]
    )

    ratio = summary.ratio(PERDURE, BARE, LOAD, "latency")

    assert ratio is not None
    assert (ratio.low, ratio.median, ratio.high) == (2.0, 3.0, 4.0)


def test_the_overhead_is_that_of_one_step_of_five():
    summary = Summary([sample(1, PERDURE, 150.0), sample(1, BARE, 100.0)])

    overhead = summary.overhead(PERDURE, BARE, LOAD, "latency")

    assert overhead is not None
    assert overhead.median == 10.0


def test_what_was_not_measured_has_no_figure():
    summary = Summary([sample(1, PERDURE, 1.0, server_cpu=1.0), sample(1, IN_MEMORY, 1.0)])

    assert summary.spread(IN_MEMORY, LOAD, "server_cpu") is None
    assert summary.ratio(PERDURE, IN_MEMORY, LOAD, "server_cpu") is None


def test_of_several_turns_the_median_of_each_figure_counts():
    turns = [sample(1, BARE, latency, server_cpu=latency / 10).measured for latency in (10.0, 90.0, 20.0)]

    middle = Measurement.middle(turns)

    assert (middle.latency, middle.server_cpu, middle.events) == (20.0, 2.0, None)


def test_the_turns_of_a_load_share_its_runs():
    assert Load(at_once=1, runs=40, turns=8).turn == Load(at_once=1, runs=5)


def test_a_report_says_which_command_made_it_and_names_all_contestants():
    samples = [
        replace(sample(number, contestant, 10.0), case=load)
        for number in (1, 2)
        for contestant in ROSTER
        for load in LOADS
    ]
    circumstances = Circumstances("make bench", "2026-01-31", 2, 0.1, {"perdure": "0.1.0"})

    text = report(Pass(samples, 2, "1.32.0"), circumstances)

    assert "Made by `make bench` on 2026-01-31; do not edit. 2 rounds on 2 cores" in text
    assert all(f"| {contestant.name} " in text for contestant in ROSTER)
    assert all(f"the worker CPU of {peer.name}" in text for peer in PEERS)
    assert "## 50 runs in flight" in text


async def test_a_contestant_that_answers_otherwise_is_refused():
    async def run(_identifier):
        return "I don't know."

    with pytest.raises(WrongAnswer, match=r"I don't know"):
        await drive(run, Load(at_once=2, runs=4))
