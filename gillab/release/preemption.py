"""What the system tells of the CPU that it did not give to a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def count_preemptions() -> int | None:
    """Return how often the system has taken the CPU from this thread; None where it hides it."""
    try:
        from resource import RUSAGE_THREAD, getrusage  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return int(getrusage(RUSAGE_THREAD).ru_nivcsw)


@contextmanager
def open_delays(*native_ids: int) -> Iterator[list[int]]:
    """Open what Linux tells of these threads of the process: for `gillab._repeat.ask`.

    -1 for each where it cannot be opened, as on any other system.
    """
    files = []
    try:
        for native_id in native_ids:
            try:
                files.append(os.open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY))
            except OSError:
                files.append(-1)
        yield files
    finally:
        for file in files:
            if file >= 0:
                os.close(file)
