"""From where on a strategy pays: a job's parts in, brackets out.

A job of N items that take t seconds each in the loop takes ``start + N (o + t / p)`` in a pool:
start is what is paid once, o what an item costs on its way, and p the parallelism of the computing,
N t over the time that it takes in the pool. Each is read from the parts of a measured job.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gillab.estimates import Bracket, Estimate
from gillab.results import Cell, Parts, PaysFrom
from gillab.strategies import shares_gil

_TINY = 0.05
"""A smaller share of the time tells nothing of how the computing scales."""


_BUSY = 0.8
"""A loop that keeps so much of a core busy computes; a quieter one waits for something."""


class _Costs(NamedTuple):
    """Of a whole job in a pool, as fractions of its time."""

    start: float
    way: float
    computing: float


def find_break_even(cell: Cell, serial: Cell, items: int) -> PaysFrom | None:
    """Return from where on an arm pays; None where its parts are not known, or tell too little.

    The bracket's ends are those of the speedup's interval. Where a job computes for hardly any of
    the time, its workers are taken to compute all at once, unless they may share a GIL.
    """
    if cell.parts is None or cell.speedup is None or serial.seconds is None:
        return None
    busy = serial.cores is None or serial.cores >= _BUSY
    costs = _read_costs(cell.parts, cell.workers, computes=busy)
    if costs.computing < _TINY and shares_gil(cell.strategy):
        return None
    loop_s = serial.seconds.median
    speedup = cell.speedup

    def solve(speed: float) -> tuple[float, float]:
        job_s = loop_s / speed
        left = costs.computing * job_s / loop_s
        saved = 1 - (1 / cell.workers if costs.computing < _TINY else left)
        if saved <= 0:
            return math.inf, math.inf
        start_s, way_s, item_s = costs.start * job_s, costs.way * job_s / items, loop_s / items
        gain_s = item_s * saved - way_s
        enough = start_s / gain_s if gain_s > 0 else math.inf
        return enough, (start_s / items + way_s) / saved

    speeds = (speedup.estimate, speedup.low, speedup.high)
    found = {speed: solve(speed) for speed in speeds if speed is not None}
    return PaysFrom(
        items=_bracket(speedup, {speed: at[0] for speed, at in found.items()}),
        item_s=_bracket(speedup, {speed: at[1] for speed, at in found.items()}),
    )


def _read_costs(parts: Parts, workers: int, *, computes: bool) -> _Costs:
    """Tell what is paid once, what for each item, and what the computing takes.

    Workers that wait while another computes are a part of that, as those are that wait for the GIL.
    All but one can wait at most; what is idle beyond it is of the start. A worker that computes and
    has no CPU may have left it to its parent, for no longer than that was sending and reading: that
    is a part of the way, and gets no longer with the items.
    """
    waiting = min(parts.idle, (workers - 1) * parts.compute)
    way = parts.send + parts.receive
    displaced = min(parts.without_cpu, way) if computes else 0.0
    return _Costs(
        parts.start + parts.idle - waiting, way + displaced, parts.compute - displaced + waiting
    )


def _bracket(speedup: Estimate, by_speed: dict[float, float]) -> Bracket:
    def look_up(speed: float | None) -> float | None:
        value = math.inf if speed is None else by_speed[speed]
        return value if math.isfinite(value) else None

    # The faster it may be, the sooner it pays.
    return Bracket(look_up(speedup.estimate), look_up(speedup.high), look_up(speedup.low))
