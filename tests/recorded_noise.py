"""What real machines did, block by block, and what gillab's intervals would have said of it.

`python tests/recorded_noise.py` prints the figures for every recording in `noise/`. The true
ratios are not known. But every second block of a stretch is as good as the others of it, so the
two halves must agree; and a whole recording knows more than any stretch of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gillab.estimates import Estimate
from gillab.statistics import (
    Verdict,
    _rank_sums_left_out,
    confidence_at,
    corrected_confidence,
    looks,
    pool_baselines,
    verdict,
)

Floats = NDArray[np.float64]

FOLDER = Path(__file__).parent / "noise"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
BLOCKS = (9, 12, 15, 20, 30, 40, 60)
CONFIDENCE = 0.95
STRATEGIES = ("threads", "interpreters", "processes")
HELD = (("countdown_python", "threads/2"), ("countdown_held", "threads/2"))
"""What holds the GIL: decided by the lock's share, before its times decide."""
NULL = "null/1"
_OPPOSED = {
    frozenset(pair)
    for pair in (("wins", "same"), ("wins", "loses"), ("wins", "no_gain"), ("same", "loses"))
}


@dataclass(frozen=True, slots=True)
class Run:
    """One workload: its log-ratios as (block, arm), the second serial arm's last."""

    workload: str
    seconds: Mapping[str, Sequence[float]]  # a task, one value a block
    cells: Sequence[str]
    logs: Floats

    def confidence(self, blocks: int) -> float:
        """Confidence for one arm where a run of this workload alone ends here."""
        corrected = corrected_confidence(CONFIDENCE, len(self.cells) + 1)
        return confidence_at(corrected, blocks, last=True)


class Intervals(NamedTuple):
    """``ratio`` of many stretches at once, in logarithms: each as (stretch, arm)."""

    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all stretches of a recording: shares, from 0 to 1."""

    stretches: int
    covered: float  # both halves of a stretch agree on all arms together
    contradicted: float  # a verdict is the opposite of the whole recording's
    decided: float  # cells that are not inconclusive
    covered_later: float  # the wider interval holds the whole recording's estimate, a cell
    half_width: float  # median, in logarithms


@dataclass(frozen=True, slots=True)
class Replay:
    """Of all runs that stop as soon as all is decided: shares, and blocks."""

    runs: int
    blocks: float  # mean, until the last verdict
    decided: float
    contradicted: float


@cache
def load(name: str) -> tuple[Run, ...]:
    recording = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    runs = []
    for run in recording["runs"]:
        columns = zip(*run["microseconds"], strict=True)
        seconds = {
            arm: [time / 1e6 for time in column]
            for arm, column in zip(run["arms"], columns, strict=True)
        }
        cells = [arm for arm in seconds if arm.startswith(STRATEGIES)]
        baseline = np.log(pool_baselines(seconds["serial/1"], seconds[NULL]))
        logs = [baseline - np.log(seconds[cell]) for cell in cells]
        null = np.log(seconds["serial/1"]) - np.log(seconds[NULL])
        runs.append(Run(run["workload"], seconds, cells, np.stack([*logs, null], axis=1)))
    return tuple(runs)


def stretches(logs: Floats, blocks: int, step: int = 1) -> Floats:
    """All runs of so many blocks, or of every ``step``-th, as (stretch, arm, block)."""
    windows = np.lib.stride_tricks.sliding_window_view(logs, (blocks - 1) * step + 1, axis=0)
    return windows[..., ::step]


def find_intervals(times: Floats, confidence: float) -> Intervals:
    """Find what ``ratio`` does, which takes one stretch at a time and is too slow for thousands."""
    blocks = times.shape[-1]
    one, other = np.triu_indices(blocks)
    left_out = _rank_sums_left_out(blocks, confidence)
    assert left_out is not None, "too few blocks for an interval"
    averages = (times[..., one] + times[..., other]) / 2
    averages.sort(axis=-1)
    return Intervals(
        np.median(averages, axis=-1), averages[..., left_out], averages[..., -1 - left_out]
    )


def widen(found: Intervals, times: Floats) -> Intervals:
    """Widen as ``ratio_later`` does."""
    ranks = times.argsort(axis=-1).argsort(axis=-1) - (times.shape[-1] - 1) / 2
    likeness = (ranks[..., 1:] * ranks[..., :-1]).sum(axis=-1) / (ranks**2).sum(axis=-1)
    likeness = likeness.clip(0.15, 0.9)
    wider = np.sqrt((1 + likeness) / (1 - likeness))
    middle, low, high = found
    return Intervals(middle, middle - wider * (middle - low), middle + wider * (high - middle))


@cache
def whole(name: str) -> tuple[Intervals, ...]:
    """Find what each run of the recording says of its cells as a whole."""
    return tuple(
        find_intervals(
            run.logs[:, :-1].T[None], corrected_confidence(CONFIDENCE, run.logs.shape[1])
        )
        for run in load(name)
    )


def judged(found: Intervals) -> list[list[Verdict]]:
    return [
        [
            verdict(Estimate(math.exp(middle), math.exp(low), math.exp(high)))
            for middle, low, high in zip(*stretch, strict=True)
        ]
        for stretch in zip(*(part.tolist() for part in found), strict=True)
    ]


def agree(one: Intervals, other: Intervals) -> NDArray[np.bool_]:
    """Whether independent estimates are as near as their intervals say.

    Calibrated: where either interval holds the truth with a confidence, they agree with the same.
    """
    upwards = one.middle < other.middle
    first = np.where(upwards, one.high - one.middle, one.middle - one.low)
    second = np.where(upwards, other.middle - other.low, other.high - other.middle)
    return np.abs(one.middle - other.middle) <= np.hypot(first, second)


def contradicts(one: Verdict, other: Verdict) -> bool:
    return frozenset((one, other)) in _OPPOSED


def judge(name: str, blocks: int) -> Figures:
    """Try every run that ends after so many blocks."""
    covered: list[bool] = []
    contradicted, decided, later, widths = [], [], [], []
    for run, truth in zip(load(name), whole(name), strict=True):
        confidence = run.confidence(blocks)
        halves = find_intervals(stretches(run.logs, blocks, step=2), confidence)
        even = Intervals(*(part[:-1] for part in halves))
        odd = Intervals(*(part[1:] for part in halves))
        covered += [bool(each.all()) for each in agree(even, odd)]

        times = stretches(run.logs[:, :-1], blocks)[::2]
        found = find_intervals(times, confidence)
        after = widen(found, times)
        (true,) = judged(truth)
        for said in judged(found):
            contradicted.append(any(map(contradicts, said, true)))
            decided += [each != "inconclusive" for each in said]
        later.append(((after.low <= truth.middle) & (truth.middle <= after.high)).mean())
        widths.append(np.median(found.high - found.low) / 2)
    return Figures(
        len(covered),
        fmean(covered),
        fmean(contradicted),
        fmean(decided),
        fmean(later),
        fmean(widths),
    )


def replay(
    name: str, most_blocks: int, comparisons: int, *, given: Sequence[tuple[str, str]] = ()
) -> Replay:
    """Run both workloads side by side, and end when every verdict is there or at the last block.

    A verdict that is there stays. Those of ``given`` need not be found.
    """
    runs = load(name)
    each = corrected_confidence(CONFIDENCE, comparisons)
    stops = [*takewhile(lambda look: look < most_blocks, looks()), most_blocks]
    starts = range(0, min(len(run.logs) for run in runs) - most_blocks + 1, 4)
    ended = dict.fromkeys(starts, 0)
    wrong = dict.fromkeys(starts, False)
    decided = []
    for run, truth in zip(runs, whole(name), strict=True):
        open_cells = [cell for cell in run.cells if (run.workload, cell) not in given]
        columns = [run.cells.index(cell) for cell in open_cells]
        true = [judged(truth)[0][column] for column in columns]
        said: dict[tuple[int, int], Verdict] = {}
        for blocks in stops:
            confidence = confidence_at(each, blocks, last=blocks == most_blocks)
            times = stretches(run.logs[:, columns], blocks)[starts]
            for start, verdicts in zip(
                starts, judged(find_intervals(times, confidence)), strict=True
            ):
                for place, found in enumerate(verdicts):
                    if said.get((start, place), "inconclusive") == "inconclusive":
                        said[start, place] = found
                        ended[start] = max(ended[start], blocks)
        decided += [found != "inconclusive" for found in said.values()]
        for (start, place), found in said.items():
            wrong[start] |= contradicts(found, true[place])
    return Replay(len(ended), fmean(ended.values()), fmean(decided), fmean(wrong.values()))


def print_figures() -> None:
    print("runs that end after so many blocks; all arms of a workload together at 95 %")
    print(f"{'recording':22}{'blocks':>7}{'stretches':>10}{'covered':>9}{'contradicted':>13}"
          f"{'decided':>9}{'half-width':>11}{'later':>7}")  # fmt: skip
    for name in NAMES:
        for blocks in BLOCKS:
            found = judge(name, blocks)
            print(f"{name:22}{blocks:7}{found.stretches:10}{found.covered:9.1%}"
                  f"{found.contradicted:13.1%}{found.decided:9.0%}{found.half_width:11.3f}"
                  f"{found.covered_later:7.0%}", flush=True)  # fmt: skip


def print_replays() -> None:
    print("\nruns of three workloads' comparisons that stop when all is decided, at most so many")
    print("blocks; threads that hold the GIL left out on the right")
    print(
        f"{'recording':22}{'at most':>8}" + f" |{'blocks':>7}{'decided':>9}{'contradicted':>13}" * 2
    )
    for most_blocks in (27, 62):
        for name in NAMES:
            comparisons = 3 * load(name)[0].logs.shape[1]
            row = "".join(
                f" |{found.blocks:7.1f}{found.decided:9.1%}{found.contradicted:13.1%}"
                for given in ((), HELD)
                for found in [replay(name, most_blocks, comparisons, given=given)]
            )
            print(f"{name:22}{most_blocks:8}{row}", flush=True)


if __name__ == "__main__":
    print_figures()
    print_replays()
