"""The countdown, written several ways.

Each kernel takes a number of steps ``n`` and returns the steps taken, ``max(n, 0)``. They differ
in what they do with the global interpreter lock (GIL) while they count. Ctrl-C ends any of them
within a second when it runs in the main thread.
"""

from gillab.errors import CompiledPartMissingError
from gillab.kernels.pure import countdown_python

try:
    from gillab.kernels._native import (
        BARRIER,
        COMPILER,
        countdown_array,
        countdown_held,
        countdown_mixed,
        countdown_nogil,
    )
except ModuleNotFoundError as error:
    if error.name != "gillab.kernels._native":
        raise
    raise CompiledPartMissingError.of("kernels are", __path__[0], error.name) from None

__all__ = [
    "BARRIER",
    "COMPILER",
    "KERNELS",
    "countdown_array",
    "countdown_held",
    "countdown_mixed",
    "countdown_nogil",
    "countdown_python",
]

KERNELS = {
    "countdown_python": countdown_python,
    "countdown_held": countdown_held,
    "countdown_nogil": countdown_nogil,
    "countdown_mixed": countdown_mixed,
}
"""The kernels that can be called with a number of steps alone, by name."""
