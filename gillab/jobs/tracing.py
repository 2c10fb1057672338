"""An instrumented run of a job: what `Executor.map` does, and where every worker was meanwhile.

All times are nanoseconds on the clock that all processes of a machine share.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from gillab.jobs.stamps import Sent, find_ready, forget_ready, run_chunk, run_item


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


class Run(NamedTuple):
    """A job to be run in a pool."""

    make_pool: Callable[[], Any]
    """Makes the executor, with `note_ready` as its workers' initializer."""
    work: Callable[[Any], Any]
    items: Sequence[Any]
    workers: int


def trace_chunks(run: Run, chunksize: int) -> tuple[Trace, list[Any]]:
    """Map over chunks, as an executor of processes does; return what it left and the results."""

    def take(outcomes: Iterator[Any], keep: Callable[[Any], None]) -> Iterator[Any]:
        for times, begun, chunk, ended in outcomes:
            keep((times, begun, ended))
            # As the executor's own: what has been taken is not held on to.
            chunk.reverse()
            while chunk:
                yield chunk.pop()

    return _trace_travels(run, Sent(run_chunk, run.work), _cut(run.items, chunksize), take)


def trace_items(run: Run) -> tuple[Trace, list[Any]]:
    """Map over items that travel alone, as an executor of subinterpreters does."""

    def take(outcomes: Iterator[Any], keep: Callable[[Any], None]) -> Iterator[Any]:
        for times, begun, result, ended in outcomes:
            keep((times, begun, ended))
            yield result

    return _trace_travels(run, Sent(run_item, run.work), iter(run.items), take)


def _cut(items: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    each = zip(items)
    while chunk := tuple(itertools.islice(each, size)):
        yield chunk


def _trace_travels(
    run: Run,
    work: Sent,
    pieces: Iterator[Any],
    take: Callable[[Iterator[Any], Callable[[Any], None]], Iterator[Any]],
) -> tuple[Trace, list[Any]]:
    kept: list[tuple[tuple[int, ...], int, tuple[int, int]]] = []
    forget_ready()
    begun = time.monotonic_ns()
    with run.make_pool() as pool:
        results = list(take(pool.map(work, pieces), kept.append))
        read = time.monotonic_ns()
    ended = time.monotonic_ns()
    steps = [
        Step((pid, thread), ready, opened, at, computed, cpu, packed)
        for (pid, thread, ready, opened, at, computed, cpu), _, (packed, _) in kept
    ]
    reads = [(opened, closed) for _, opened, (_, closed) in kept]
    return Trace(begun, read, ended, run.workers, steps, reads, travels=True), results


def trace_threads(run: Run) -> tuple[Trace, list[Any]]:
    """Map over items that do not travel, with as little as can be done for an item.

    The times come back with the result: threads that shared a list would wait for one another.
    """
    clock, identify, work = time.monotonic_ns, threading.get_ident, run.work

    def compute(item: Any) -> tuple[Any, int, int, int]:
        begun = clock()
        result = work(item)
        return result, identify(), begun, clock()

    kept: list[tuple[int, int, int]] = []

    def take(outcomes: Iterator[Any]) -> Iterator[Any]:
        for result, thread, begun, computed in outcomes:
            kept.append((thread, begun, computed))
            yield result

    forget_ready()
    begun = clock()
    with run.make_pool() as pool:
        results = list(take(pool.map(compute, run.items)))
        read = clock()
    ended = clock()
    steps = [
        Step((0, thread), find_ready(thread, at), at, at, computed, computed - at, computed)
        for thread, at, computed in kept
    ]
    return Trace(begun, read, ended, run.workers, steps, [], travels=False), results
