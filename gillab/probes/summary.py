"""Combines the rounds: quantiles of the delays with intervals, and the rate of the echo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from gillab.estimates import Estimate
from gillab.probes.measure import Measured, Plan, Round, find_fate
from gillab.probes.messages import Condition, Delays
from gillab.results import Cell
from gillab.statistics import median_interval


@dataclass(frozen=True, slots=True)
class Felt:
    """What one probe felt in one condition; times in seconds."""

    condition: Condition
    p50: Estimate
    p99: Estimate
    longest_s: float
    rate: Estimate
    """Delays noted a second: of the echo, requests answered a second."""
    count: int


def summarize_delays(delays: Sequence[Delays], confidence: float) -> Felt:
    """Combine the rounds of one condition.

    A quantile is that of all rounds' delays together, each round counted alike. Its interval is by
    rounds: the delays of a round resemble each other, so its own quantile counts as one value. The
    interval is that of their median (`gillab.statistics.median_interval`, order statistics),
    widened where needed until the pooled quantile lies in it. ValueError if there is no round.
    """
    return Felt(
        condition=delays[0].condition,
        p50=_estimate(delays, 0.5, confidence),
        p99=_estimate(delays, 0.99, confidence),
        longest_s=max(each.delays_s[-1] for each in delays),
        rate=median_interval([each.rate for each in delays], confidence),
        count=sum(each.count for each in delays),
    )


def _estimate(delays: Sequence[Delays], fraction: float, confidence: float) -> Estimate:
    pooled = find_quantile(delays, fraction)
    rounds = median_interval([find_quantile([each], fraction) for each in delays], confidence)
    if rounds.low is None or rounds.high is None:
        return Estimate(pooled, None, None)
    return Estimate(pooled, min(pooled, rounds.low), max(pooled, rounds.high))


def find_quantile(delays: Sequence[Delays], fraction: float) -> float:
    """Return the least delay such that this fraction of all delays is not above it.

    Each round counts alike, so that one in which the echo was quick does not outvote the others.
    """
    if len(delays) == 1:
        kept = delays[0].delays_s
        return kept[max(0, math.ceil(fraction * len(kept)) - 1)]
    weighed = sorted((delay, 1 / len(each.delays_s)) for each in delays for delay in each.delays_s)
    # A little less, so that rounding does not skip the one that fits exactly.
    target = fraction * len(delays) * (1 - 1e-9)
    total = 0.0
    for delay, weight in weighed:
        total += weight
        if total >= target:
            return delay
    return weighed[-1][0]


def summarize_rounds(rounds: Sequence[Round], confidence: float) -> dict[Condition, Felt]:
    """Combine the rounds of each condition that has any."""
    found: dict[Condition, list[Delays]] = {}
    for each in rounds:
        for delays in each.delays:
            found.setdefault(delays.condition, []).append(delays)
    return {condition: summarize_delays(delays, confidence) for condition, delays in found.items()}


def find_call_s(rounds: Sequence[Round]) -> float | None:
    """Return how long one call of the workload takes, alone: the median over rounds."""
    return median(each.call_s for each in rounds) if rounds else None


def list_cells(plan: Plan, measured: Measured, python: str) -> list[Cell]:
    """Return a cell for each number of threads and of processes, ``threads/0`` the probes alone."""
    cells = []
    for condition in {each.arm: each for each in plan.conditions}.values():
        of = [r for r in measured.rounds if any(d.condition.arm == condition.arm for d in r.delays)]
        status, reason = find_fate(measured, condition.arm, noted=bool(of))
        cells.append(
            Cell(
                plan.workload.name,
                condition.where,
                condition.busy,
                python,
                status,
                reason,
                blocks=len(of),
            )
        )
    return cells


def list_blocks(workload: str, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return a block for each round.

    ``seconds`` holds for each arm the median delay of its first condition, as pyperf's tools show
    it; ``delays`` holds every condition with its delays.
    """
    blocks = []
    for number, each in enumerate(rounds):
        seconds: dict[str, float] = {}
        for delays in sorted(each.delays, key=lambda delays: _rank(delays.condition)):
            seconds.setdefault(delays.condition.arm, find_quantile([delays], 0.5))
        blocks.append(
            {
                "workload": workload,
                "launch": number,
                "seconds": seconds,
                "call_s": each.call_s,
                "noise": each.noise,
                "delays": [asdict(delays) for delays in each.delays],
            }
        )
    return blocks


def _rank(condition: Condition) -> tuple[str, float]:
    return condition.probe, -condition.switch_interval_s
