from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, product, takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import (
    MACHINES,
)

from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread
from gillab.statistics import (
    blocks_needed,
    ceiling_ok,
    confidence_at,
    corrected_confidence,
    describe,
    is_look,
    looks,
    median_interval,
    null_ok,
    pool_baselines,
    rank_correlation,
    ratio,
    ratio_later,
    ratio_of_ratios,
    relative_half_width,
    signed_rank_interval,
    verdict,
)

times_s = st.floats(min_value=1e-9, max_value=1e6)
confidences = st.floats(min_value=0.5, max_value=0.9999)
paired_blocks = st.lists(st.tuples(times_s, times_s), min_size=1, max_size=60)
every_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())


def reciprocal(estimate: Estimate) -> Estimate:
    if estimate.low is None or estimate.high is None:
        return Estimate(1 / estimate.estimate, None, None)
    return Estimate(1 / estimate.estimate, 1 / estimate.high, 1 / estimate.low)


def figures(estimate: Estimate) -> list[float]:
    every = (estimate.estimate, estimate.low, estimate.high)
    return [math.nan if each is None else each for each in every]


def close_to(estimate: Estimate) -> object:
    """Equal up to the rounding of logarithms, an interval that is missing included."""
    return pytest.approx(figures(estimate), rel=1e-13, nan_ok=True)


def interval(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


# Small cases, by hand and by counting


def test_describe_gives_median_mad_and_minimum() -> None:
    assert describe([5.0, 1.0, 2.0, 9.0, 3.0]) == Spread(median=3.0, mad=2.0, min=1.0)


def test_describe_of_one_time_has_no_spread() -> None:
    assert describe([0.02]) == Spread(0.02, 0.0, 0.02)


def test_six_blocks_give_their_range_at_96_875_percent_and_nothing_above() -> None:
    values = [3.0, 1.0, 6.0, 2.0, 5.0, 4.0]
    assert median_interval(values, 0.96875) == Estimate(3.5, 1.0, 6.0)
    assert median_interval(values, 0.95) == Estimate(3.5, 1.0, 6.0)
    assert median_interval(values, 0.96876) == Estimate(3.5, None, None)


def test_five_blocks_give_an_estimate_without_a_95_percent_interval() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95) == Estimate(3.0, None, None)


def test_twenty_values_give_the_tabulated_sixth_from_either_end() -> None:
    assert median_interval(range(1, 21), 0.95) == Estimate(10.5, 6, 15)


def test_a_thousand_values_follow_the_normal_approximation() -> None:
    low, high = interval(median_interval(range(1, 1001), 0.95))
    assert low + high == 1001
    assert high - low == pytest.approx(1.96 * math.sqrt(1000), abs=2)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("size", range(1, 13))
def test_interval_is_the_narrowest_that_covers_by_counting_every_sample(
    size: int, confidence: float
) -> None:
    """Every pattern of lower (-1) and higher (1) than the median is equally likely."""
    patterns = [sorted(pattern) for pattern in product((-1, 1), repeat=size)]
    coverages = [
        Fraction(sum(each[k] < 0 < each[-1 - k] for each in patterns), len(patterns))
        for k in range((size + 1) // 2)
    ]
    enough = [k for k, coverage in enumerate(coverages) if coverage >= confidence]
    expected = (enough[-1], size - 1 - enough[-1]) if enough else (None, None)
    found = median_interval(range(size), confidence)
    assert (found.low, found.high) == expected


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("size", range(1, 11))
def test_signed_ranks_are_the_narrowest_that_cover_by_counting_every_sample(
    size: int, confidence: float
) -> None:
    """Every pattern of signs of the ranks is equally likely around the middle."""
    values = [2.0**rank for rank in range(size)]  # so that no two averages are the same
    averages = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    sums = [
        sum(rank for rank, sign in enumerate(signs, start=1) if sign > 0)
        for signs in product((-1, 1), repeat=size)
    ]
    most = size * (size + 1) // 2
    coverages = [
        Fraction(sum(k < each < most - k for each in sums), len(sums))
        for k in range((len(averages) + 1) // 2)
    ]
    enough = [k for k, coverage in enumerate(coverages) if coverage >= confidence]
    expected = (averages[enough[-1]], averages[-1 - enough[-1]]) if enough else (None, None)
    found = signed_rank_interval(values, confidence)
    assert (found.low, found.high) == expected


def test_twelve_values_give_the_tabulated_fourteenth_average_from_either_end() -> None:
    """The critical value 13 of Wilcoxon's table for twelve pairs at 95 %."""
    values = [1.7**rank for rank in range(12)]
    averages = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    assert interval(signed_rank_interval(values, 0.95)) == (averages[13], averages[-14])


def test_the_normal_curve_that_takes_over_is_hardly_wider() -> None:
    """From 100 blocks to 101, by 3 % at 99.99 % and not at all at 95 %."""
    for confidence in (0.95, 0.9999):
        widths = [
            np.subtract(*interval(signed_rank_interval(np.linspace(0, 1, n).tolist(), confidence)))
            for n in (100, 101)
        ]
        assert 0.98 < widths[1] / widths[0] < 1.04


@given(confidences)
def test_both_intervals_begin_with_the_range_at_blocks_needed(confidence: float) -> None:
    needed = blocks_needed(confidence)
    assert signed_rank_interval(range(needed), confidence).low == 0
    assert signed_rank_interval(range(needed), confidence).high == needed - 1
    assert signed_rank_interval(range(needed - 1), confidence).low is None


def test_blocks_needed_is_the_fewest_with_an_interval() -> None:
    assert [blocks_needed(c) for c in (0.5, 0.75, 0.95, 0.96875, 0.99, 1 - 0.05 / 12)] == [
        2, 3, 6, 6, 8, 9
    ]  # fmt: skip


@given(confidences)
def test_an_interval_begins_at_blocks_needed_and_not_before(confidence: float) -> None:
    needed = blocks_needed(confidence)
    assert needed > 1
    assert median_interval(range(needed), confidence).low is not None
    assert median_interval(range(needed - 1), confidence).low is None


def test_bonferroni_splits_the_error_among_the_comparisons() -> None:
    assert corrected_confidence(0.95, 1) == 0.95
    assert corrected_confidence(0.95, 12) == pytest.approx(1 - 0.05 / 12)


# Ratios


def test_ratio_is_the_baseline_over_the_arm_in_each_block() -> None:
    """The machine halves its pace at every block; inside a block the arm is twice as fast."""
    arm = [2.0**block for block in range(6)]
    estimate = ratio([2 * seconds for seconds in arm], arm, 0.95)
    assert figures(estimate) == pytest.approx([2.0, 2.0, 2.0])


def test_share_of_the_ceiling_is_formed_inside_the_block() -> None:
    """The ceiling itself falls from 2 to 1; the arm follows it at nine tenths throughout."""
    ceiling = [2.0, 1.8, 1.6, 1.4, 1.2, 1.0]
    serial = [1.0] * 6
    arm = [1 / (0.9 * speedup) for speedup in ceiling]
    ceiling_arm = [1 / speedup for speedup in ceiling]
    share = ratio_of_ratios(serial, arm, serial, ceiling_arm, 0.95)
    assert figures(share) == pytest.approx([0.9, 0.9, 0.9])


@given(paired_blocks, confidences)
def test_exchanging_the_arms_gives_the_reciprocal(
    blocks: Sequence[tuple[float, float]], confidence: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    there = ratio(baseline, arm, confidence)
    back = ratio(arm, baseline, confidence)
    assert figures(back) == close_to(reciprocal(there))
    assert relative_half_width(back) == pytest.approx(relative_half_width(there), abs=1e-13)


@given(paired_blocks, confidences)
def test_exchanging_the_arms_exchanges_wins_and_loses(
    blocks: Sequence[tuple[float, float]], confidence: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    exchanged = {"wins": ["loses"], "loses": ["wins"], "same": ["same"]}
    # What may help or not one way may be no gain the other way, and no gain may then help.
    exchanged |= {"no_gain": ["inconclusive"], "inconclusive": ["inconclusive", "no_gain"]}
    said = verdict(ratio(baseline, arm, confidence))
    assert verdict(ratio(arm, baseline, confidence)) in exchanged[said]


@given(paired_blocks, confidences)
def test_the_order_of_the_blocks_does_not_matter(
    blocks: Sequence[tuple[float, float]], confidence: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    sorted_baseline, sorted_arm = zip(*sorted(blocks), strict=True)
    assert ratio(baseline, arm, confidence) == ratio(sorted_baseline, sorted_arm, confidence)


@given(paired_blocks, confidences)
def test_the_interval_holds_its_estimate(
    blocks: Sequence[tuple[float, float]], confidence: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    estimate = ratio(baseline, arm, confidence)
    if estimate.low is not None and estimate.high is not None:
        assert estimate.low <= estimate.estimate <= estimate.high


@given(paired_blocks, confidences, confidences)
def test_more_confidence_never_narrows_the_interval(
    blocks: Sequence[tuple[float, float]], one: float, other: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    less, more = sorted((one, other))
    assert relative_half_width(ratio(baseline, arm, less)) <= relative_half_width(
        ratio(baseline, arm, more)
    )


@given(paired_blocks, st.floats(min_value=0.01, max_value=100))
def test_a_machine_that_is_slower_throughout_changes_no_ratio(
    blocks: Sequence[tuple[float, float]], factor: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    slower = ratio([factor * b for b in baseline], [factor * a for a in arm], 0.9)
    assert figures(slower) == close_to(ratio(baseline, arm, 0.9))


@given(paired_blocks)
def test_an_arm_that_is_its_own_ceiling_reaches_all_of_it(
    blocks: Sequence[tuple[float, float]],
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    assert ratio_of_ratios(baseline, arm, baseline, arm, 0.5).estimate == 1


def test_a_baseline_of_several_arms_is_their_geometric_mean_in_each_block() -> None:
    assert pool_baselines([1.0, 4.0], [4.0, 9.0]) == pytest.approx([2.0, 6.0])
    assert pool_baselines([1.0, 4.0]) == pytest.approx([1.0, 4.0])


@given(paired_blocks, confidences)
def test_later_is_the_same_speedup_less_surely(
    blocks: Sequence[tuple[float, float]], confidence: float
) -> None:
    baseline, arm = zip(*blocks, strict=True)
    now, later = (each(baseline, arm, confidence) for each in (ratio, ratio_later))
    assert later.estimate == now.estimate
    assert (later.low is None) == (now.low is None)
    least = math.sqrt(1.15 / 0.85)
    assert relative_half_width(later) >= least * relative_half_width(now) * (1 - 1e-9)
    assert figures(ratio_later(arm, baseline, confidence)) == close_to(reciprocal(later))


def test_later_is_wider_where_each_block_resembles_the_one_before() -> None:
    times = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    mixed = [1.0, 1.7, 1.1, 1.6, 1.2, 1.5, 1.3, 1.4]
    ones = [1.0] * 8
    assert ratio(times, ones, 0.9) == ratio(mixed, ones, 0.9)
    assert relative_half_width(ratio_later(times, ones, 0.9)) > 1.5 * relative_half_width(
        ratio_later(mixed, ones, 0.9)
    )


def test_rank_correlation_is_that_of_neighbours() -> None:
    assert rank_correlation([1.0, 2.0, 3.0]) == 0
    assert rank_correlation([1.0, 9.0, 1.0, 9.0]) == -0.75
    assert rank_correlation([5.0, 5.0, 5.0]) == 0
    assert rank_correlation(range(1000)) == pytest.approx(1, abs=0.01)


# Looks


def test_looks_are_set_beforehand_and_half_as_many_again() -> None:
    assert list(islice(looks(), 7)) == [12, 18, 27, 41, 62, 93, 140]
    assert [blocks for blocks in range(100) if is_look(blocks)] == [12, 18, 27, 41, 62, 93]


@given(confidences, st.integers(min_value=1, max_value=500))
def test_looks_spend_no_more_than_the_error_however_many_there_are(
    confidence: float, end: int
) -> None:
    """A run that ends at its last look spends all of it, neither more nor less."""
    before = takewhile(lambda look: look < end, looks())
    spent = sum(1 - confidence_at(confidence, look, last=False) for look in before)
    spent += 1 - confidence_at(confidence, end, last=True)
    assert spent == pytest.approx(1 - confidence)


# Verdicts and controls


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.06, 1.90, "wins"),
        (1.04, 1.90, "inconclusive"),
        (0.96, 1.04, "same"),
        (0.953, 1.0, "same"),
        (0.951, 1.0, "no_gain"),
        (0.94, 1.04, "no_gain"),
        (0.94, 1.05, "no_gain"),
        (0.94, 1.06, "inconclusive"),
        (0.50, 0.94, "loses"),
        (0.50, 0.96, "no_gain"),
        (0.50, 2.00, "inconclusive"),
        (1.01, 1.04, "same"),
        (1.05, 1.05, "same"),
        (None, None, "inconclusive"),
    ],
)
def test_verdict_needs_the_whole_interval(low: float | None, high: float | None, said: str) -> None:
    assert verdict(Estimate(1.0, low, high)) == said


def test_without_a_margin_any_interval_beside_one_decides() -> None:
    assert verdict(Estimate(1.02, 1.01, 1.03), margin=0) == "wins"


@pytest.mark.parametrize(
    ("low", "high", "ok"),
    [
        (0.99, 1.01, True),
        (1.001, 1.02, True),
        (1.019, 1.05, True),
        (1.021, 1.05, False),
        (0.9, 0.981, True),
        (0.9, 0.979, False),
    ],
)
def test_null_fails_where_its_interval_is_further_from_one_than_luck_is(
    low: float, high: float, ok: bool
) -> None:
    assert null_ok(Estimate((low + high) / 2, low, high)) is ok


def test_null_without_an_interval_has_not_failed() -> None:
    assert null_ok(Estimate(1.3, None, None))


@pytest.mark.parametrize(
    ("speedup", "workers", "usable_cpus", "ok"),
    [
        (1.61, 2, 2, True),
        (1.59, 2, 2, False),
        (1.61, 8, 2, True),
        (3.1, 4, 64, False),
        (1.21, 2, 1.5, True),
        (0.81, 1, 8, True),
    ],
)
def test_ceiling_counts_the_workers_that_fit(
    speedup: float, workers: int, usable_cpus: float, ok: bool
) -> None:
    assert ceiling_ok(Estimate(speedup, None, None), workers, usable_cpus) is ok


def test_half_width_is_a_share_and_infinite_without_an_interval() -> None:
    assert relative_half_width(Estimate(2.0, 2 / 1.02, 2 * 1.02)) == pytest.approx(0.0198, abs=1e-4)
    assert relative_half_width(Estimate(2.0, None, None)) == math.inf


# What cannot be answered


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_an_impossible_confidence_is_refused(confidence: float) -> None:
    for ask in (
        lambda: median_interval([1.0, 2.0], confidence),
        lambda: blocks_needed(confidence),
        lambda: signed_rank_interval([1.0, 2.0], confidence),
        lambda: confidence_at(confidence, 12, last=True),
        lambda: corrected_confidence(confidence, 2),
    ):
        with pytest.raises(UsageError, match=r"between 0 and 1, such as 0\.95"):
            ask()


@pytest.mark.parametrize("margin", [-0.01, math.nan])
def test_a_negative_margin_is_refused(margin: float) -> None:
    with pytest.raises(UsageError, match="margin"):
        verdict(Estimate(1.0, 0.9, 1.1), margin)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        ratio([1.0, seconds], [1.0, 1.0], 0.95)


def test_blocks_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        ratio([1.0, 1.0], [1.0], 0.95)
    with pytest.raises(ValueError, match="zip"):
        ratio_of_ratios([1.0, 1.0], [1.0, 1.0], [1.0], [1.0], 0.95)


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        ratio([], [], 0.95)
    with pytest.raises(ValueError, match="at least one block"):
        describe([])
    with pytest.raises(ValueError, match="no serial arm"):
        pool_baselines()
    with pytest.raises(ValueError, match="at least one comparison"):
        corrected_confidence(0.95, 0)
