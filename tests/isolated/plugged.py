"""Strategies as somebody else may write them: one that works, and four that do not."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from gillab.strategies import Strategy


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


POOL = Strategy("plugged", create)
ABSENT = Strategy("absent", create, find_obstacle=lambda: "needs a cluster")
SMALLER = Strategy("smaller", create_smaller)
CARELESS = Strategy("careless", create_careless)
BROKEN = Strategy("broken", create_broken)
