"""An arm within a launch: its workers, and how they are timed while they work off a queue."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import count
from typing import Any

from gillab.blocks.messages import Traced
from gillab.blocks.plan import Arm, Role, divide
from gillab.limits import write_duration
from gillab.results import Status
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.cluster import ClusterExecutor, name_workers
from gillab.strategies.failure import (
    REFUSAL,
    LostError,
    UnavailableError,
    describe_exception,
    describe_exit,
)
from gillab.strategies.processes import find_started
from gillab.strategies.worker import (
    Ready,
    answer,
    forget,
    initialize,
    read_cpu_ns,
    run,
    run_plainly,
)
from gillab.workload import Task, Workload

_LATECOMER_S = 60.0
"""The workers that came wait at most this long for one that did not."""
_LATECOMER_SHARE = 0.8
"""And at most for this share of the timeout, so that a missing worker is reported before it is
up."""
_NUMBERS = count()
"""Numbers for pools: two pools in one process each have workers of their own."""
_CLOSING_S = 0.3
"""The wait for worker processes that have been told to end."""
_LONG_CALL_S, _MUCH_LONGER = 1e-3, 100.0
"""A first call that takes so long, and so many times as long as later ones, is noted. Python's own
caches save less."""
_FUNERAL_S = 5.0
"""The wait for the processes of a broken pool, to learn how they ended."""


class ArmError(Exception):
    """The arm cannot go on; the text is the reason."""

    def __init__(self, reason: str, status: Status = "failed") -> None:
        super().__init__(reason)
        self.status = status


class OpenArm:
    """An arm whose workers are ready."""

    note = ""
    """What a reader should know of its first calls; empty for nothing."""

    def __init__(
        self,
        arm: Arm,
        workload: Workload | Task,
        start_method: str | None,
        timeout_s: float,
        inner_threads: int | None = None,
    ) -> None:
        self.key = arm.key
        self._pool = f"{arm.key} {next(_NUMBERS)}"
        self.role: Role = arm.role
        self.workers = self.tasks = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy, arm.scheduler)
        self.pids: set[int] = set()
        """The processes that its workers are in; our own too, if workers are in it."""
        self.shares_data = arm.data == "shared" and self.strategy.shares_gil and arm.workers > 1
        obstacle = self.strategy.find_obstacle()
        if obstacle:
            raise ArmError(obstacle, "unavailable")
        self._processes: set[Any] = set()
        others = set(multiprocessing.active_children())
        started_ns = time.monotonic_ns()
        path = None if self.strategy.remote else sys.path
        # A process has one worker: nobody shares its data, and it may outlive the arm.
        data = "own" if self.strategy.own_process else arm.data
        initargs = (self._pool, workload, path, inner_threads, data)
        try:
            self._executor: Executor = self.strategy.create(
                arm.workers, initialize, initargs, start_method
            )
            patience_s = min(_LATECOMER_S, _LATECOMER_SHARE * timeout_s)
            ready_ns = self._await_workers(others, patience_s)
        except ArmError:
            raise
        except Exception as error:
            raise self._explain(error) from error
        if self.strategy.remote:  # its clock and its processes are another machine's
            ready_ns = time.monotonic_ns()
            self.pids = set()
        self.setup_s: float | None = max(0, ready_ns - started_ns) / 1e9

    def _await_workers(self, others: set[Any], patience_s: float) -> int:
        """Wait until every worker has answered, and return when the last one was ready."""

        def ask(pause_s: float) -> Future[Ready]:
            return self._executor.submit(answer, self._pool, pause_s)

        def keep() -> None:
            self._processes |= set(find_started(self._executor)) - others

        if isinstance(self._executor, ClusterExecutor):
            keep()
            ready = call_roll(self._executor, self._pool)
        else:
            ready = await_workers(self.workers, ask, keep, patience_s)
        self.pids = {pid for pid, _ in ready}
        return max(ready.values())

    def measure(self, steps: int) -> tuple[int, int]:
        """Have the workers do one task each; return elapsed and CPU time in nanoseconds.

        The tasks are queued in pieces (see `divide`). Any worker that is free takes the next one.
        """
        pieces = [piece for piece in divide(steps) for _ in range(self.workers)]
        own_cpu_ns = read_cpu_ns()
        started_ns = time.perf_counter_ns()
        try:
            futures = [self._executor.submit(run, self._pool, piece) for piece in pieces]
            outcomes = [future.result() for future in futures]
        except Exception as error:
            raise self._explain(error) from error
        elapsed_ns = time.perf_counter_ns() - started_ns
        cpu_ns = read_cpu_ns() - own_cpu_ns
        for pid, task_cpu_ns, failure in outcomes:
            if failure:
                raise _blame(failure)
            if pid != os.getpid() or self.strategy.own_process:
                cpu_ns += task_cpu_ns
        return elapsed_ns, cpu_ns

    def run_each(self, tasks: Sequence[int]) -> None:
        """Have the workers run tasks of so many steps, each given to them alone. ArmError."""
        try:
            futures = [self._executor.submit(run_plainly, self._pool, steps) for steps in tasks]
            failures = [future.result() for future in futures]
        except Exception as error:
            raise self._explain(error) from error
        for failure in failures:
            if failure:
                raise _blame(failure)

    def run_here(self, tasks: Sequence[int]) -> None:
        """Run tasks in a plain loop, in the one worker of this thread. ArmError."""
        for steps in tasks:
            failure = run_plainly(self._pool, steps)
            if failure:
                raise _blame(failure)

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Find the number of steps with which a task takes this long in two consecutive runs.

        Even a long task runs twice: a first call may import or compile things that later calls
        have. ``announce`` is called before each run but the first.
        """
        target_ns = task_time_s * 1e9
        steps, reached = 1, 0
        first_ns: float | None = None
        while True:
            elapsed_ns = self.measure(steps)[0] / self.workers
            first_ns = elapsed_ns if first_ns is None else first_ns
            if elapsed_ns >= target_ns:
                reached += 1
                if reached == 2:
                    self.note = describe_first_call(first_ns / 1e9, elapsed_ns / steps / 1e9)
                    return steps
            else:
                reached = 0
                # At most tenfold at once: a first reading of a microsecond tells little.
                factor = min(10.0, 1.1 * target_ns / max(elapsed_ns, 1))
                steps = max(steps + 1, int(steps * factor))
            announce()

    def warn(self) -> str:
        """Return what may keep a run from returning: nothing that is known of."""
        return ""

    def trace(self) -> Traced | None:
        """Return where the time of a run goes; None, since the meter tells what there is."""
        return None

    def close(self) -> None:
        """End the workers, and wait a while for those that are processes."""
        with suppress(Exception):  # a user's executor may raise anything
            self._executor.shutdown(wait=False, cancel_futures=True)
        forget(self._pool)
        deadline = time.monotonic() + _CLOSING_S
        for process in self._processes:
            with suppress(Exception):
                process.join(max(0.0, deadline - time.monotonic()))

    def _explain(self, error: Exception) -> ArmError:
        if isinstance(error, (LostError, UnavailableError)):
            return ArmError(str(error), "failed" if isinstance(error, LostError) else "unavailable")
        if not isinstance(error, BrokenProcessPool):
            return _blame(describe_exception(error))
        return ArmError(describe_deaths(self._processes) or describe_exception(error))


def await_workers(
    workers: int,
    ask: Callable[[float], Future[Ready]],
    keep: Callable[[], None],
    patience_s: float,
) -> dict[tuple[int, int], int]:
    """Wait until every worker has answered; return by process and thread when each was ready.

    ``ask`` asks some worker, which is to answer after a pause of so many seconds. ``keep`` is
    called when all have been asked: a broken pool forgets its processes, and with them their exit
    codes. ArmError if a worker has not come so long after the first.
    """
    ready: dict[tuple[int, int], int] = {}
    pause_s = 0.005
    until = math.inf
    while len(ready) < workers:
        if time.monotonic() > until:
            raise ArmError(f"only {len(ready)} of {workers} workers came")
        futures = [ask(pause_s) for _ in range(workers)]
        keep()
        for future in futures:
            worker, ready_ns, failure = future.result()
            if failure:
                raise _blame(failure)
            ready[worker] = ready_ns
        # A worker may be slow to start while the others answer in its place.
        until = min(until, time.monotonic() + patience_s)
        pause_s = min(2 * pause_s, 0.1)
    return ready


def call_roll(executor: ClusterExecutor, pool: str) -> dict[tuple[int, int], int]:
    """Ask each worker by its address; return by number when it was ready. ArmError names others."""
    futures = [executor.submit_to(each, answer, pool, 0.0) for each in executor.addresses]
    answers = [future.result() for future in futures]
    failures = [answer.failure for answer in answers]
    if any(failures):
        raise _blame(name_workers(dict(zip(executor.addresses, failures, strict=True))))
    # Workers on several machines may be alike in process and thread.
    return {(answer.worker[0], place): answer.ready_ns for place, answer in enumerate(answers)}


def describe_first_call(first_s: float, later_s: float) -> str:
    """Say where the first call took so much longer that later ones may do other work.

    ``while n: n -= 1`` uses up what its setup made, and is an empty loop from then on.
    """
    if first_s < _LONG_CALL_S or first_s < _MUCH_LONGER * later_s:
        return ""
    first, later = write_duration(first_s), write_duration(later_s)
    return f"its first call took {first} and later ones {later}: it may use up what its setup makes"


def describe_deaths(processes: Iterable[Any]) -> str | None:
    """Say how a worker process whose pool broke ended; None where none tells."""
    codes = await_exit_codes(processes) - {0}
    # The pool itself ends them with SIGTERM.
    telling = sorted(codes - {-15} or codes)
    return f"a worker process {describe_exit(telling[0])}" if telling else None


def await_exit_codes(processes: Iterable[Any]) -> set[int]:
    """Return the exit codes of the workers of a broken pool, which is ending those left."""
    deadline = time.monotonic() + _FUNERAL_S
    # join() and exitcode are not reliable at once. The pool's own thread waits for the same
    # processes. Between taking an exit code from the system and storing it, both answer here as if
    # the process still ran.
    while None in (codes := {process.exitcode for process in processes}):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return {code for code in codes if code is not None}


def _blame(failure: str) -> ArmError:
    """Distinguish a strategy that is unavailable here from one that failed."""
    return ArmError(failure, "unavailable" if REFUSAL in failure else "failed")
