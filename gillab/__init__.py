"""Threads, processes, subinterpreters or free-threaded Python: measured on your own code."""

TYPE_CHECKING = False  # true for type checkers; typing itself takes longer to load than the kernels
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


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for, so that importing gillab costs nothing."""
    if name in __all__:
        from gillab import kernels

        value: object = getattr(kernels, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
