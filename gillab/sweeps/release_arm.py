"""An arm that makes calls for a while, alone or beside a busy thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import Traced
from gillab.blocks.plan import Arm, Role
from gillab.kernels import countdown_python
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.failure import describe_exception
from gillab.strategies.worker import read_cpu_ns
from gillab.sweeps.release_plan import Place
from gillab.workload import Task

_RUN_NS = 50_000_000
"""Ten switch intervals: so often at least a busy thread and a caller take turns."""
_TURN = 200
"""Steps of the countdown in pure Python that are one turn of the busy thread."""


class Call:
    """A call that arms share; once it has raised, it fails in the same way for all of them.

    A statement that raised cannot go on: its loop has ended.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.failure = ""


class ReleaseArm:
    """Makes calls for so long, or counts the turns of a busy thread meanwhile.

    The time of a call is given for as many steps as the largest call has; that of a turn as it is.
    """

    tasks: float = 1.0
    """The calls or turns of the last run."""
    shares_data = False
    setup_s: float | None = None

    def __init__(self, arm: Arm, place: Place | None, largest: int, call: Call | None) -> None:
        self.key = arm.key
        self.role: Role = arm.role
        self.workers = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy)
        self.pids = {os.getpid()}
        self._place = place
        self._largest = largest
        self._made = call
        self._run_ns = _RUN_NS

    def measure(self, steps: int) -> tuple[int, int]:
        """Run for a while; return elapsed and CPU time in nanoseconds.

        ``steps`` are those of the largest call, whatever this arm's are; fewer for a warm-up, which
        is shorter by as much.
        """
        self._run_ns = _RUN_NS * min(steps, self._largest) // self._largest
        own_cpu_ns = read_cpu_ns()
        made = self._made
        if made is not None and made.failure:
            raise ArmError(made.failure)
        try:
            elapsed_ns = self._run()
        except Exception as error:
            reason = describe_exception(error)
            if made is not None:
                made.failure = reason
            raise ArmError(reason) from error
        return elapsed_ns, read_cpu_ns() - own_cpu_ns

    def _run(self) -> int:
        place = self._place
        if place is None:
            turns = [0]
            elapsed_ns = _spin(turns, lambda begun: time.perf_counter_ns() - begun >= self._run_ns)
            self.tasks = float(turns[0])
            return elapsed_ns
        if place.where == "alone":
            calls, elapsed_ns = self._call(place.steps)
        else:
            with _busy_thread() as turns:
                before = turns[0]
                calls, elapsed_ns = self._call(place.steps)
                took = turns[0] - before
            if place.where == "turns":
                self.tasks = float(max(1, took))
                return elapsed_ns
        self.tasks = calls * place.steps / self._largest
        return elapsed_ns

    def _call(self, steps: int) -> tuple[int, int]:
        assert self._made is not None, "only the busy thread alone makes no calls"
        task, clock = self._made.task, time.perf_counter_ns
        calls = 0
        begun = clock()
        while True:
            task(steps)
            calls += 1
            now = clock()
            if now - begun >= self._run_ns:
                return calls, now - begun

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Return the steps of the largest call: they are planned."""
        return self._largest

    def warn(self) -> str:
        """Return what may keep a run from returning: nothing that is known of."""
        return ""

    def trace(self) -> Traced | None:
        """Return nothing: the time of a call is the figure."""
        return None

    def close(self) -> None:
        """Do nothing: the busy thread ends with each run."""


@contextmanager
def _busy_thread() -> Iterator[list[int]]:
    """Have a thread compute in pure Python meanwhile, and count its turns."""
    turns, stop = [0], threading.Event()
    thread = threading.Thread(target=_spin, args=(turns, lambda begun: stop.is_set()), daemon=True)
    thread.start()
    while not turns[0]:
        time.sleep(0.0005)
    try:
        yield turns
    finally:
        stop.set()
        thread.join()


def _spin(turns: list[int], ends: Callable[[int], bool]) -> int:
    """Compute turn after turn; return how long, in nanoseconds."""
    begun = time.perf_counter_ns()
    while not ends(begun):
        countdown_python(_TURN)
        turns[0] += 1
    return time.perf_counter_ns() - begun
