"""What the system says about how often, and how long, it kept a thread from the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def count_preemptions() -> int | None:
    """Return how often the system has taken the CPU from this thread; None if it does not tell."""
    try:
        from resource import RUSAGE_THREAD, getrusage  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return int(getrusage(RUSAGE_THREAD).ru_nivcsw)


@contextmanager
def open_delays(*native_ids: int) -> Iterator[list[int]]:
    """Open the files in which Linux reports on these threads, for `gillab._repeat.ask`.

    -1 for each file that cannot be opened, as on any other system.
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
