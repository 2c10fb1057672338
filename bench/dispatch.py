"""The dispatch of an empty task under each strategy, against bare ``concurrent.futures``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass

from bench.blocks import Arm, measure_blocks
from bench.rows import Goal, Row, compare_ratio

GOAL = Goal(1.05)  # what the project calls the same
TASKS = 20
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """One strategy in two forms: gillab's executor and the bare one it stands on.

    Each factory takes the number of workers; ``obstacle`` says why there is nothing to make.
    """

    name: str
    make_gillab: Callable[[int], Executor]
    make_bare: Callable[[int], Executor]
    obstacle: str | None = None


PAIRS: tuple[Pair, ...] = ()
"""The strategies to compare."""


def do_nothing() -> None:
    """Do what is left when a task's work is taken away."""


def dispatching(executor: Executor) -> Arm:
    """Make an arm that returns the seconds from a task's submission to its result."""

    def dispatch() -> float:
        start = time.perf_counter_ns()
        for _ in range(TASKS):
            executor.submit(do_nothing).result()
        return (time.perf_counter_ns() - start) / TASKS * 1e-9

    return dispatch


def measure(fast: bool, generator: random.Random) -> list[Row]:
    """Rows of this section."""
    if not PAIRS:
        note = "gillab.strategies is not part of this checkout."
        return [Row(subject("any strategy"), "concurrent.futures", goal=GOAL, note=note)]
    return [measure_pair(pair, 40 if fast else 200, generator) for pair in PAIRS]


def subject(name: str) -> str:
    """Head the rows of one strategy."""
    return f"Dispatch of an empty task: {name}, {WORKERS} workers"


def measure_pair(pair: Pair, blocks: int, generator: random.Random) -> Row:
    """Row of one strategy; both executors live side by side, started before they are measured."""
    if pair.obstacle is not None:
        return Row(subject(pair.name), "concurrent.futures", goal=GOAL, note=pair.obstacle)
    with ExitStack() as stack:
        arms = {
            "gillab": dispatching(stack.enter_context(pair.make_gillab(WORKERS))),
            "bare": dispatching(stack.enter_context(pair.make_bare(WORKERS))),
        }
        seconds = measure_blocks(arms, blocks, generator)
    return compare_ratio(
        subject(pair.name), "concurrent.futures", seconds["gillab"], seconds["bare"], GOAL
    )
