"""Compares two calls of this process: whether new is slower than old by so much."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from gillab.blocks.in_process import run_pair_here
from gillab.blocks.pair import Comparison, Pair, conclude_pair, make_look
from gillab.blocks.protocol import Protocol

_BUDGET_S, _MOST_S = 12.0, 60.0
_BLOCK_S = 0.2
_CALLS = 150
"""Forty blocks of three arms, the calibration, and what a slow machine adds."""


def is_no_slower(found: Comparison, by: float) -> bool | None:
    """Whether new is no more than ``by`` slower than old; None if its interval cannot tell."""
    ratio = found.ratio
    if ratio is None or ratio.low is None or ratio.high is None or found.null_passed is False:
        return None
    if ratio.low >= 1 - by:
        return True
    return False if ratio.high < 1 - by else None


def measure_pair_here(
    names: tuple[str, str], old: Callable[[], object], new: Callable[[], object], by: float
) -> Comparison:
    """Measure two calls by turns until `is_no_slower` tells, or the time is up; what they raise."""
    begun = time.monotonic()
    old()
    new()
    calls_s = time.monotonic() - begun
    budget_s = max(_BUDGET_S, min(_MOST_S, _CALLS * calls_s / 2))
    protocol = Protocol(
        task_time_s=0.001,
        min_blocks=12,
        max_blocks=62,
        time_budget_s=budget_s,
        target_error=by,
        confidence=0.95,
        timeout_s=budget_s,
        seed=secrets.randbits(32),
        launches=1,
        block_s=_BLOCK_S,
    )
    pair = Pair.of("serial", 1)

    def decides(found: Comparison) -> bool:
        return is_no_slower(found, by) is not None

    look = make_look(pair, by, decides)
    result = run_pair_here("check", names, (old, new), pair, protocol, look)
    seconds = [block["seconds"] for block in result.blocks]
    return conclude_pair(seconds, pair, protocol, by, decides)
