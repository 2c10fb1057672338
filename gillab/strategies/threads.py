"""Threads of the calling process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from gillab.strategies import Strategy


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    return ThreadPoolExecutor(workers, initializer=initializer, initargs=initargs)


THREADS = Strategy("threads", _create, singular="thread", rank=0)
