"""A call's rounds put together, on rounds that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gillab.measure.release import Round, summarize

ROUND = Round(
    held=0.9995,
    held_interval=(0.99, 1.0),
    others=0.0,
    hold_s=5e-3,
    least_hold_s=4.8e-3,
    most_hold_s=5.2e-3,
    brief_releases=0,
    clean=True,
    call_s=30e-3,
    calls=3,
    samples=1000,
    missed=0,
    duration_s=0.1,
    gil_enabled=True,
)


def test_a_hold_is_sure_where_no_round_saw_a_short_release() -> None:
    longest = summarize([ROUND] * 12, 0.0).longest_hold
    assert (longest.low, longest.estimate, longest.high) == (4.8e-3, 5e-3, 5.2e-3)


@pytest.mark.parametrize("clean", [True, False])
def test_short_releases_of_other_rounds_leave_the_longest_hold_open(clean: bool) -> None:
    long = replace(ROUND, hold_s=30e-3, least_hold_s=29e-3, most_hold_s=31e-3, clean=clean)
    brief = replace(ROUND, brief_releases=1, clean=clean)
    assert summarize([long, *[brief] * 6], 0.0).longest_hold.low == 0.0


def test_a_hold_far_longer_than_chance_joins_is_sure() -> None:
    brief = replace(ROUND, held=0.5, brief_releases=300)
    assert summarize([brief] * 12, 0.0).longest_hold.low == 4.8e-3
