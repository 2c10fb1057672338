"""Pure functions: the times of paired blocks in, estimates, intervals and verdicts out.

Nothing here reads a clock or draws a random number. Every interval is the exact one for a
median, from order statistics: it asks of the blocks that they are independent, not how their
noise is distributed (H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd edition, section
7.1; M. Hollander, D. A. Wolfe and E. Chicken, *Nonparametric Statistical Methods*, 3rd edition,
section 3.6). What an arm owes to the luck of a launch is shared by its blocks and so lies
outside the interval: from half a percent on, more launches are needed, not more blocks.

The figures that this choice and the run's defaults rest on: `python tests/simulation.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import count
from statistics import median
from typing import Literal

from gillab.errors import UsageError
from gillab.results import Estimate, Spread

Verdict = Literal["wins", "loses", "same", "inconclusive"]
MARGIN = 0.05
"""The least difference that matters."""


def describe(seconds: Sequence[float]) -> Spread:
    """Median, median absolute deviation from it (not scaled to a normal's) and minimum, in s.

    ValueError where there is nothing to describe.
    """
    if not seconds:
        raise ValueError("no times to describe: measure at least one block")
    middle = median(seconds)
    return Spread(middle, median(abs(each - middle) for each in seconds), min(seconds))


def median_interval(values: Sequence[float], confidence: float) -> Estimate:
    """Median of ``values`` between the narrowest symmetric order statistics that cover it.

    The interval runs from the k-th smallest to the k-th largest value, with the largest k whose
    coverage, a binomial sum, is at least ``confidence``. With fewer values than
    ``blocks_needed(confidence)`` not even the range covers enough: no interval.
    In the unit of ``values``. ValueError where ``values`` is empty, UsageError for an impossible
    confidence.
    """
    if not values:
        raise ValueError("no values to take a median of: measure at least one block")
    ordered = sorted(values)
    left_out = _left_out(len(ordered), confidence)
    if left_out is None:
        return Estimate(median(ordered), None, None)
    return Estimate(median(ordered), ordered[left_out], ordered[-1 - left_out])


def ratio(baseline: Sequence[float], arm: Sequence[float], confidence: float) -> Estimate:
    """How many times faster ``arm`` is than ``baseline``: their ratio inside each block.

    exp of the median of ln(baseline / arm) and of its interval. Both hold seconds, one value a
    block, in the same order of blocks. Exchanging the two gives the reciprocal. ValueError where
    the blocks do not pair up or a time is not positive.
    """
    return _exponential(median_interval(_log_ratios(baseline, arm), confidence))


def ratio_of_ratios(
    baseline: Sequence[float],
    arm: Sequence[float],
    ceiling_baseline: Sequence[float],
    ceiling_arm: Sequence[float],
    confidence: float,
) -> Estimate:
    """Give the arm's speedup as a share of the ceiling's, 1.0 where it reaches it.

    exp of the median, and of its interval, of ln(baseline / arm) less ln(ceiling_baseline /
    ceiling_arm) in each block. Derived inside the block and not from two finished estimates, so
    that what slows all four arms cancels, and the interval is exact here too. Units and errors as
    for ``ratio``.
    """
    speedups = _log_ratios(baseline, arm)
    ceilings = _log_ratios(ceiling_baseline, ceiling_arm)
    shares = [ours - most for ours, most in zip(speedups, ceilings, strict=True)]
    return _exponential(median_interval(shares, confidence))


def corrected_confidence(confidence: float, comparisons: int) -> float:
    """Confidence for each of several intervals, that all may hold together with ``confidence``.

    Bonferroni's correction, which holds however the comparisons depend on each other: here they
    share a baseline. UsageError for an impossible confidence, ValueError without a comparison.
    """
    if comparisons < 1:
        raise ValueError(f"there must be at least one comparison, not {comparisons}")
    return 1 - (1 - _checked(confidence)) / comparisons


def blocks_needed(confidence: float) -> int:
    """Fewest blocks for which there is an interval, from the fastest to the slowest of them.

    6 for 0.95, 8 for 0.99. UsageError for an impossible confidence.
    """
    return next(blocks for blocks in count(1) if _left_out(blocks, confidence) is not None)


def relative_half_width(estimate: Estimate) -> float:
    """Half the width of a ratio's interval in logarithms: 0.02 reads "give or take 2 %".

    The same for a ratio and its reciprocal. Infinite where there is no interval.
    """
    if estimate.low is None or estimate.high is None:
        return math.inf
    return (math.log(estimate.high) - math.log(estimate.low)) / 2


def verdict(estimate: Estimate, margin: float = MARGIN) -> Verdict:
    """Say what a speedup's interval allows, with ``margin`` as the least that matters.

    Wins or loses where the whole interval lies beyond the margin, the same where all of it lies
    within, inconclusive where it straddles the edge or there is none. The margin is a factor
    both ways (1.05 and 1 / 1.05), so exchanging the arms turns wins into loses and nothing else.
    UsageError for a negative margin.
    """
    if not margin >= 0:
        raise UsageError(f"a margin is a fraction from 0 up, such as 0.05, not {margin}")
    if estimate.low is None or estimate.high is None:
        return "inconclusive"
    most, least = 1 + margin, 1 / (1 + margin)
    if estimate.low > most:
        return "wins"
    if estimate.high < least:
        return "loses"
    if least <= estimate.low and estimate.high <= most:
        return "same"
    return "inconclusive"


def null_ok(null: Estimate, tolerance: float = 0.02) -> bool:
    """Whether the second serial arm may be as fast as the first.

    Not where its whole interval lies further from 1.00 than ``tolerance``, a factor both ways.
    That 1.00 itself is covered is too much to ask: the luck of a launch, of half a percent or
    one, lies outside the interval, so that a sound machine would be called busy the more often
    the longer one measures. A bias as small as that does not move a verdict whose margin is 5 %.
    Without an interval nothing has been shown, so nothing has failed: True. No harm follows,
    since the other arms have the same blocks, hence no intervals either, and stay inconclusive.
    Ask for the corrected confidence here as well: at a plain 0.95 a sound machine would be
    called busy in one run of twenty.
    """
    if null.low is None or null.high is None:
        return True
    return null.low <= 1 + tolerance and null.high >= 1 / (1 + tolerance)


def ceiling_ok(ceiling: Estimate, workers: int, usable_cpus: float) -> bool:
    """Whether the machine gave at least 0.8 of the workers that fit on its usable CPUs.

    Decided on the estimate, not on the interval: what is asked is how much machine there was
    during this run, not how much there is in general.
    """
    return ceiling.estimate >= 0.8 * min(workers, usable_cpus)


def _log_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    if len(numerators) != len(denominators):
        raise ValueError(
            f"{len(numerators)} blocks cannot be paired with {len(denominators)}: "
            "keep only the blocks in which both arms ran"
        )
    # A difference of logarithms changes nothing but its sign when the two are exchanged; the
    # logarithm of a quotient would also be rounded anew.
    return [_log(top) - _log(bottom) for top, bottom in zip(numerators, denominators, strict=True)]


def _log(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise ValueError(f"a time must be positive and finite to be compared, not {seconds} s")
    return math.log(seconds)


def _exponential(estimate: Estimate) -> Estimate:
    if estimate.low is None or estimate.high is None:
        return Estimate(math.exp(estimate.estimate), None, None)
    return Estimate(*map(math.exp, (estimate.estimate, estimate.low, estimate.high)))


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is a fraction between 0 and 1, such as 0.95: {confidence}")
    return confidence


# Looked up after every block for every arm, and again for every run of a simulation.
@cache
def _left_out(values: int, confidence: float) -> int | None:
    """How many values to drop at either end for the narrowest interval that still covers.

    The median lies outside where as few as the dropped ones fall on one side of it, each with a
    chance of one half. Summed in whole numbers and rounded once. None where nothing may be
    dropped and even the range covers too little.
    """
    _checked(confidence)
    most_allowed = None
    outside = 0
    for dropped in range((values + 1) // 2):
        outside += 2 * math.comb(values, dropped)
        if 1 - outside / 2**values < confidence:
            break
        most_allowed = dropped
    return most_allowed
