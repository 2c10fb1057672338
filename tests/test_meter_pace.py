"""How a meter with a budget chooses its interval: on clocks that are made up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gillab.meter import _sampler

SECOND = 10**9
STEP = SECOND // 100  # how often the sampler looks at its clock


def run(
    budget: float, cost_ns: Callable[[int], float], seconds: int
) -> tuple[list[float], list[float]]:
    """Return each second's mean gap in ns and share of a CPU, with samples of such a cost."""
    gaps: list[float] = []
    shares: list[float] = []
    clocks: list[tuple[int, int, int]] = []
    at = cpu = turns = 0
    for second in range(seconds):
        gap = _sampler.pace(budget, clocks)[-1]
        more = max(round(SECOND / gap), 1)
        used = more * cost_ns(second)
        gaps.append(gap)
        shares.append(used / max(SECOND, more * gap))
        at, cpu, turns = round(at + max(SECOND, more * gap)), round(cpu + used), turns + more
        clocks.append((at, cpu, turns))
    return gaps, shares


@pytest.mark.parametrize("budget", [0.0005, 0.005, 0.05])
@pytest.mark.parametrize("cost_ns", [3_000, 20_000, 50_000])
def test_the_budget_is_kept_from_the_first_second_and_used_in_the_end(
    budget: float, cost_ns: int
) -> None:
    gaps, shares = run(budget, lambda second: cost_ns, 30)
    assert max(shares) <= budget
    assert gaps[-1] == pytest.approx(max(cost_ns / (0.9 * budget), 100_000), rel=0.01)


def test_dearer_samples_count_at_once_and_cheaper_ones_little_by_little() -> None:
    gaps, _ = run(0.005, lambda second: 40_000 if second == 20 else 10_000, 40)
    assert gaps[20] == pytest.approx(10_000 / 0.0045, rel=0.02)
    assert gaps[21] == pytest.approx(40_000 / 0.0045, rel=0.01)
    assert gaps[22] == pytest.approx(32_500 / 0.0045, rel=0.01)
    assert gaps[39] == pytest.approx(10_000 / 0.0045, rel=0.02)


def test_samples_that_no_budget_would_allow_are_a_second_apart() -> None:
    gaps, _ = run(0.0001, lambda second: 10**7, 5)
    assert gaps[-1] == SECOND


def test_the_interval_stays_within_a_second_whatever_the_clocks_say() -> None:
    # What a sample saw may show in what it cost: no gap may depend on that before a second is over.
    clocks = [(at, at // 3, at // STEP) for at in range(STEP, SECOND, STEP)]
    gaps = _sampler.pace(0.005, clocks)
    assert len(gaps) == 100
    assert len(set(gaps)) == 1


def test_a_clock_that_stands_still_and_jumps_keeps_the_budget_on_average() -> None:
    # Windows counts CPU time in ticks of 16 ms.
    tick, cost, at, cpu, turns = 15_625_000, 20_000, 0, 0, 0
    clocks: list[tuple[int, int, int]] = []
    for _ in range(200):
        gap = _sampler.pace(0.005, clocks)[-1]
        more = round(SECOND / gap)
        at, cpu, turns = at + SECOND, cpu + more * cost, turns + more
        clocks.append((at, cpu // tick * tick, turns))
    assert 0.001 < cpu / at < 0.005
