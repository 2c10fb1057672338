"""Pure functions that turn the times of paired blocks into estimates, intervals and verdicts.

Nothing here reads a clock or draws a random number.

A speedup is the Hodges-Lehmann estimate, the median of the averages of every two blocks, with the
exact interval of Wilcoxon's signed ranks (M. Hollander, D. A. Wolfe and E. Chicken, *Nonparametric
Statistical Methods*, 3rd edition, sections 3.2 and 3.3). The interval assumes that the blocks are
independent, and that the log-ratios are symmetric about the true one. They are symmetric if a
machine disturbs both arms alike. The interval of the median assumes less, but with it a run on
recorded noise takes up to two thirds more blocks until all is decided.

``ratio`` answers for *this machine during this run*: its interval says what more blocks of the same
minutes would have given. ``ratio_later`` answers for *the minutes after*: the speed that a machine
gives to two workers drifts, so this interval is wider if one block resembles the next. It still
cannot cover a state of the machine that did not occur during the run. Neither interval covers
effects that last for a whole launch (memory layout, caches), since all blocks of a launch share
them. For a precision of half a percent or finer, a run needs more launches, not more blocks.

A run may stop as soon as all is decided, but it may look at the verdicts only at fixed numbers of
blocks: see ``looks`` and ``confidence_at``.

Two scripts print the figures behind these choices and the run's defaults.
`python tests/simulation.py` uses machines whose true ratios are known, and
`python tests/recorded_noise.py` the recorded times of real ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count, pairwise, takewhile
from operator import add
from statistics import NormalDist, fmean, median
from typing import Literal

from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread

Verdict = Literal["wins", "loses", "same", "no_gain", "inconclusive"]
MARGIN = 0.05
"""The least difference that matters."""
FIRST_LOOK = 12
"""The number of blocks of an arm after which gillab first looks at its verdict."""
_LOOK_GROWTH = 1.5
_LEAST_CORRELATION = 0.15
"""Assume at least this correlation of one block with the next, since too few blocks may show less.
Recorded: 0.17 to 0.29."""
_MOST_CORRELATION = 0.9
_MOST_COUNTED = 100
"""The most blocks for which rank sums are counted. For more blocks the normal curve is used, which
is a little too wide."""


def describe(seconds: Sequence[float]) -> Spread:
    """Median, median absolute deviation from it (not scaled to a normal's) and minimum, in s.

    ValueError if there is nothing to describe.
    """
    if not seconds:
        raise ValueError("no times to describe: measure at least one block")
    middle = median(seconds)
    return Spread(middle, median(abs(each - middle) for each in seconds), min(seconds))


def median_interval(values: Sequence[float], confidence: float) -> Estimate:
    """Median of ``values``, with the narrowest interval of symmetric order statistics around it.

    The interval runs from the k-th smallest to the k-th largest value, with the largest k whose
    coverage, a binomial sum, is at least ``confidence``. With fewer values than
    ``blocks_needed(confidence)`` even the whole range covers too little, and there is no interval.
    The result has the unit of ``values``. ValueError if ``values`` is empty, UsageError for an
    impossible confidence.
    """
    if not values:
        raise ValueError("no values to take a median of: measure at least one block")
    ordered = sorted(values)
    left_out = _left_out(len(ordered), confidence)
    if left_out is None:
        return Estimate(median(ordered), None, None)
    return Estimate(median(ordered), ordered[left_out], ordered[-1 - left_out])


def signed_rank_interval(values: Sequence[float], confidence: float) -> Estimate:
    """Middle of ``values`` by Hodges and Lehmann, with the interval of Wilcoxon's signed ranks.

    The estimate is the median of the averages of every two values; each value is also paired with
    itself. The interval runs from the k-th smallest to the k-th largest average, with the largest k
    whose coverage is at least ``confidence``. The coverage is exact up to 100 values; from there on
    it comes from the normal curve. As in ``median_interval``, there is an interval from
    ``blocks_needed(confidence)`` values on, and the unit and the errors are the same. The time
    grows with the square of the number of values: 0.4 ms for 60, 0.2 s for 1000.
    """
    if not values:
        raise ValueError("no values to take the middle of: measure at least one block")
    ordered = sorted(values)
    averages = sorted((one + other) / 2 for i, one in enumerate(ordered) for other in ordered[i:])
    left_out = _rank_sums_left_out(len(ordered), confidence)
    if left_out is None:
        return Estimate(median(averages), None, None)
    return Estimate(median(averages), averages[left_out], averages[-1 - left_out])


def pool_baselines(*arms: Sequence[float]) -> list[float]:
    """Make one baseline of several serial arms: their geometric mean in each block.

    On recorded noise this narrows an interval by 4 to 15 %. But if only some times are much too
    long, it makes an error: the mean of two arms is too long more often than a single arm, though
    by less. An identical arm then looks faster, by 0.3 % on a busy machine, and by 1 % if a fifth
    of all times is too long. Takes and returns seconds, one value for each block. ValueError as for
    ``ratio``.
    """
    if not arms:
        raise ValueError("no serial arm to make a baseline of")
    logs = [[_log(seconds) for seconds in arm] for arm in arms]
    return [math.exp(fmean(block)) for block in zip(*logs, strict=True)]


def ratio(baseline: Sequence[float], arm: Sequence[float], confidence: float) -> Estimate:
    """How many times faster ``arm`` is than ``baseline`` on this machine during this run.

    This is exp of the signed-rank estimate and interval of ln(baseline / arm) in each block. Both
    hold seconds, one value for each block, in the same order of blocks; for several serial arms,
    see ``pool_baselines``. Exchanging the two gives the reciprocal. ValueError if the blocks do not
    pair up or a time is not positive.
    """
    return _exponential(signed_rank_interval(_log_ratios(baseline, arm), confidence))


def ratio_later(baseline: Sequence[float], arm: Sequence[float], confidence: float) -> Estimate:
    """How many times faster ``arm`` is likely to be in the minutes after this run.

    This is ``ratio`` with a wider interval. In logarithms, either side is wider by a factor, the
    root of (1 + r) / (1 - r): the more each block resembles the one before, the less is known
    (G. E. P. Box, G. M. Jenkins and others, *Time Series Analysis*, on the variance of a mean). r
    is the correlation between the rank of a block and that of the next, and at least 0.15. So the
    blocks must be in the order in which they were measured. Units and errors as for ``ratio``.
    """
    logs = _log_ratios(baseline, arm)
    now = signed_rank_interval(logs, confidence)
    if now.low is None or now.high is None:
        return _exponential(now)
    likeness = min(max(_LEAST_CORRELATION, rank_correlation(logs)), _MOST_CORRELATION)
    wider = math.sqrt((1 + likeness) / (1 - likeness))
    middle = now.estimate
    return _exponential(
        Estimate(middle, middle - wider * (middle - now.low), middle + wider * (now.high - middle))
    )


def ratio_of_ratios(
    baseline: Sequence[float],
    arm: Sequence[float],
    ceiling_baseline: Sequence[float],
    ceiling_arm: Sequence[float],
    confidence: float,
) -> Estimate:
    """Give the arm's speedup as a share of the ceiling's: 1.0 if it reaches the ceiling.

    This is exp of the signed-rank estimate and interval of ln(baseline / arm) minus
    ln(ceiling_baseline / ceiling_arm) in each block. The share is computed in each block, and not
    from two finished estimates. So a disturbance that slows all four arms cancels out, and the
    interval is exact here too. Units and errors as for ``ratio``.
    """
    speedups = _log_ratios(baseline, arm)
    ceilings = _log_ratios(ceiling_baseline, ceiling_arm)
    shares = [ours - most for ours, most in zip(speedups, ceilings, strict=True)]
    return _exponential(signed_rank_interval(shares, confidence))


def ratio_of_independent(new: Estimate, old: Estimate) -> Estimate:
    """Return how many times as large a ratio of one run is as that of another run.

    Its interval comes from the intervals of both, in logarithms: on either side, the distances from
    their estimates are added as squares, each the one that counts on that side (MOVER: G. Y. Zou
    and A. Donner, "Construction of confidence limits about effect measures: a general approach",
    *Statistics in Medicine* 27, 2008). Nothing is paired: what was the same in both runs does not
    cancel out. There is no interval where one has none, or reaches 0.
    """
    middle = new.estimate / old.estimate
    if not new.low or not old.low or new.high is None or old.high is None:
        return Estimate(middle, None, None)

    def add_squares(one: float, other: float) -> float:
        return math.exp(math.hypot(math.log(one), math.log(other)))

    below = add_squares(new.estimate / new.low, old.high / old.estimate)
    above = add_squares(new.high / new.estimate, old.estimate / old.low)
    return Estimate(middle, middle / below, middle * above)


def corrected_confidence(confidence: float, comparisons: int) -> float:
    """Confidence that each interval needs, so that all hold together with ``confidence``.

    This is Bonferroni's correction. It is valid however the comparisons depend on each other: here
    they share a baseline. UsageError for an impossible confidence, ValueError if there is no
    comparison.
    """
    if comparisons < 1:
        raise ValueError(f"there must be at least one comparison, not {comparisons}")
    return 1 - (1 - _checked(confidence)) / comparisons


def looks() -> Iterator[int]:
    """Blocks after which a run may ask for verdicts and stop: 12, 18, 27, 41, 62, 93 and so on.

    Each is half as many again as the one before. They are fixed beforehand, so that no measured
    time decides when the run looks.
    """
    blocks = FIRST_LOOK
    while True:
        yield blocks
        blocks = math.ceil(blocks * _LOOK_GROWTH)


def next_look(blocks: int) -> int:
    """Return the first look after so many blocks."""
    return next(look for look in looks() if look > blocks)


def is_look(blocks: int) -> bool:
    """Whether a run may ask for verdicts, and stop, after so many blocks of an arm."""
    return next(look for look in looks() if look >= blocks) == blocks


def confidence_at(confidence: float, blocks: int, *, last: bool) -> float:
    """Confidence to ask for after so many blocks, so that all looks together keep ``confidence``.

    The j-th look may spend 1 / (j (j + 1)) of the error: a half, a sixth, a twelfth and so on,
    together never more than all of it. ``last`` is for a run that ends here whatever the verdicts
    are (its time is up, it has the most blocks, it was interrupted): it spends what is left, 1 / j.
    So a run pays only for the looks that it took (K. K. G. Lan and D. L. DeMets, "Discrete
    sequential boundaries for clinical trials", *Biometrika* 70, 1983; the errors are added up as in
    Bonferroni's correction). With ``last``, ``blocks`` may be any number; otherwise call this only
    if ``is_look(blocks)``. A run ends at a look only if all its verdicts are decided there.
    UsageError for an impossible confidence.
    """
    before = sum(1 for _ in takewhile(lambda look: look < blocks, looks()))
    share = 1 / (before + 1) if last else 1 / ((before + 1) * (before + 2))
    return 1 - (1 - _checked(confidence)) * share


def rank_correlation(values: Sequence[float]) -> float:
    """How much each value resembles the one before it: the correlation of their ranks.

    It is from -1 to 1, and 0 if all values are equal. Equal values get the mean of their ranks.
    """
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    after = {value: place for place, value in enumerate(ordered)}
    middle = (len(values) - 1) / 2
    ranks = [(first[value] + after[value]) / 2 - middle for value in values]
    spread = sum(rank * rank for rank in ranks)
    return sum(one * other for one, other in pairwise(ranks)) / spread if spread else 0.0


def blocks_needed(confidence: float) -> int:
    """Fewest blocks for which there is an interval. It then runs from the lowest to the highest.

    It is 6 for 0.95 and 8 for 0.99. UsageError for an impossible confidence.
    """
    return next(blocks for blocks in count(1) if _left_out(blocks, confidence) is not None)


def relative_half_width(estimate: Estimate) -> float:
    """Half the width of a ratio's interval in logarithms: 0.02 means "give or take 2 %".

    It is the same for a ratio and its reciprocal, and infinite if there is no interval.
    """
    if estimate.low is None or estimate.high is None:
        return math.inf
    return (math.log(estimate.high) - math.log(estimate.low)) / 2


def verdict(estimate: Estimate, margin: float = MARGIN) -> Verdict:
    """Return the verdict of a speedup's interval; ``margin`` is the least difference that matters.

    ``wins`` or ``loses`` if the whole interval lies beyond the margin, ``same`` if all of it lies
    within. ``no_gain`` if only its high end lies within: the arm may be the same or slower, but it
    does not help. ``inconclusive`` if the arm may help or not, or if there is no interval. The
    margin is a factor both ways (1.05 and 1 / 1.05). So if the arms are exchanged, ``wins`` becomes
    ``loses``, and ``same`` stays. UsageError for a negative margin.
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
    return "no_gain" if estimate.high <= most else "inconclusive"


def null_ok(null: Estimate, tolerance: float = 0.02) -> bool:
    """Whether the second serial arm may be as fast as the first.

    False if the whole interval lies further from 1.00 than ``tolerance``, a factor both ways. The
    interval need not cover 1.00 itself, because it does not include the effects of a launch, which
    are half a percent or one percent. If it had to cover 1.00, longer runs would more often call a
    sound machine busy. So small a bias does not change a verdict whose margin is 5 %.

    True if there is no interval: nothing has been shown, so nothing has failed. That does no harm:
    the other arms have the same blocks, so they have no intervals either and stay inconclusive. Use
    the corrected confidence here as well: at a plain 0.95, a sound machine would be called busy in
    one run of twenty.
    """
    if null.low is None or null.high is None:
        return True
    return null.low <= 1 + tolerance and null.high >= 1 / (1 + tolerance)


def ceiling_ok(ceiling: Estimate, workers: int, usable_cpus: float) -> bool:
    """Whether the machine gave at least 0.8 of the workers that fit on its usable CPUs.

    The estimate decides, not the interval: the question is how much the machine gave during this
    run, not how much it gives in general.
    """
    return ceiling.estimate >= 0.8 * min(workers, usable_cpus)


def _log_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    if len(numerators) != len(denominators):
        raise ValueError(
            f"{len(numerators)} blocks cannot be paired with {len(denominators)}: "
            "keep only the blocks in which both arms ran"
        )
    # If the two arms are exchanged, a difference of logarithms changes only its sign; the logarithm
    # of a quotient would also be rounded differently.
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

    The median lies outside the interval if no more values than the dropped ones fall on one side of
    it; each does so with a chance of one half. The sum is in whole numbers and rounded once. None
    if even the whole range covers too little.
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


@cache
def _rank_sums_left_out(values: int, confidence: float) -> int | None:
    """How many averages of two values to drop at either end, as ``_left_out`` does for values.

    The middle lies outside where the ranks of the values on one side of it add up to as few as
    the dropped averages.
    """
    _checked(confidence)
    if values > _MOST_COUNTED:
        mean = values * (values + 1) / 4
        deviation = math.sqrt(values * (values + 1) * (2 * values + 1) / 24)
        rejected = NormalDist(mean, deviation).inv_cdf((1 - confidence) / 2)
        return max(0, math.floor(rejected - 0.5))
    most_allowed = None
    outside = 0
    for dropped, ways in enumerate(_count_rank_sums(values)):
        outside += 2 * ways
        if 1 - outside / 2**values < confidence:
            break
        most_allowed = dropped
    return most_allowed


@cache
def _count_rank_sums(values: int) -> list[int]:
    """In how many ways ranks out of 1, 2, ..., ``values`` add up to 0, 1, ..., half of them all."""
    half = values * (values + 1) // 4
    ways = [1]
    for rank in range(1, values + 1):
        reached = min(half, rank * (rank + 1) // 2)
        ways += [0] * (reached + 1 - len(ways))
        ways[rank:] = map(add, ways[rank:], ways[: len(ways) - rank])
    return ways
