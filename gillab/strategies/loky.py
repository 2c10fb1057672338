"""Processes of loky, which is what ``joblib.Parallel`` runs its tasks in by default.

They are started anew as a program of its own would be, whatever the start method, and what cannot
be pickled travels by ``cloudpickle``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from importlib.util import find_spec
from typing import Any

from gillab.strategies import Strategy


def _find_obstacle() -> str | None:
    return None if find_spec("loky") else "needs loky: pip install 'gillab[cluster]'"


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    from loky import ProcessPoolExecutor  # only where it is asked for

    executor: Executor = ProcessPoolExecutor(workers, initializer=initializer, initargs=initargs)
    return executor


LOKY = Strategy("loky", _create, _find_obstacle, own_process=True, rank=3)
