"""An arm within a launch: its workers, and how a task is timed on all of them at once."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from gillab.blocks.plan import Arm
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.failure import REFUSAL, describe_exception, describe_exit
from gillab.strategies.worker import answer, initialize, read_cpu_ns, run
from gillab.workload import Workload

_LATECOMER_S = 60.0
"""So long at most the workers that came are kept waiting for one that did not."""
_LATECOMER_SHARE = 0.8
"""And for this share of the timeout, so that what is missing is told before that is up."""
_FUNERAL_S = 5.0
"""So long the processes of a broken pool are waited for, to learn how they ended."""


class ArmError(Exception):
    """An arm that cannot go on; its text is the reason."""

    def __init__(self, reason: str, status: str = "failed") -> None:
        super().__init__(reason)
        self.status = status


class OpenArm:
    """An arm whose workers are ready."""

    def __init__(
        self, arm: Arm, workload: Workload, start_method: str | None, timeout_s: float
    ) -> None:
        self.key = arm.key
        self.workers = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy)
        obstacle = self.strategy.find_obstacle()
        if obstacle:
            raise ArmError(obstacle, "unavailable")
        self._processes: set[Any] = set()
        others = set(multiprocessing.active_children())
        started_ns = time.monotonic_ns()
        try:
            self._executor: Executor = self.strategy.create(
                arm.workers, initialize, (self.key, workload, sys.path), start_method
            )
            patience_s = min(_LATECOMER_S, _LATECOMER_SHARE * timeout_s)
            ready_ns = self._await_workers(others, patience_s)
        except ArmError:
            raise
        except Exception as error:
            raise self._explain(error) from error
        self.setup_s = max(0, ready_ns - started_ns) / 1e9

    def _await_workers(self, others: set[Any], patience_s: float) -> int:
        """Return when the last worker was ready, having heard from each of them.

        ArmError where one has not come so long after the first.
        """
        ready: dict[tuple[int, int], int] = {}
        pause_s = 0.005
        until = math.inf
        while len(ready) < self.workers:
            if time.monotonic() > until:
                raise ArmError(f"only {len(ready)} of {self.workers} workers came")
            futures = [
                self._executor.submit(answer, self.key, pause_s) for _ in range(self.workers)
            ]
            # Kept, since a broken pool forgets its processes and with them their exit codes.
            self._processes |= set(multiprocessing.active_children()) - others
            for future in futures:
                worker, ready_ns, failure = future.result()
                if failure:
                    raise _blame(failure)
                ready[worker] = ready_ns
            # A worker may be slow to start while the others answer in its place.
            until = min(until, time.monotonic() + patience_s)
            pause_s = min(2 * pause_s, 0.1)
        return max(ready.values())

    def measure(self, steps: int) -> tuple[int, int]:
        """Run one task a worker; return elapsed and CPU time in nanoseconds."""
        own_cpu_ns = read_cpu_ns()
        started_ns = time.perf_counter_ns()
        try:
            futures = [self._executor.submit(run, self.key, steps) for _ in range(self.workers)]
            outcomes = [future.result() for future in futures]
        except Exception as error:
            raise self._explain(error) from error
        elapsed_ns = time.perf_counter_ns() - started_ns
        cpu_ns = read_cpu_ns() - own_cpu_ns
        for pid, task_cpu_ns, failure in outcomes:
            if failure:
                raise _blame(failure)
            if pid != os.getpid():
                cpu_ns += task_cpu_ns
        return elapsed_ns, cpu_ns

    def _explain(self, error: Exception) -> ArmError:
        if not isinstance(error, BrokenProcessPool):
            return _blame(describe_exception(error))
        codes = await_exit_codes(self._processes) - {0}
        # The pool itself ends them with SIGTERM.
        telling = sorted(codes - {-15} or codes)
        return ArmError(
            f"a worker process {describe_exit(telling[0])}"
            if telling
            else describe_exception(error)
        )


def await_exit_codes(processes: Iterable[Any]) -> set[int]:
    """Return the exit codes of worker processes whose pool broke and is ending those left."""
    deadline = time.monotonic() + _FUNERAL_S
    # Neither join() nor exitcode is to be relied on at once: the pool's own thread waits for the
    # same processes, and while it has taken the exit code from the system and not yet written it
    # down, both answer here as if the process still ran.
    while None in (codes := {process.exitcode for process in processes}):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return {code for code in codes if code is not None}


def _blame(failure: str) -> ArmError:
    """Tell what cannot be had here from what went wrong."""
    return ArmError(failure, "unavailable" if REFUSAL in failure else "failed")
