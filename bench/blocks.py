"""Paired measuring: every arm once a block, in a seeded random order.

A shared machine drifts by tens of percent in seconds, so that only what stands in one block is
compared: the same machine saw it.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping

Arm = Callable[[], float]
"""Runs once what is measured and returns its seconds, or those of one step or call."""


def measure_blocks(
    arms: Mapping[str, Arm], blocks: int, generator: random.Random, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Return the seconds of every arm, one value a block.

    With ``warm_up`` after one block that is thrown away. Without garbage collection, which would
    strike one arm for what another left behind.
    """
    names = list(arms)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        if warm_up:
            for name in names:
                arms[name]()
        for _ in range(blocks):
            generator.shuffle(names)
            for name in names:
                seconds[name].append(arms[name]())
    finally:
        if collecting:
            gc.enable()
    return seconds
