"""An arm of a job: one whole run, from making the pool over the last result to the pool's end."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import Traced
from gillab.blocks.plan import Arm, Role
from gillab.jobs.comparing import find_difference
from gillab.jobs.diagnosis import explain
from gillab.jobs.program import Job
from gillab.jobs.stamps import note_ready
from gillab.jobs.timeline import split_time
from gillab.jobs.tracing import Run, Trace, trace_chunks, trace_items, trace_threads
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.processes import find_started
from gillab.strategies.worker import read_cpu_ns


class JobArm:
    """Runs the job in a pool of its own, each time anew; serial is the plain loop."""

    tasks = 1
    shares_data = False
    setup_s: float | None = None

    def __init__(self, arm: Arm, job: Job, start_method: str | None) -> None:
        self.key = arm.key
        self.role: Role = arm.role
        self.workers = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy, arm.scheduler)
        self.pids = {os.getpid()}
        self._chunksize = arm.chunksize
        self._processes: list[Any] = []
        self._job = job
        self._start_method = start_method
        obstacle = self.strategy.find_obstacle()
        if obstacle:
            raise ArmError(obstacle, "unavailable")

    def measure(self, steps: int) -> tuple[int, int]:
        """Run the job once; return elapsed and CPU time in nanoseconds.

        ``steps`` are the items of the first launch: a job is the same in each.
        """
        items = len(self._job.items)
        if steps != items:
            raise ArmError(f"its items are not always as many: {steps} at first, now {items}")
        own_cpu_ns = _read_job_cpu_ns()
        begun_ns = time.monotonic_ns()
        try:
            results = self._run()
        except Exception as error:
            raise self._explain(error) from error
        elapsed_ns = time.monotonic_ns() - begun_ns
        # A program keeps its results for longer: freeing them is no part of the job.
        del results
        return elapsed_ns, _read_job_cpu_ns() - own_cpu_ns

    def _run(self) -> list[Any]:
        if not self.strategy.parallel:
            return list(map(self._job.work, self._job.items))
        # A program's pool has no initializer; int does nothing, and is known everywhere.
        with self._make_pool(int) as pool:
            results = pool.map(self._job.work, self._job.items, chunksize=self._chunksize or 1)
            return list(results)

    def _make_pool(self, initializer: Callable[[], object]) -> Any:
        pool = self.strategy.create(self.workers, initializer, (), self._start_method)
        if self.strategy.own_process:
            self._processes = find_started(pool)
        return pool

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Return the number of items: a job is as long as it is."""
        return len(self._job.items)

    def warn(self) -> str:
        """Say where a worker may wait for ever for a lock that a thread of its parent held."""
        threads = count_threads()
        if threads == 1 or not self._forks():
            return ""
        return (
            f"its parent had {threads} threads when it forked, and a lock that one of them holds "
            "stays locked in the child: use --start-method spawn or forkserver"
        )

    def _forks(self) -> bool:
        method = self._start_method or multiprocessing.get_start_method()
        return self.strategy.forks and method == "fork"

    def trace(self) -> Traced | None:
        """Run the job with every step timed, and hold its results against the loop's."""
        if not self.strategy.parallel:
            return None
        job = self._job
        try:
            trace, results = self._trace()
        except Exception as error:
            raise self._explain(error) from error
        expected = list(map(job.work, job.items))
        seconds = (trace.ended - trace.begun) / 1e9
        # The clocks of other machines tell nothing here.
        parts = () if self.strategy.remote else split_time(trace)
        return Traced(self.key, seconds, parts, find_difference(expected, results))

    def _trace(self) -> tuple[Trace, list[Any]]:
        job = self._job
        run = Run(lambda: self._make_pool(note_ready), job.work, job.items, self.workers)
        if self.strategy.own_process:
            return trace_chunks(run, self._chunksize or 1)
        return trace_threads(run) if self.strategy.shares_gil else trace_items(run)

    def _explain(self, error: Exception) -> ArmError:
        return explain(error, self.strategy, self._job, self._start_method, self._processes)

    def close(self) -> None:
        """Do nothing: every run ends its own pool."""


def _read_job_cpu_ns() -> int:
    """Return the CPU time of this process and of the workers that have ended.

    A fork server's are its children and not ours; only Linux tells what they used.
    """
    server = sys.modules.get("multiprocessing.forkserver")
    pid = getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None)
    served_ns = 0
    if pid is not None:
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # cutime and cstime, the 16th and 17th of all fields.
            served_ns = (int(fields[13]) + int(fields[14])) * 10**9 // os.sysconf("SC_CLK_TCK")
    return read_cpu_ns() + served_ns


def count_threads() -> int:
    """Return the threads of this process, those that no Python code has started included."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()
