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

from gillab.errors import UsageError
from gillab.model.processors import Processors
from gillab.model.task import Task

SWITCH_INTERVAL_S = 0.005
"""CPython's default, ``sys.getswitchinterval()``."""
HANDOVER_S = 10e-6
"""From the moment that a thread drops the lock until a thread that waited for it holds it."""
VARIATION = 0.1
"""How far, as a fraction, the length of a part of a call may differ from its mean. Without it,
threads can fall into a step that no real machine keeps."""
_EVENTS = 12_000
_WARM_UP = 0.25
"""The share of the events until the threads are taken to be in their steady state."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What the threads did in the steady state."""

    calls_per_s: tuple[float, ...]
    """Of each thread; a part of a call counts as that part."""
    switches_per_s: float
    """How often the lock went from one thread to another."""


def simulate(
    tasks: Sequence[Task],
    cores: float,
    switch_interval_s: float = SWITCH_INTERVAL_S,
    handover_s: float = HANDOVER_S,
    variation: float = VARIATION,
    seed: int = 1,
    events: int = _EVENTS,
) -> Rates:
    """Return the rates of threads that share one GIL; each makes calls of its task, end to end.

    The same seed gives the same rates. UsageError for no task, less than one core, and times that
    are out of their range.
    """
    if not tasks:
        raise UsageError("there is no thread to simulate; give it a task.")
    if not cores >= 1:
        raise UsageError(f"cores must be a number from 1 on, not {cores}.")
    if not 0 < switch_interval_s < math.inf:
        raise UsageError(f"the switch interval is a time above 0 s, not {switch_interval_s}.")
    if not 0 <= handover_s < math.inf:
        raise UsageError(f"the hand-over is a time from 0 s up, not {handover_s}.")
    if not 0 <= variation < 1:
        raise UsageError(f"the variation is a fraction from 0 to below 1, not {variation}.")
    simulation = _Simulation(
        tasks, cores, switch_interval_s, handover_s, variation, random.Random(seed)
    )
    simulation.run(int(events * _WARM_UP))
    before = simulation.snapshot()
    simulation.run(events - int(events * _WARM_UP))
    after = simulation.snapshot()
    seconds = after.now_s - before.now_s
    return Rates(
        tuple(
            (late - early) / task.total_s / seconds
            for task, early, late in zip(tasks, before.done_s, after.done_s, strict=True)
        ),
        (after.switches - before.switches) / seconds,
    )


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
class _Snapshot:
    now_s: float
    switches: int
    done_s: list[float]


class _Simulation:
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
        self.interval_s = interval_s
        self.handover_s = handover_s
        self.variation = variation
        self.random = generator.random
        self.now_s = 0.0
        self.processors = Processors(cores)
        self.timers: list[tuple[float, int, Callable[[_Thread], None], _Thread]] = []
        self.timer_numbers = count()

        self.holder: _Thread | None = None
        self.last_holder: _Thread | None = None
        self.switches = 0
        self.switched_s = 0.0
        self.waiters: deque[_Thread] = deque()
        self.drop_requested = False
        self.request_s = math.inf
        """When the first of the waiters will ask for the lock."""
        self.waits_for_switch: _Thread | None = None
        """The thread that was asked and dropped the lock, until another has taken it."""

        self.threads = [_Thread(number, task) for number, task in enumerate(tasks)]
        for thread in self.threads:
            self.start(thread, generator.random() * thread.task.total_s)

    def run(self, events: int) -> None:
        """Let so many events happen."""
        processors, timers = self.processors, self.timers
        for _ in range(events):
            end_s, number = processors.find_next_end()
            timer_s = timers[0][0] if timers else math.inf
            self.now_s = min(end_s, timer_s, self.request_s)
            processors.advance(self.now_s)
            if self.now_s == end_s:
                processors.stop(number)
                self.end_cpu_part(self.threads[number])
            elif self.now_s == timer_s:
                _, _, act, thread = heapq.heappop(timers)
                act(thread)
            else:
                self.request_drop()

    def snapshot(self) -> _Snapshot:
        """Return what was done until now."""
        for thread in self.threads:
            left_s = self.processors.left_s(thread.number) or thread.waits_until_s - self.now_s
            if left_s > 0:
                thread.done_s += thread.part_s - left_s
                thread.part_s = left_s
        return _Snapshot(self.now_s, self.switches, [each.done_s for each in self.threads])

    def later(self, after_s: float, act: Callable[[_Thread], None], thread: _Thread) -> None:
        """Do something with a thread after some time."""
        timer = (self.now_s + after_s, next(self.timer_numbers), act, thread)
        heapq.heappush(self.timers, timer)

    def vary(self, mean_s: float) -> float:
        """Return how long a part of a call takes this time."""
        return mean_s * (1 + self.variation * (2 * self.random() - 1))

    # A call: the held part, the released part, the waiting.

    def start(self, thread: _Thread, left_s: float) -> None:
        """Start in the middle of a call, so much before its end, as it is in the steady state."""
        task = thread.task
        if left_s <= task.waiting_s:
            self.wait(thread, left_s)
        elif left_s <= task.waiting_s + task.released_s:
            thread.part_s = left_s - task.waiting_s
            self.processors.start(thread.number, thread.part_s)
        else:
            thread.needs_lock = True
            thread.part_s = left_s - task.waiting_s - task.released_s
            self.take_or_wait(thread)

    def begin_call(self, thread: _Thread) -> None:
        if thread.task.held_s:
            thread.needs_lock = True
            thread.part_s = self.vary(thread.task.held_s)
            self.take_or_wait(thread)
        else:
            self.begin_released(thread)

    def end_cpu_part(self, thread: _Thread) -> None:
        thread.done_s += thread.part_s
        task = thread.task
        if not thread.needs_lock:
            self.begin_waiting(thread)
        elif task.released_s or task.waiting_s:
            thread.needs_lock = False
            self.drop(thread)
        else:
            # Between two calls runs bytecode, which drops the lock only if asked to.
            thread.part_s = self.vary(task.held_s)
            if self.drop_requested:
                self.drop(thread)
            else:
                self.processors.start(thread.number, thread.part_s)

    def go_on(self, thread: _Thread) -> None:
        """Let a thread that has dropped the lock do what comes next."""
        if thread.needs_lock:
            self.take_or_wait(thread)
        else:
            self.begin_released(thread)

    def begin_released(self, thread: _Thread) -> None:
        if thread.task.released_s:
            thread.part_s = self.vary(thread.task.released_s)
            self.processors.start(thread.number, thread.part_s)
        else:
            self.begin_waiting(thread)

    def begin_waiting(self, thread: _Thread) -> None:
        if thread.task.waiting_s:
            self.wait(thread, self.vary(thread.task.waiting_s))
        else:
            self.begin_call(thread)

    def wait(self, thread: _Thread, waiting_s: float) -> None:
        thread.part_s = waiting_s
        thread.waits_until_s = self.now_s + waiting_s
        self.later(waiting_s, self.end_waiting, thread)

    def end_waiting(self, thread: _Thread) -> None:
        thread.done_s += thread.part_s
        self.begin_call(thread)

    # The lock.

    def take_or_wait(self, thread: _Thread) -> None:
        if self.holder is None:
            self.take(thread)
        else:
            thread.asks_from_s = self.now_s
            self.waiters.append(thread)
            if not self.drop_requested:
                self.request_s = min(self.request_s, self.now_s + self.interval_s)

    def take(self, thread: _Thread) -> None:
        self.holder = thread
        if thread is not self.last_holder:
            self.last_holder = thread
            self.switches += 1
            self.switched_s = self.now_s
        if self.waits_for_switch is not None:
            self.later(self.handover_s, self.go_on, self.waits_for_switch)
            self.waits_for_switch = None
        self.request_s = min(map(self.find_request, self.waiters), default=math.inf)
        self.processors.start(thread.number, thread.part_s)

    def drop(self, thread: _Thread) -> None:
        self.holder = None
        self.request_s = math.inf
        if self.waiters:
            self.later(self.handover_s, self.take_or_wait, self.waiters.popleft())
        if self.drop_requested:
            self.drop_requested = False
            self.waits_for_switch = thread
        else:
            self.go_on(thread)

    def find_request(self, waiter: _Thread) -> float:
        """Return when a waiter asks: at the end of its first interval without a switch."""
        past_s = max(0.0, self.switched_s - waiter.asks_from_s)
        return waiter.asks_from_s + (math.ceil(past_s / self.interval_s) + 1) * self.interval_s

    def request_drop(self) -> None:
        holder = self.holder
        assert holder is not None
        self.drop_requested = True
        self.request_s = math.inf
        if holder.task.interruptible:
            left_s = self.processors.left_s(holder.number)
            self.processors.stop(holder.number)
            holder.done_s += holder.part_s - left_s
            holder.part_s = left_s
            self.drop(holder)
