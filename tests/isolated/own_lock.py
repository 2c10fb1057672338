"""A library that releases the GIL and has a lock of its own, as parsers and file formats do."""

import threading

from gillab.kernels import countdown_nogil

_lock = threading.Lock()


def parse() -> None:
    """Compute without the GIL, one call at a time all the same."""
    with _lock:
        countdown_nogil(30_000_000)
