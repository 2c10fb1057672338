"""Cores that are shared equally by all threads that run: processor sharing.

This is what a fair scheduler with short time slices comes to. All threads that run advance at the
same speed, so one clock, the CPU time that each of them has had, orders their ends (L. Kleinrock,
"Time-shared systems: a theoretical treatment", Journal of the ACM 14(2), 1967).
"""

from __future__ import annotations

import heapq
import math
from itertools import count


class Processors:
    """So many cores, and how much CPU time each running thread (a number) still needs."""

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._now_s = 0.0
        self._served_s = 0.0
        """CPU time that a thread would have had that ran from the start."""
        self._speed = 1.0
        """CPU seconds a second for each running thread."""
        self._ends: dict[int, tuple[float, int]] = {}
        """At which ``_served_s`` each running thread ends, and which of its runs this is."""
        self._queue: list[tuple[float, int, int]] = []
        """The same in order, with those that were stopped before their end."""
        self._runs = count()

    def advance(self, now_s: float) -> None:
        """Let the time pass; none that runs may end before."""
        self._served_s += (now_s - self._now_s) * self._speed
        self._now_s = now_s

    def start(self, thread: int, cpu_s: float) -> None:
        """Let a thread run until it has had so much CPU time."""
        end, run = self._served_s + cpu_s, next(self._runs)
        self._ends[thread] = end, run
        heapq.heappush(self._queue, (end, run, thread))
        self._share()

    def left_s(self, thread: int) -> float:
        """Return the CPU time that a thread still needs; 0 for one that does not run."""
        return max(0.0, self._ends[thread][0] - self._served_s) if thread in self._ends else 0.0

    def stop(self, thread: int) -> None:
        """Take a thread off its core."""
        del self._ends[thread]
        self._share()

    def find_next_end(self) -> tuple[float, int]:
        """Return when the first thread ends, and which; infinity and -1 if none runs."""
        queue = self._queue
        while queue:
            end, run, thread = queue[0]
            if self._ends.get(thread) == (end, run):
                return self._now_s + max(0.0, end - self._served_s) / self._speed, thread
            heapq.heappop(queue)
        return math.inf, -1

    def _share(self) -> None:
        running = len(self._ends)
        self._speed = min(1.0, self._cores / running) if running else 1.0
