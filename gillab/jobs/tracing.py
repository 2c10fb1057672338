"""An instrumented run of a job, as it looks from within: parcels that keep time as they travel.

The executor is the one that is timed, with its own threads and queues; what travels through it
leaves the time when it is pickled and unpickled. All times are nanoseconds on the clock that all
processes of a machine share. Workers import this module: it imports nothing large.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One chunk's way through a worker."""

    worker: tuple[int, int]
    """Process and thread."""
    ready: int
    """When the worker was ready to work."""
    opened: int
    """When its unpickling began; as `begun`, where it does not travel."""
    begun: int
    computed: int
    cpu: int
    """CPU time of the computing."""
    packed: int
    """When its results were pickled; as `computed`, where they do not travel."""


class Trace(NamedTuple):
    """What a run left: where every worker was, and when its parent did what."""

    begun: int
    """When the pool was made."""
    read: int
    """When the last result was there."""
    ended: int
    """When the pool had ended."""
    workers: int
    steps: list[Step]
    reads: list[tuple[int, int]]
    """When the parent unpickled results."""
    travels: bool
    """Whether items and results are pickled on their way."""


_ready: dict[int, int] = {}
"""By thread: when it became a worker."""
_reads: list[tuple[int, int]] = []


def note_ready() -> None:
    """Initialize a worker."""
    _ready[threading.get_ident()] = time.monotonic_ns()


class Parcel:
    """A chunk of items on its way to a worker."""

    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self.work = work
        self.items = items

    def __reduce__(self) -> tuple[Any, ...]:
        return open_parcel, (_dump((self.work, self.items)),)


class OpenParcel(NamedTuple):
    """A parcel in its worker."""

    work: Callable[[Any], Any]
    items: Sequence[Any]
    opened: int


class Outcome:
    """A chunk's results on their way back."""

    def __init__(self, times: Sequence[Any], results: list[Any]) -> None:
        self.times = times
        self.results = results

    def __reduce__(self) -> tuple[Any, ...]:
        packed = _dump(self.results)
        return open_outcome, ((*self.times, time.monotonic_ns()), packed)


def open_parcel(packed: bytes) -> OpenParcel:
    """Unpickle a parcel, in the worker."""
    opened = time.monotonic_ns()
    work, items = pickle.loads(packed)
    return OpenParcel(work, items, opened)


def open_outcome(times: tuple[Any, ...], packed: bytes) -> Outcome:
    """Unpickle results, in the parent."""
    begun = time.monotonic_ns()
    results = pickle.loads(packed)
    _reads.append((begun, time.monotonic_ns()))
    return Outcome(times, results)


def run_parcel(parcel: OpenParcel) -> Outcome:
    """Compute a chunk, in the worker."""
    cpu = time.thread_time_ns()
    begun = time.monotonic_ns()
    work = parcel.work
    results = [work(item) for item in parcel.items]
    computed = time.monotonic_ns()
    cpu = time.thread_time_ns() - cpu
    thread = threading.get_ident()
    opened = parcel.opened
    return Outcome(
        ((os.getpid(), thread), _ready.get(thread, opened), opened, begun, computed, cpu), results
    )


def trace_map(
    make_pool: Callable[[], Any],
    work: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int,
    chunksize: int | None,
    *,
    travels: bool,
) -> tuple[Trace, list[Any]]:
    """Do what ``Executor.map`` does, and return what it left and the results.

    ``make_pool`` makes the executor, with `note_ready` as its workers' initializer. Items that do
    not travel to workers of their own need no parcels.
    """
    _reads.clear()
    _ready.clear()
    if not travels:
        return _trace_threads(make_pool, work, items, workers)
    size = chunksize or 1
    begun = time.monotonic_ns()
    with make_pool() as pool:
        parcels = (Parcel(work, items[at : at + size]) for at in range(0, len(items), size))
        outcomes = list(pool.map(run_parcel, parcels))
        read = time.monotonic_ns()
    ended = time.monotonic_ns()
    steps = [Step._make(each.times) for each in outcomes]
    results = [result for each in outcomes for result in each.results]
    return Trace(begun, read, ended, workers, steps, list(_reads), travels), results


def _trace_threads(
    make_pool: Callable[[], Any], work: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> tuple[Trace, list[Any]]:
    """Trace workers of this process with as little as can be done for an item."""
    clock, identify = time.monotonic_ns, threading.get_ident
    times: list[tuple[int, int, int]] = []

    def run(item: Any) -> Any:
        begun = clock()
        result = work(item)
        times.append((identify(), begun, clock()))
        return result

    begun = clock()
    with make_pool() as pool:
        results = list(pool.map(run, items))
        read = clock()
    ended = clock()
    steps = [
        Step((0, thread), _ready.get(thread, at), at, at, computed, computed - at, computed)
        for thread, at, computed in times
    ]
    return Trace(begun, read, ended, workers, steps, [], travels=False), results


def _dump(thing: Any) -> bytes:
    # The pool's own pickler knows more than pickle: sockets, say, which a process can hand on.
    reduction = sys.modules.get("multiprocessing.reduction")
    return bytes(reduction.ForkingPickler.dumps(thing)) if reduction else pickle.dumps(thing)
