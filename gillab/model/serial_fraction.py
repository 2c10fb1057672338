"""The serial fraction that a measured speedup shows.

Source: A. H. Karp and H. P. Flatt, "Measuring parallel processor performance", Communications of
the ACM 33(5), 1990.
"""

from __future__ import annotations

from collections.abc import Mapping

from gillab.errors import UsageError
from gillab.estimates import Estimate


def fit_serial_fraction(speedups: Mapping[int, Estimate]) -> dict[int, Estimate]:
    """Return the serial fraction for each number of workers above one, with its interval.

    ``e = (1/S - 1/p) / (1 - 1/p)`` for the speedup S of p workers. If e is the same for every p, a
    fixed part of the work is serial (Amdahl's law); if e grows with p, so does an overhead. A
    speedup above p gives a negative e. A missing bound stays missing. UsageError for fewer than
    one worker and for a speedup that is not positive.
    """
    return {p: _fit(p, speedup) for p, speedup in speedups.items() if p != 1}


def _fit(workers: int, speedup: Estimate) -> Estimate:
    if workers < 1:
        raise UsageError(f"workers must be a number from 1 on, not {workers}.")

    def solve(value: float) -> float:
        if not value > 0:
            raise UsageError(f"a speedup is positive, not {value}.")
        return (1 / value - 1 / workers) / (1 - 1 / workers)

    # The higher the speedup, the lower the serial fraction.
    return Estimate(
        solve(speedup.estimate),
        None if speedup.high is None else solve(speedup.high),
        None if speedup.low is None else solve(speedup.low),
    )
