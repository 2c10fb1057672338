"""A simulation of threads that share one GIL and some cores, event by event.

The protocol is CPython's (``take_gil`` and ``drop_gil`` in ``Python/ceval_gil.c``; A. Pitrou, 2009,
CPython 3.2):

- A thread takes the lock if it is free. If not, it waits on a condition for the switch interval.
- If that time is up and the lock has not changed hands meanwhile, it asks the holder to drop the
  lock, and waits on. A thread that is woken and finds the lock taken again starts a new interval.
- Bytecode drops the lock as soon as it is asked. A call into C holds it to its end.
- Dropping the lock wakes the thread that has waited longest. Until it has woken up, any thread
  may take the lock, also the one that dropped it.
- But a thread that was asked waits until another has taken the lock (a forced switch).

Waking a thread takes the hand-over time, in which it uses no core. The cores are shared equally by
all threads that run (`gillab.model.processors`).
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from gillab.model.processors import Processors
from gillab.model.task import Task


class _Thread:
    """A thread: the part of its call that it is in, and what is left of it."""

    def __init__(self, number: int, task: Task) -> None:
        self.number = number
        self.task = task
        self.needs_lock = False
        """Whether it is in the held part of a call, with the lock or without."""
        self.part_s = 0.0
        """What was left of this part when the thread last began to run or to wait."""
        self.asks_from_s = 0.0
        """When its present wait for the lock began."""
        self.waits_until_s = 0.0
        """When the waiting of its call ends; in the past if it does not wait."""
        self.done_s = 0.0
        """The length of all parts that it has done."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was done until one moment: seconds, changes of the holder, seconds of each thread."""

    now_s: float
    switches: int
    done_s: list[float]


class Simulation:
    """The threads, the lock and the cores at one moment, and the events to come."""

    def __init__(
        self,
        tasks: Sequence[Task],
        cores: float,
        interval_s: float,
        handover_s: float,
        variation: float,
        generator: random.Random,
    ) -> None:
        self._interval_s = interval_s
        self._handover_s = handover_s
        self._variation = variation
        self._random = generator.random
        self._now_s = 0.0
        self._processors = Processors(cores)
        self._timers: list[tuple[float, int, Callable[[_Thread], None], _Thread]] = []
        self._timer_numbers = count()

        self._holder: _Thread | None = None
        self._last_holder: _Thread | None = None
        self._switches = 0
        self._switched_s = 0.0
        self._waiters: deque[_Thread] = deque()
        self._drop_requested = False
        self._request_s = math.inf
        """When the first of the waiters will ask for the lock."""
        self._waits_for_switch: _Thread | None = None
        """The thread that was asked and dropped the lock, until another has taken it."""

        self._threads = [_Thread(number, task) for number, task in enumerate(tasks)]
        for thread in self._threads:
            self._start(thread, generator.random() * thread.task.total_s)

    def run(self, events: int) -> None:
        """Let so many events happen."""
        processors, timers = self._processors, self._timers
        for _ in range(events):
            end_s, number = processors.find_next_end()
            timer_s = timers[0][0] if timers else math.inf
            self._now_s = min(end_s, timer_s, self._request_s)
            processors.advance(self._now_s)
            if self._now_s == end_s:
                processors.stop(number)
                self._end_cpu_part(self._threads[number])
            elif self._now_s == timer_s:
                _, _, act, thread = heapq.heappop(timers)
                act(thread)
            else:
                self._request_drop()

    def snapshot(self) -> Snapshot:
        """Return what was done until now."""
        for thread in self._threads:
            left_s = self._processors.left_s(thread.number) or thread.waits_until_s - self._now_s
            if left_s > 0:
                thread.done_s += thread.part_s - left_s
                thread.part_s = left_s
        return Snapshot(self._now_s, self._switches, [each.done_s for each in self._threads])

    def _later(self, after_s: float, act: Callable[[_Thread], None], thread: _Thread) -> None:
        """Do something with a thread after some time."""
        timer = (self._now_s + after_s, next(self._timer_numbers), act, thread)
        heapq.heappush(self._timers, timer)

    def _vary(self, mean_s: float) -> float:
        """Return how long a part of a call takes this time."""
        return mean_s * (1 + self._variation * (2 * self._random() - 1))

    # A call: the held part, the released part, the waiting.

    def _start(self, thread: _Thread, left_s: float) -> None:
        """Start in the middle of a call, so much before its end, as it is in the steady state."""
        task = thread.task
        if left_s <= task.waiting_s:
            self._wait(thread, left_s)
        elif left_s <= task.waiting_s + task.released_s:
            thread.part_s = left_s - task.waiting_s
            self._processors.start(thread.number, thread.part_s)
        else:
            thread.needs_lock = True
            thread.part_s = left_s - task.waiting_s - task.released_s
            self._take_or_wait(thread)

    def _begin_call(self, thread: _Thread) -> None:
        if thread.task.held_s:
            thread.needs_lock = True
            thread.part_s = self._vary(thread.task.held_s)
            self._take_or_wait(thread)
        else:
            self._begin_released(thread)

    def _end_cpu_part(self, thread: _Thread) -> None:
        thread.done_s += thread.part_s
        task = thread.task
        if not thread.needs_lock:
            self._begin_waiting(thread)
        elif task.released_s or task.waiting_s:
            thread.needs_lock = False
            self._drop(thread)
        else:
            # Between two calls runs bytecode, which drops the lock only if asked to.
            thread.part_s = self._vary(task.held_s)
            if self._drop_requested:
                self._drop(thread)
            else:
                self._processors.start(thread.number, thread.part_s)

    def _go_on(self, thread: _Thread) -> None:
        """Let a thread that has dropped the lock do what comes next."""
        if thread.needs_lock:
            self._take_or_wait(thread)
        else:
            self._begin_released(thread)

    def _begin_released(self, thread: _Thread) -> None:
        if thread.task.released_s:
            thread.part_s = self._vary(thread.task.released_s)
            self._processors.start(thread.number, thread.part_s)
        else:
            self._begin_waiting(thread)

    def _begin_waiting(self, thread: _Thread) -> None:
        if thread.task.waiting_s:
            self._wait(thread, self._vary(thread.task.waiting_s))
        else:
            self._begin_call(thread)

    def _wait(self, thread: _Thread, waiting_s: float) -> None:
        thread.part_s = waiting_s
        thread.waits_until_s = self._now_s + waiting_s
        self._later(waiting_s, self._end_waiting, thread)

    def _end_waiting(self, thread: _Thread) -> None:
        thread.done_s += thread.part_s
        self._begin_call(thread)

    # The lock.

    def _take_or_wait(self, thread: _Thread) -> None:
        if self._holder is None:
            self._take(thread)
        else:
            thread.asks_from_s = self._now_s
            self._waiters.append(thread)
            if not self._drop_requested:
                self._request_s = min(self._request_s, self._now_s + self._interval_s)

    def _take(self, thread: _Thread) -> None:
        self._holder = thread
        if thread is not self._last_holder:
            self._last_holder = thread
            self._switches += 1
            self._switched_s = self._now_s
        if self._waits_for_switch is not None:
            self._later(self._handover_s, self._go_on, self._waits_for_switch)
            self._waits_for_switch = None
        asks_s = min(map(self._find_request, self._waiters), default=math.inf)
        # If the time was up while the lock was free, the waiter asks now.
        self._request_s = max(self._now_s, asks_s)
        self._processors.start(thread.number, thread.part_s)

    def _drop(self, thread: _Thread) -> None:
        self._holder = None
        self._request_s = math.inf
        if self._waiters:
            self._later(self._handover_s, self._take_or_wait, self._waiters.popleft())
        if self._drop_requested:
            self._drop_requested = False
            self._waits_for_switch = thread
        else:
            self._go_on(thread)

    def _find_request(self, waiter: _Thread) -> float:
        """Return when a waiter asks: at the end of its first interval without a switch."""
        past_s = max(0.0, self._switched_s - waiter.asks_from_s)
        return waiter.asks_from_s + (math.ceil(past_s / self._interval_s) + 1) * self._interval_s

    def _request_drop(self) -> None:
        holder = self._holder
        assert holder is not None
        self._drop_requested = True
        self._request_s = math.inf
        if holder.task.interruptible:
            left_s = self._processors.left_s(holder.number)
            self._processors.stop(holder.number)
            holder.done_s += holder.part_s - left_s
            holder.part_s = left_s
            self._drop(holder)
