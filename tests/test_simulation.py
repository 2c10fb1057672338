"""Intervals and verdicts on machines whose true ratios are known: 2,000 runs for each claim."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulation import (
    BUSY,
    MACHINES,
    QUIET,
    Machine,
    all_covered,
    bootstrap_ratio_of_medians,
    called,
    covered,
    ever_called_different,
    in_turn,
    median_width,
    pooled_ratios,
    ratios,
    run_times,
    separate_run_times,
    shares,
    stop_at_looks,
)
from test_statistics import close_to, figures, reciprocal

from gillab.statistics import (
    confidence_at,
    corrected_confidence,
    null_ok,
)

RUNS = 2000
every_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())


@every_machine
@pytest.mark.parametrize("truth", [1.0, 1.1, 1.9])
def test_the_interval_covers_the_true_ratio_in_93_to_99_percent(
    machine: Machine, truth: float
) -> None:
    times = run_times(machine, (1.0, truth, 0.5), runs=RUNS, blocks=20, seed=1)
    assert 0.93 <= covered(ratios(times, 0.95), truth) <= 0.99


@every_machine
def test_the_share_of_the_ceiling_is_covered_in_93_to_99_percent(machine: Machine) -> None:
    times = run_times(machine, (1.0, 1.8, 1.0, 1.9), runs=RUNS, blocks=20, seed=2)
    assert 0.93 <= covered(shares(times, 0.95), 1.8 / 1.9) <= 0.99


@every_machine
def test_identical_arms_are_called_different_in_at_most_5_percent(machine: Machine) -> None:
    """Asked as at the end of a run of 20 blocks."""
    confidence = confidence_at(0.95, 20, last=True)
    estimates = ratios(run_times(machine, (1.0, 1.0), runs=RUNS, blocks=20, seed=3), confidence)
    assert called(estimates, ["wins", "loses"], margin=0) <= 0.05
    assert called(estimates, ["wins", "loses"]) <= 0.005


@every_machine
def test_of_twelve_identical_arms_any_is_called_different_in_at_most_5_percent(
    machine: Machine,
) -> None:
    times = run_times(machine, [1.0] * 13, runs=RUNS, blocks=20, seed=4)
    confidence = corrected_confidence(0.95, 12)
    runs = zip(*(ratios(times, confidence, arm) for arm in range(1, 13)), strict=True)
    assert all_covered(list(runs), 1.0) >= 0.95


def test_exchanging_the_arms_of_whole_runs_changes_nothing_but_the_sign() -> None:
    times = run_times(BUSY, (1.0, 1.1), runs=RUNS, blocks=20, seed=5)
    there, back = ratios(times, 0.95), ratios(times[:, :, ::-1], 0.95)
    for one, other in zip(there, back, strict=True):
        assert figures(other) == close_to(reciprocal(one))


def test_a_true_tenth_is_found_in_20_blocks_by_nine_runs_of_ten() -> None:
    """At 2 % noise, with drift and order effects: half-width 2.6 % at 95 %, margin 5 %."""
    machine = Machine(noise=0.02, trend=0.3, walk=0.1, order=0.02)
    faster = ratios(run_times(machine, (1.0, 1.1), runs=RUNS, blocks=20, seed=6), 0.95)
    slower = ratios(run_times(machine, (1.1, 1.0), runs=RUNS, blocks=20, seed=6), 0.95)
    assert called(faster, ["wins"]) >= 0.9
    assert called(slower, ["loses"]) >= 0.9


def test_a_true_tenth_is_found_among_twelve_in_40_blocks_on_a_busy_machine() -> None:
    times = run_times(BUSY, [1.0] + [1.1] * 12, runs=RUNS, blocks=40, seed=7)
    assert called(ratios(times, corrected_confidence(0.95, 12)), ["wins"]) >= 0.9


def test_identical_arms_are_called_the_same_in_40_blocks() -> None:
    estimates = ratios(run_times(QUIET, (1.0, 1.0), runs=RUNS, blocks=40, seed=8), 0.95)
    assert called(estimates, ["same"]) >= 0.99
    assert median_width(estimates) < 0.012


@pytest.mark.parametrize(("compared", "runs"), [(1, 500), (4, 300)])
@pytest.mark.parametrize(
    ("machine", "target"), [(QUIET, 0.02), (BUSY, 0.05)], ids=["quiet", "busy"]
)
def test_stopping_at_a_look_by_width_keeps_the_coverage(
    machine: Machine, target: float, compared: int, runs: int
) -> None:
    confidence = corrected_confidence(0.95, compared)
    times = run_times(machine, [1.0] * (compared + 1), runs=runs, blocks=60, seed=9)
    stopped = stop_at_looks(times, confidence, target)
    assert np.median(stopped.blocks) < 60, "the target must stop runs, or nothing is tested"
    assert all_covered(stopped.estimates, 1.0) >= 0.95


def test_identical_arms_are_called_different_at_any_look_in_at_most_5_percent() -> None:
    times = run_times(QUIET, (1.0, 1.0), runs=RUNS, blocks=60, seed=19)
    asked = {look: confidence_at(0.95, look, last=False) for look in (12, 18, 27, 41)}
    asked[60] = confidence_at(0.95, 60, last=True)
    assert 0.01 <= ever_called_different(times, asked) <= 0.05


# Both serial arms as the baseline


def test_two_serial_arms_narrow_the_interval_and_keep_its_coverage_where_noise_is_even() -> None:
    times = run_times(QUIET, (1.0, 1.0, 1.0), runs=RUNS, blocks=20, seed=20)
    pooled = pooled_ratios(times, 0.95)
    assert 0.93 <= covered(pooled, 1.0) <= 0.99
    assert median_width(pooled) < 0.9 * median_width(ratios(times, 0.95, arm=2))


@every_machine
def test_two_serial_arms_shift_a_speedup_by_at_most_a_percent(machine: Machine) -> None:
    times = run_times(machine, (1.0, 1.0, 1.0), runs=RUNS, blocks=20, seed=21)
    pooled = pooled_ratios(times, 0.95)
    assert np.median([each.estimate for each in pooled]) == pytest.approx(1, abs=0.0101)
    assert called(pooled, ["wins", "loses"]) <= 0.005


# Luck that lasts for a launch


def test_a_quarter_percent_of_luck_per_launch_leaves_the_coverage_in_three_launches() -> None:
    machine = replace(QUIET, launch=0.0025)
    times = run_times(machine, (1.0, 1.1), runs=RUNS, blocks=20, seed=16)
    assert 0.93 <= covered(ratios(times, 0.95), 1.1) <= 0.99


def test_much_luck_per_launch_is_outside_the_interval_and_launches_mend_it() -> None:
    few, many = (
        run_times(
            replace(QUIET, launch=0.01, launches=n), (1.0, 1.1), runs=RUNS, blocks=20, seed=17
        )
        for n in (3, 10)
    )
    assert covered(ratios(few, 0.95), 1.1) < 0.92
    assert covered(ratios(many, 0.95), 1.1) >= 0.93


def test_even_then_the_margin_keeps_identical_arms_from_being_called_different() -> None:
    machine = replace(QUIET, launch=0.02)
    times = run_times(machine, (1.0, 1.0), runs=RUNS, blocks=20, seed=18)
    assert called(ratios(times, 0.95), ["wins", "loses"]) <= 0.05


# The simulation has teeth: what gillab avoids fails on the same machines


@pytest.mark.parametrize("name", ["trend", "walk", "busy"])
def test_separate_runs_miss_the_truth_on_a_machine_that_drifts(name: str) -> None:
    times = separate_run_times(MACHINES[name], (1.0, 1.0), runs=RUNS, blocks=20, seed=10)
    estimates = ratios(times, 0.95)
    assert covered(estimates, 1.0) < 0.5
    assert called(estimates, ["wins", "loses"]) > 0.3


def test_separate_runs_do_well_on_a_quiet_machine() -> None:
    """So what fails them above is the drift, not the way they are simulated."""
    times = separate_run_times(QUIET, (1.0, 1.0), runs=RUNS, blocks=20, seed=11)
    assert covered(ratios(times, 0.95), 1.0) >= 0.93


def test_a_fixed_order_misses_the_truth_where_order_matters() -> None:
    times = run_times(MACHINES["order"], (1.0, 1.0), runs=RUNS, blocks=20, seed=12, places=in_turn)
    assert covered(ratios(times, 0.95), 1.0) < 0.5


def test_the_mean_misses_what_the_median_finds_under_spikes() -> None:
    times = run_times(MACHINES["spikes"], (1.0, 1.0), runs=RUNS, blocks=20, seed=13)
    mean_error = np.abs(np.log(times.mean(axis=1)[:, 1] / times.mean(axis=1)[:, 0]))
    error = [abs(math.log(each.estimate)) for each in ratios(times, 0.95)]
    assert np.median(mean_error) > 3 * np.median(error)


def test_identical_arms_looked_at_after_every_block_are_called_different_too_often() -> None:
    times = run_times(QUIET, (1.0, 1.0), runs=300, blocks=60, seed=19)
    assert ever_called_different(times, dict.fromkeys(range(12, 61), 0.95)) > 0.1


def test_the_bootstrap_of_the_ratio_of_medians_is_wider_on_a_busy_machine() -> None:
    times = run_times(BUSY, (1.0, 1.9), runs=300, blocks=20, seed=14)
    rival = bootstrap_ratio_of_medians(times, 0.95, resamples=500, seed=14)
    assert median_width(rival) > 1.25 * median_width(ratios(times, 0.95))


@pytest.mark.parametrize(("launches", "blocks"), [(3, 15), (3, 60), (5, 300)])
def test_luck_of_a_launch_is_not_taken_for_a_busy_machine(launches: int, blocks: int) -> None:
    """However long one measures; what lies far outside is told."""
    machine = Machine(noise=0.003, launch=0.005, launches=launches)
    confidence = corrected_confidence(0.95, 4)
    runs = 100 if blocks > 100 else RUNS
    for speedup, least, most in ((1.0, 0.99, 1.0), (1.05, 0.0, 0.01)):
        times = run_times(machine, (1.0, speedup), runs=runs, blocks=blocks, seed=23)
        passed = sum(null_ok(null) for null in ratios(times, confidence)) / runs
        assert least <= passed <= most
