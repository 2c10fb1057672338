"""Where the worker-seconds of a job went: a trace in, fractions out.

So many workers over the time of a job are all there is. Every stretch of a worker's time gets one
name, so that the parts add up to the whole by construction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from gillab.jobs.tracing import Step, Trace


def split_time(trace: Trace) -> tuple[float, ...]:
    """Return the fractions of start, send, compute, receive and idle, which add up to one.

    The sixth is that part of compute in which the worker had no CPU.

    A worker that waits for a chunk waits for what the parent sends, unless the parent is reading
    results meanwhile. Threads are sent nothing: they wait for the GIL, or for the queue's lock.
    """
    whole = trace.workers * (trace.ended - trace.begun)
    reading = _Cover(trace.reads)
    last = max((step.packed for step in trace.steps), default=trace.read)
    start = send = compute = receive = without_cpu = 0
    by_worker: dict[tuple[int, int], list[Step]] = {}
    for step in trace.steps:
        by_worker.setdefault(step.worker, []).append(step)
    for steps in by_worker.values():
        steps.sort(key=lambda step: step.opened)
        free = max(trace.begun, min(steps[0].ready, steps[0].opened))
        start += free - trace.begun
        for step in steps:
            if trace.travels:
                behind = reading.measure(free, step.opened)
                receive += behind
                send += step.opened - free - behind + step.begun - step.opened
                receive += step.packed - step.computed
            compute += step.computed - step.begun
            without_cpu += max(0, step.computed - step.begun - step.cpu)
            free = step.packed
        start += trace.ended - trace.read
        if trace.travels:
            receive += trace.read - last
    if by_worker:
        # A worker that was never seen had nothing to do; it was started all the same.
        absent = trace.workers - len(by_worker)
        start += max(0, absent) * (trace.ended - trace.read)
    spent = start + send + compute + receive
    # More threads than asked for there are none; but a clock may be off by a little.
    whole = max(whole, spent, 1)
    parts = (start, send, compute, receive, whole - spent, without_cpu)
    return tuple(part / whole for part in parts)


class _Cover:
    """Intervals that do not overlap, and how much of a stretch they cover."""

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(intervals)
        self._begins = [begin for begin, _ in ordered]
        self._ends = [end for _, end in ordered]
        self._sums = [0, *accumulate(end - begin for begin, end in ordered)]

    def measure(self, begin: int, end: int) -> int:
        """Return how much of the stretch is covered."""
        return max(0, self._before(end) - self._before(begin))

    def _before(self, moment: int) -> int:
        place = bisect_right(self._begins, moment)
        if place == 0:
            return 0
        return self._sums[place - 1] + min(moment, self._ends[place - 1]) - self._begins[place - 1]
