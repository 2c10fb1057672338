"""Processes of their own, started as ``multiprocessing`` starts them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

from gillab.strategies import Strategy

MOST_WORKERS = 61 if sys.platform == "win32" else sys.maxsize
"""Windows waits for no more processes at once; the pool refuses them."""


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(start_method),
        initializer=initializer,
        initargs=initargs,
    )


PROCESSES = Strategy("processes", _create, own_process=True, forks=True, singular="process", rank=2)
