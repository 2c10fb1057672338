"""The dispatch of an empty task under each strategy, against bare ``concurrent.futures``."""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from bench.blocks import Arm, measure_blocks
from bench.rows import Goal, Row, compare_ratio
from gillab.kernels import countdown_nogil
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.worker import initialize, run
from gillab.workload import Workload

GOAL = Goal(1.05)  # what the project calls the same
WORKERS = 2
START_METHOD = "spawn"  # safe where threads run, as they do here
POOL = "bench"
REASON = (
    "gillab's task, empty, takes some microseconds, for it reads CPU time before and after: long "
    "enough for a second worker to be woken, where bare ones are done by the first."
)


def make_bare_processes() -> Executor:
    """Make a process pool with the standard library alone."""
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(START_METHOD))


def make_bare_interpreters() -> Executor:
    """Make an interpreter pool with the standard library alone."""
    if sys.version_info >= (3, 14):
        from concurrent.futures import InterpreterPoolExecutor

        return InterpreterPoolExecutor(WORKERS)
    raise RuntimeError("needs Python 3.14")


BARE: dict[str, Callable[[], Executor]] = {
    "threads": partial(ThreadPoolExecutor, WORKERS),
    "processes": make_bare_processes,
    "interpreters": make_bare_interpreters,
}
"""What each strategy stands on, by its name."""


def make_gillab(strategy: Strategy) -> Executor:
    """Make a strategy's executor as an experiment does, each worker set up for the countdown."""
    workload = Workload("countdown_nogil", "kernel")
    return strategy.create(WORKERS, initialize, (POOL, workload, sys.path, None), START_METHOD)


def dispatching(submit: Callable[[], object], tasks: int) -> Arm:
    """Make an arm that returns the seconds of one task, from its submission to its result."""

    def dispatch() -> float:
        start = time.perf_counter_ns()
        for _ in range(tasks):
            submit()
        return (time.perf_counter_ns() - start) / tasks * 1e-9

    return dispatch


def measure(fast: bool, generator: random.Random) -> list[Row]:
    """Rows of this section."""
    return [
        measure_strategy(get_strategy(name), make_bare, 50 if fast else 300, generator)
        for name, make_bare in BARE.items()
    ]


def measure_strategy(
    strategy: Strategy, make_bare: Callable[[], Executor], blocks: int, generator: random.Random
) -> Row:
    """Row of one strategy; both executors live side by side and have started their workers."""
    subject = f"Dispatch of an empty task: {strategy.name}, {WORKERS} workers"
    obstacle = strategy.find_obstacle()
    if obstacle is not None:
        return Row(subject, "concurrent.futures", goal=GOAL, note=f"{obstacle}.")
    with ExitStack() as stack:
        gillab = stack.enter_context(make_gillab(strategy))
        bare = stack.enter_context(make_bare())
        arms = {
            "gillab": dispatching(lambda: gillab.submit(run, POOL, 0).result(), 20),
            "bare": dispatching(lambda: bare.submit(countdown_nogil, 0).result(), 20),
        }
        seconds = measure_blocks(arms, blocks, generator)
    row = compare_ratio(subject, "concurrent.futures", seconds["gillab"], seconds["bare"], GOAL)
    return row.explained(REASON)
