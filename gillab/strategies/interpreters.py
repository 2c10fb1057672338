"""Subinterpreters with a GIL each, every one in a thread of the calling process (PEP 734)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from gillab.strategies import Strategy


def _find_obstacle() -> str | None:
    if sys.version_info >= (3, 14):
        return None
    return f"needs Python 3.14; this is {sys.version_info[0]}.{sys.version_info[1]}"


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> Executor:
    if sys.version_info >= (3, 14):
        from concurrent.futures import InterpreterPoolExecutor

        return InterpreterPoolExecutor(workers, initializer=initializer, initargs=initargs)
    raise RuntimeError(_find_obstacle())


INTERPRETERS = Strategy(
    "interpreters", _create, _find_obstacle, own_interpreter=True, singular="interpreter", rank=1
)
