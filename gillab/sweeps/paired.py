"""Ratios of two arms over the blocks of a finished run, paired block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gillab import statistics
from gillab.estimates import Estimate

Blocks = Sequence[Mapping[str, Any]]
"""As in `gillab.results.Result.blocks`."""


def pick_blocks(blocks: Blocks, workload: str) -> Blocks:
    """Return the blocks of one workload."""
    return [block for block in blocks if block["workload"] == workload]


def find_ratio(blocks: Blocks, baseline: str, key: str, confidence: float) -> Estimate | None:
    """Return how many times faster an arm is than another; None where no block has both."""
    pairs = list(_pair(blocks, baseline, key))
    if not pairs:
        return None
    return statistics.ratio([one for one, _ in pairs], [other for _, other in pairs], confidence)


def _pair(blocks: Blocks, baseline: str, key: str) -> Iterator[tuple[float, float]]:
    for block in blocks:
        seconds = block["seconds"]
        if baseline in seconds and key in seconds:
            yield seconds[baseline], seconds[key]
