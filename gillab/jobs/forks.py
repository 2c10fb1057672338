"""Whether a program forks while it is set up: where it then hangs, that is the likely cause."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watch_forks(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` before the first fork of this process within the block."""
    waiting = [tell]

    def before() -> None:
        if waiting:
            waiting.pop()()

    # There is no way to take it back, and no such thing where nothing forks.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before)
    try:
        yield
    finally:
        waiting.clear()
