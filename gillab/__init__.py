"""Threads, processes, subinterpreters or free-threaded Python: measured on your own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gillab.kernels import (
        countdown_array,
        countdown_held,
        countdown_mixed,
        countdown_nogil,
        countdown_python,
    )

__version__ = "0.1.0"

__all__ = [
    "countdown_array",
    "countdown_held",
    "countdown_mixed",
    "countdown_nogil",
    "countdown_python",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that importing gillab costs nothing."""
    if name in __all__:
        from gillab import kernels

        return getattr(kernels, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
