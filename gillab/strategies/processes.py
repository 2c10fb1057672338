"""Processes of their own, started as ``multiprocessing`` starts them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from copy import copy
from multiprocessing.context import BaseContext
from typing import Any

from gillab.strategies import Strategy

MOST_WORKERS = 61 if sys.platform == "win32" else sys.maxsize
"""Windows waits for no more processes at once; the pool refuses them."""


class RememberingPool(ProcessPoolExecutor):
    """A pool that knows the processes which it has started, however they ended.

    A broken pool forgets its processes, and multiprocessing those that have ended; with them go
    their exit codes.
    """

    def __init__(
        self,
        workers: int,
        context: BaseContext,
        initializer: Callable[..., object],
        initargs: tuple[Any, ...],
    ) -> None:
        self.started: list[Any] = []

        def make_process(*args: Any, **named: Any) -> Any:
            process = context.Process(*args, **named)  # type: ignore[attr-defined]
            self.started.append(process)
            return process

        remembering = copy(context)
        remembering.Process = make_process  # type: ignore[attr-defined]
        super().__init__(
            workers, mp_context=remembering, initializer=initializer, initargs=initargs
        )


def find_started(executor: Executor) -> list[Any]:
    """Return the processes that an executor has started; of ours, those to come are added later.

    Of an executor that somebody else wrote all children that run are returned.
    """
    if isinstance(executor, RememberingPool):
        return executor.started
    return multiprocessing.active_children()


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    return RememberingPool(
        workers, multiprocessing.get_context(start_method), initializer, initargs
    )


PROCESSES = Strategy("processes", _create, own_process=True, forks=True, singular="process", rank=2)
