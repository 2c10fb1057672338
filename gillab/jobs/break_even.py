"""From where on a strategy pays: a job's parts in, brackets out.

A job of N items that take t seconds each in the loop takes ``start + N (o + t / p)`` in a pool:
start is what is paid once, o what an item costs on its way, and p the parallelism of the computing,
N t over the time that it takes in the pool. Each is read from the parts of a measured job.
"""

from __future__ import annotations

import math

from gillab.results import Bracket, Cell, Estimate, PaysFrom


def find_break_even(cell: Cell, serial: Cell, items: int) -> PaysFrom | None:
    """Return from where on an arm pays; None where its parts are not known.

    The bracket's ends are those of the speedup's interval.
    """
    if cell.parts is None or cell.speedup is None or serial.seconds is None:
        return None
    loop_s = serial.seconds.median
    speedup = cell.speedup
    found = {
        speed: _solve(cell, loop_s, speed, items)
        for speed in (speedup.estimate, speedup.low, speedup.high)
        if speed is not None
    }
    return PaysFrom(
        items=_bracket(speedup, {speed: at[0] for speed, at in found.items()}),
        item_s=_bracket(speedup, {speed: at[1] for speed, at in found.items()}),
    )


def _solve(cell: Cell, loop_s: float, speedup: float, items: int) -> tuple[float, float]:
    """Return the number of items and the time an item, infinite where it never pays."""
    parts = cell.parts
    assert parts is not None
    job_s = loop_s / speedup
    start_s = parts.start * job_s
    way_s = (parts.send + parts.receive) * job_s / items
    item_s = loop_s / items
    # Workers that wait for others, or for the GIL, compute with less parallelism.
    computing_s = (parts.compute + parts.idle) * job_s
    saved = 1 - computing_s / loop_s
    if saved <= 0:
        return math.inf, math.inf
    gain_s = item_s * saved - way_s
    enough = start_s / gain_s if gain_s > 0 else math.inf
    return enough, (start_s / items + way_s) / saved


def _bracket(speedup: Estimate, by_speed: dict[float, float]) -> Bracket:
    def look_up(speed: float | None) -> float | None:
        value = math.inf if speed is None else by_speed[speed]
        return value if math.isfinite(value) else None

    # The faster it may be, the sooner it pays.
    return Bracket(look_up(speedup.estimate), look_up(speedup.high), look_up(speedup.low))
