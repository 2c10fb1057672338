"""The intervals and verdicts on times that a noisy machine really took: see `noise/README.md`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from recorded_noise import (
    BLOCKS,
    HELD,
    NAMES,
    find_intervals,
    judge,
    load,
    replay,
    stretches,
    widen,
)

from gillab.statistics import pool_baselines, ratio, ratio_later

every_recording = pytest.mark.parametrize("name", NAMES)


@every_recording
@pytest.mark.parametrize("blocks", BLOCKS)
def test_a_run_that_ends_covers_its_own_minutes_and_contradicts_nothing(
    name: str, blocks: int
) -> None:
    found = judge(name, blocks)
    assert found.covered >= 0.95
    assert found.contradicted <= 0.01
    assert found.covered_later >= 0.85


@every_recording
def test_a_run_that_stops_once_all_is_decided_contradicts_nothing(name: str) -> None:
    stopped = replay(name, 62, comparisons=12, given=HELD)
    assert stopped.contradicted <= 0.01
    assert stopped.decided >= 0.99
    assert stopped.blocks < 40, "it must stop early, or nothing is tested"


def test_what_is_judged_here_is_what_ratio_finds() -> None:
    """In bulk, with NumPy, and from the times themselves."""
    (run, _) = load(NAMES[0])
    blocks = slice(100, 140)
    times = stretches(run.logs, 40)[100:101]
    confidence = run.confidence(40)
    baseline = pool_baselines(run.seconds["serial/1"], run.seconds["null/1"])[blocks]
    bulk = find_intervals(times, confidence)
    for column, cell in enumerate(run.cells):
        for found, one in ((bulk, ratio), (widen(bulk, times), ratio_later)):
            alone = one(baseline, run.seconds[cell][blocks], confidence)
            assert alone.low is not None
            assert alone.high is not None
            figures = [math.log(each) for each in (alone.estimate, alone.low, alone.high)]
            assert np.array(found)[:, 0, column] == pytest.approx(figures, abs=1e-12)
