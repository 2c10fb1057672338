"""A machine that drifts, hiccups and minds the order of things, and whose true ratios are known.

`python tests/simulation.py` prints the figures that the protocol's defaults rest on: the exact
interval against the bootstrap, when one may stop, two serial arms as the baseline, the power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product, takewhile

import numpy as np
from numpy.typing import NDArray

from gillab.estimates import Estimate
from gillab.statistics import (
    blocks_needed,
    confidence_at,
    corrected_confidence,
    looks,
    null_ok,
    pool_baselines,
    ratio,
    ratio_of_ratios,
    relative_half_width,
    verdict,
)

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Machine:
    """What disturbs a time, each as a share of it.

    The default noise gives identical arms an interval of about 1 % either way at 40 blocks, as
    a trial on a shared two-core machine did.
    """

    noise: float = 0.02  # from one time to the next
    trend: float = 0.0  # gained steadily from the run's first time to its last
    walk: float = 0.0  # standard deviation of a random walk at the run's end
    spikes: float = 0.0  # how many of the times are disturbed from outside
    spike: float = 0.1  # typical size of such a disturbance, heavy tailed, never a gain
    order: float = 0.0  # what the last place in a block costs more than the first
    launch: float = 0.0  # luck of an arm that lasts for a launch (addresses, caches)
    launches: int = 3


QUIET = Machine()
TREND = Machine(trend=0.4)
WALK = Machine(walk=0.3)
SPIKES = Machine(spikes=0.2, spike=0.3)
ORDER = Machine(order=0.04)
BUSY = Machine(trend=0.3, walk=0.2, spikes=0.1, spike=0.2, order=0.03)

Protocol = Callable[[np.random.Generator, tuple[int, int, int]], NDArray[np.int64]]


def interleaved(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Each block runs every arm once, in a random order: what gillab does."""
    return rng.random(shape).argsort(axis=2)


def in_turn(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Each block runs every arm once, always in the same order."""
    return np.broadcast_to(np.arange(shape[2]), shape)


def run_times(
    machine: Machine,
    speedups: Sequence[float],
    *,
    runs: int,
    blocks: int,
    seed: int,
    places: Protocol = interleaved,
) -> Times:
    """Seconds, as (run, block, arm), of arms that are truly ``speedups`` times the first."""
    rng = np.random.default_rng(seed)
    shape = runs, blocks, len(speedups)
    place = places(rng, shape)
    moment = place + np.arange(blocks)[:, None] * len(speedups)
    return _disturbed(rng, machine, speedups, moment, place)


def separate_run_times(
    machine: Machine, speedups: Sequence[float], *, runs: int, blocks: int, seed: int
) -> Times:
    """Ask the same machine the naive way: one arm to its end, then the next."""
    rng = np.random.default_rng(seed)
    shape = runs, blocks, len(speedups)
    moment = np.arange(blocks)[:, None] + np.arange(len(speedups)) * blocks
    nowhere = np.zeros(shape, dtype=np.int64)
    return _disturbed(rng, machine, speedups, np.broadcast_to(moment, shape), nowhere)


def _disturbed(
    rng: np.random.Generator,
    machine: Machine,
    speedups: Sequence[float],
    moment: NDArray[np.int64],
    place: NDArray[np.int64],
) -> Times:
    runs, blocks, arms = shape = moment.shape
    moments = blocks * arms
    steps = rng.normal(0, machine.walk / math.sqrt(moments), (runs, moments))
    drift = np.cumsum(steps + math.log1p(machine.trend) / moments, axis=1)
    logs = np.take_along_axis(drift, moment.reshape(runs, -1), axis=1).reshape(shape)
    logs += rng.normal(0, machine.noise, shape)
    logs += math.log1p(machine.order) * place / max(arms - 1, 1)
    # Lomax with shape 1.5: its variance is infinite, as an average would notice.
    logs += (rng.random(shape) < machine.spikes) * np.log1p(machine.spike * rng.pareto(1.5, shape))
    launch = np.arange(blocks) * machine.launches // blocks
    logs += rng.normal(0, machine.launch, (runs, machine.launches, arms))[:, launch]
    times: Times = np.exp(logs) / np.asarray(speedups)
    return times


def ratios(times: Times, confidence: float, arm: int = 1) -> list[Estimate]:
    """Of each run, the speedup of one arm over the first."""
    return [ratio(run[:, 0].tolist(), run[:, arm].tolist(), confidence) for run in times]


def covered(estimates: Sequence[Estimate], truth: float) -> float:
    """Share of the intervals that hold the truth; an interval that is missing holds nothing."""
    return sum(
        each.low is not None and each.high is not None and each.low <= truth <= each.high
        for each in estimates
    ) / len(estimates)


def all_covered(runs: Sequence[Sequence[Estimate]], truth: float) -> float:
    """Share of the runs in which every interval holds the truth."""
    return sum(covered(run, truth) == 1 for run in runs) / len(runs)


def called(estimates: Sequence[Estimate], words: Sequence[str], margin: float = 0.05) -> float:
    """Share of the verdicts that are among ``words``."""
    return sum(verdict(each, margin) in words for each in estimates) / len(estimates)


@dataclass(frozen=True, slots=True)
class Stopped:
    """Runs that ended as soon as something was shown, or at the last block."""

    blocks: NDArray[np.int64]
    estimates: list[list[Estimate]]  # of each run, the speedup of every arm but the first


def stop_at_looks(times: Times, confidence: float, target: float) -> Stopped:
    """End at the look at which the widest interval is narrow enough, as a run of gillab may.

    ``times`` holds the most blocks there are. No interval is narrower than a ``target`` of 0.
    """
    most = times.shape[1]
    stops = [*takewhile(lambda look: look < most, looks()), most]
    asked = {stop: confidence_at(confidence, stop, last=stop == most) for stop in stops}
    return _stop(times, asked, target)


def stop_at_any_block(times: Times, confidence: float, target: float, least: int) -> Stopped:
    """Look after every block, each time with all of the confidence: what gillab must not do."""
    return _stop(times, dict.fromkeys(range(least, times.shape[1] + 1), confidence), target)


def _stop(times: Times, asked: Mapping[int, float], target: float) -> Stopped:
    ended, estimates = [], []
    for run in times.transpose(0, 2, 1).tolist():
        baseline, *arms = run
        for blocks, confidence in asked.items():
            found = [ratio(baseline[:blocks], arm[:blocks], confidence) for arm in arms]
            if max(map(relative_half_width, found)) <= target:
                break
        ended.append(blocks)
        estimates.append(found)
    return Stopped(np.array(ended), estimates)


def ever_called_different(times: Times, asked: Mapping[int, float]) -> float:
    """Share of the runs in which the second arm is said to differ from the first at any look."""
    different = 0
    for run in times.transpose(0, 2, 1).tolist():
        baseline, arm = run[:2]
        different += any(
            verdict(ratio(baseline[:blocks], arm[:blocks], confidence), 0) in ("wins", "loses")
            for blocks, confidence in asked.items()
        )
    return different / len(times)


def pooled_ratios(times: Times, confidence: float) -> list[Estimate]:
    """Of each run, the speedup of the third arm over the first two."""
    return [
        ratio(pool_baselines(one, other), arm, confidence)
        for one, other, arm in times.transpose(0, 2, 1).tolist()
    ]


def bootstrap_ratio_of_medians(
    times: Times, confidence: float, *, resamples: int, seed: int
) -> list[Estimate]:
    """Estimate as the rival does: median(first) / median(second), of four arms two such.

    Whole blocks are drawn with replacement; the interval is the percentiles' (B. Efron and R. J.
    Tibshirani, *An Introduction to the Bootstrap*, chapter 13).
    """
    rng = np.random.default_rng(seed)
    signs = np.array([1, -1, -1, 1])[: times.shape[2]]
    tail = (1 - confidence) / 2
    estimates = []
    for run in times:
        drawn = rng.integers(len(run), size=(resamples, len(run)))
        logs = np.log(np.median(run[drawn], axis=1)) @ signs
        low, high = np.quantile(logs, [tail, 1 - tail])
        middle = float(np.log(np.median(run, axis=0)) @ signs)
        estimates.append(Estimate(math.exp(middle), math.exp(low), math.exp(high)))
    return estimates


def shares(times: Times, confidence: float) -> list[Estimate]:
    """Of each run, the second arm over the first as a share of the fourth over the third."""
    estimates = []
    for run in times:
        baseline, arm, ceiling_baseline, ceiling_arm = run.T.tolist()
        estimates.append(ratio_of_ratios(baseline, arm, ceiling_baseline, ceiling_arm, confidence))
    return estimates


def median_width(estimates: Sequence[Estimate]) -> float:
    return float(np.median([relative_half_width(each) for each in estimates]))


MACHINES = {
    "quiet": QUIET, "trend": TREND, "walk": WALK, "spikes": SPIKES, "order": ORDER, "busy": BUSY
}  # fmt: skip


def print_rivals(runs: int = 2000, resamples: int = 1000) -> None:
    print("\nexact interval of the paired log-ratio | block bootstrap of the ratio of medians")
    print("coverage and half-width at 95 %; error: median |ln(estimate / truth)|")
    print(f"{'machine':8}{'blocks':>7}{'arms':>5} | {'cover':>7}{'width':>8}{'error':>8} |"
          f"{'cover':>7}{'width':>8}{'error':>8}")  # fmt: skip
    for name, machine in MACHINES.items():
        for blocks in (8, 20, 40):
            for truths in ((1.0, 1.9), (1.0, 1.8, 1.0, 1.9)):
                times = run_times(machine, truths, runs=runs, blocks=blocks, seed=blocks)
                truth = truths[1] / (truths[3] if len(truths) == 4 else 1)
                exact = (ratios if len(truths) == 2 else shares)(times, 0.95)
                rival = bootstrap_ratio_of_medians(times, 0.95, resamples=resamples, seed=blocks)
                cells = "|".join(
                    f"{covered(which, truth):7.1%}{median_width(which):8.2%}"
                    f"{np.median([abs(math.log(e.estimate / truth)) for e in which]):8.2%} "
                    for which in (exact, rival)
                )
                print(f"{name:8}{blocks:7}{len(truths):5} | {cells}")


def print_stopping(runs: int = 200, most: int = 80) -> None:
    print(
        "\nstopping by the widest interval: runs in which every interval covers, mean blocks, where"
    )
    print(f"one looks as gillab does, or after every block; at most {most} blocks")
    print(f"{'machine':8}{'compared':>9}{'target':>7} |{'looks':>7}{'n':>4} |{'always':>7}{'n':>4}")
    for name, compared, target in product(("quiet", "busy"), (1, 4), (0.02, 0.03)):
        confidence = corrected_confidence(0.95, compared)
        arms = [1.0] * (compared + 1)
        times = run_times(MACHINES[name], arms, runs=runs, blocks=most, seed=compared)
        cells = "".join(
            f" |{all_covered(ended.estimates, 1.0):7.1%}{ended.blocks.mean():4.0f}"
            for ended in (
                stop_at_looks(times, confidence, target),
                stop_at_any_block(times, confidence, target, blocks_needed(confidence)),
            )
        )
        print(f"{name:8}{compared:9}{target:7.0%}{cells}", flush=True)


def print_pooling(runs: int = 2000) -> None:
    print("\none serial arm or two as the baseline of an identical arm: coverage at 95 %,")
    print("half-width, median estimate")
    print(f"{'machine':8}{'blocks':>7}" + f" |{'cover':>7}{'width':>8}{'estimate':>9}" * 2)
    for name, blocks in product(MACHINES, (12, 20, 40, 60)):
        times = run_times(MACHINES[name], (1.0, 1.0, 1.0), runs=runs, blocks=blocks, seed=3)
        print(f"{name:8}{blocks:7}" + "".join(
            f" |{covered(found, 1.0):7.1%}{median_width(found):8.2%}"
            f"{np.median([each.estimate for each in found]):9.4f}"
            for found in (ratios(times, 0.95, arm=2), pooled_ratios(times, 0.95))
        ), flush=True)  # fmt: skip


def print_power(runs: int = 2000) -> None:
    print("\nshare of runs in which a true speedup is said to win, margin 5 %")
    print(f"{'noise':>6}{'spikes':>7}{'compared':>9}{'blocks':>7}"
          f"{'1.07':>8}{'1.10':>8}{'1.20':>8}{'width':>8}")  # fmt: skip
    for noise in (0.01, 0.02, 0.03, 0.05):
        for spikes in (0.0, 0.1):
            machine = Machine(noise=noise, trend=0.3, walk=0.1, order=0.02, spikes=spikes)
            for compared in (1, 12):
                for blocks in (20, 40):
                    found = {
                        truth: ratios(
                            run_times(machine, (1.0, truth), runs=runs, blocks=blocks, seed=1),
                            corrected_confidence(0.95, compared),
                        )
                        for truth in (1.07, 1.10, 1.20)
                    }
                    print(f"{noise:6.0%}{spikes:7.0%}{compared:9}{blocks:7}"
                          + "".join(f"{called(each, ['wins']):8.1%}" for each in found.values())
                          + f"{median_width(found[1.10]):8.2%}")  # fmt: skip


def print_launches(runs: int = 2000) -> None:
    print("\nluck that lasts for a launch, as a share of the arm's time: coverage at 95 %")
    print(f"{'machine':8}{'blocks':>7}{'luck':>7}"
          + "".join(f"{n:>4} launches" for n in (3, 5, 10)))  # fmt: skip
    for name, blocks in product(("quiet", "busy"), (20, 40)):
        for launch in (0.0, 0.0025, 0.005, 0.01, 0.02):
            cells = ""
            for launches in (3, 5, 10):
                machine = replace(MACHINES[name], launch=launch, launches=launches)
                times = run_times(machine, (1.0, 1.0), runs=runs, blocks=blocks, seed=launches)
                cells += f"{covered(ratios(times, 0.95), 1.0):13.1%}"
            print(f"{name:8}{blocks:7}{launch:7.2%}{cells}")


def print_null(runs: int = 500) -> None:
    tolerances = (0.0, 0.01, 0.02)
    print("\nruns in which the second serial arm is said to differ, noise 0.3 %, four comparisons,")
    print("where its interval has to come so near to 1.00")
    print(f"{'launches':>9}{'blocks':>7}{'luck':>7}" + "".join(f"{t:9.0%}" for t in tolerances))
    for (launches, blocks), launch in product(((3, 15), (3, 60), (5, 300)), (0.0025, 0.005, 0.01)):
        machine = Machine(noise=0.003, launch=launch, launches=launches)
        times = run_times(machine, (1.0, 1.0), runs=runs, blocks=blocks, seed=23)
        nulls = ratios(times, corrected_confidence(0.95, 4))
        print(f"{launches:9}{blocks:7}{launch:7.2%}" + "".join(
            f"{sum(not null_ok(null, each) for null in nulls) / runs:9.1%}" for each in tolerances
        ))  # fmt: skip


if __name__ == "__main__":
    print_power()
    print_launches()
    print_null()
    print_pooling()
    print_rivals()
    print_stopping()
