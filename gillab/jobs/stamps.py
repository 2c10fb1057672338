"""What leaves the time as it travels: it notes when it is pickled, unpickled and computed.

The executor is the one that is timed, with its own threads and queues. What travels through it
takes the shape that it has in a run that is only timed, and is pickled as often; an object before
and one after it keep the time. Workers import this module, so it imports next to nothing: such an
import would be a part of the time.

All times are nanoseconds on the clock that all processes of a machine share.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from time import monotonic_ns, thread_time_ns

TYPE_CHECKING = False  # true for type checkers; typing takes longer to load than a worker to start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ready: dict[int, int] = {}
"""By thread: when it became a worker."""


def note_ready() -> None:
    """Initialize a worker."""
    _ready[threading.get_ident()] = monotonic_ns()


def forget_ready() -> None:
    """Forget the workers of an earlier pool."""
    _ready.clear()


def find_ready(thread: int, otherwise: int) -> int:
    """Return when a thread became a worker."""
    return _ready.get(thread, otherwise)


class Sent:
    """A function on its way to a worker, where it is ``run`` with the time of its arrival."""

    def __init__(self, run: Callable[..., Any], work: Callable[[Any], Any]) -> None:
        self.run = run
        self.work = work

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.run, self.work)

    def __call__(self, what: Any) -> Any:
        """Do nothing: an executor may ask for something that can be called."""
        raise NotImplementedError


def _open(run: Callable[..., Any], work: Callable[[Any], Any]) -> Callable[..., Any]:
    return partial(run, work, monotonic_ns())


class _Begin:
    """Unpickled, it is the time."""

    def __reduce__(self) -> tuple[Any, ...]:
        return monotonic_ns, ()


class _End:
    """Unpickled, it is the time of its pickling and that of its unpickling."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _close, (monotonic_ns(),)


def _close(packed: int) -> tuple[int, int]:
    return packed, monotonic_ns()


_BEGIN = _Begin()
_END = _End()


def run_chunk(work: Callable[[Any], Any], opened: int, chunk: Any) -> tuple[Any, ...]:
    """Compute a chunk as `Executor.map` has its workers do it: each item in a tuple of its own."""
    cpu = thread_time_ns()
    begun = monotonic_ns()
    results = [work(*item) for item in chunk]
    return _pack(results, opened, begun, monotonic_ns(), cpu)


def run_item(work: Callable[[Any], Any], opened: int, item: Any) -> tuple[Any, ...]:
    """Compute an item that travels alone."""
    cpu = thread_time_ns()
    begun = monotonic_ns()
    result = work(item)
    return _pack(result, opened, begun, monotonic_ns(), cpu)


def _pack(results: Any, opened: int, begun: int, computed: int, cpu: int) -> tuple[Any, ...]:
    cpu = thread_time_ns() - cpu
    thread = threading.get_ident()
    times = (os.getpid(), thread, _ready.get(thread, opened), opened, begun, computed, cpu)
    # A tuple is pickled, and unpickled, from left to right.
    return times, _BEGIN, results, _END
