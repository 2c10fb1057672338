"""The sizes of a task that are tried, and how many tasks of each make a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gillab.blocks.plan import NULL, REFERENCE, SERIAL, Arm
from gillab.strategies import get_strategy

SMALLEST_S, LARGEST_S = 1e-6, 30e-3
_RATIO = 10**0.5
_LEAST_SIZES = 5
"""Where one step takes long, so many sizes are tried all the same."""
_RUN_S = 0.016
"""So long a run of tasks takes serially, where that needs no more tasks than the most."""
_MOST_TASKS = 200
"""A process takes about a tenth of a millisecond to be given a task."""


class Size(NamedTuple):
    """The size of a task: its steps, and how many such tasks make a run."""

    steps: int
    tasks: int

    @property
    def variant(self) -> str:
        """How an arm says it."""
        return f"{self.tasks} of {self.steps}"


def read_size(variant: str) -> Size:
    """Return the size that an arm's variant says."""
    tasks, _, steps = variant.partition(" of ")
    return Size(int(steps), int(tasks))


def list_sizes(step_s: float, workers: int, asked_s: Sequence[float] = ()) -> list[Size]:
    """Return the sizes, the smallest first: those asked for, or from 1 µs to 30 ms by root tens.

    ``step_s`` is what one step takes; no task can be smaller.
    """
    targets = sorted(asked_s) or _list_times(step_s)
    steps = sorted({max(1, round(target / step_s)) for target in targets})
    return [Size(each, _count_tasks(each * step_s, workers)) for each in steps]


def _list_times(step_s: float) -> list[float]:
    times = [SMALLEST_S]
    while times[-1] * _RATIO < LARGEST_S * 1.1 or times[-1] < step_s * _RATIO ** (_LEAST_SIZES - 1):
        times.append(times[-1] * _RATIO)
    return times


def _count_tasks(task_s: float, workers: int) -> int:
    """Return how many tasks make a run: a multiple of the workers, so that all end together."""
    tasks = min(_MOST_TASKS, _RUN_S / task_s)
    return max(1, round(tasks / workers)) * workers


def plan_sizes(strategies: Sequence[str], workers: int, sizes: Sequence[Size]) -> tuple[Arm, ...]:
    """Return an arm for each strategy and size, and the controls.

    The largest size, serial, is the baseline.
    """
    smaller = [Arm("serial", 1, variant=size.variant) for size in sizes[:-1]]
    pools = [
        Arm(name, workers, variant=size.variant)
        for name in strategies
        if get_strategy(name).parallel
        for size in sizes
    ]
    return (SERIAL, *smaller, *pools, NULL, REFERENCE, Arm("processes", workers, "ceiling"))
