"""Strategies as somebody else may write them: two that work, and four that do not."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from gillab.blocks import arm
from gillab.strategies import Strategy, get_strategy


def create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    return ThreadPoolExecutor(workers, initializer=initializer, initargs=initargs)


def create_smaller(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    arm._LATECOMER_S = 2.0  # or all would wait a minute for the one that never comes
    return ThreadPoolExecutor(1, initializer=initializer, initargs=initargs)


def create_careless(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    return ThreadPoolExecutor(workers)


def create_broken(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    raise OSError("no route to it")


def create_marked(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    """Spawn, with the mark of the test in the names of the semaphores."""
    vars(multiprocessing.current_process())["_config"]["semprefix"] = (
        f"/{os.environ['GILLAB_TEST_MARK']}"
    )
    return get_strategy("processes").create(workers, initializer, initargs, "spawn")


POOL = Strategy("plugged", create)
ABSENT = Strategy("absent", create, find_obstacle=lambda: "needs a cluster")
SMALLER = Strategy("smaller", create_smaller)
CARELESS = Strategy("careless", create_careless)
MARKED = Strategy("marked", create_marked, own_process=True)
BROKEN = Strategy("broken", create_broken)
