"""The countdown in pure Python, the loop of *Mastering Python* (Packt, 2016)."""

from operator import index


def countdown_python(n: int) -> int:
    """Count ``n`` down to zero in bytecode, which holds the GIL but hands it over on request.

    Returns the steps taken, ``max(n, 0)``. The reference for the behaviour of every kernel.
    TypeError where ``n`` is not an integer.
    """
    steps = n = index(n)
    while n > 0:
        n -= 1
    return max(steps, 0)
