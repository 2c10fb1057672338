"""The arms: each strategy and each way to start processes, with each number of workers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

from gillab.blocks.plan import Arm
from gillab.errors import UsageError
from gillab.jobs.plan import resolve_job
from gillab.strategies import get_strategy
from gillab.workload import Workload

NAME = "startup"


def make_program(setup: str) -> Workload:
    """Return a program that has run the setup and maps over nothing. UsageError."""
    return resolve_job("item", "[0]", setup)


def choose_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """Return the start methods, each once; for none all that this system has. UsageError."""
    here = multiprocessing.get_all_start_methods()
    for method in methods:
        if method not in here:
            raise UsageError(
                f"processes cannot be started by {method!r} here; there is {', '.join(here)}."
            )
    return tuple(dict.fromkeys(methods or here))


def plan_pools(
    strategies: Sequence[str], workers: Sequence[int], methods: Sequence[str]
) -> tuple[Arm, ...]:
    """Return the arms; one worker is always among them, since further ones are held against it.

    UsageError for a strategy that there is not, and where none of them starts workers.
    """
    counts = sorted({1, *workers})
    arms: list[Arm] = []
    for name in dict.fromkeys(strategies):
        strategy = get_strategy(name)
        if strategy.parallel:
            variants = methods if strategy.forks else ("",)
            arms += [Arm(name, count, variant=each) for each in variants for count in counts]
    if not arms:
        raise UsageError("serial has no workers to start; name another strategy.")
    return tuple(arms)
