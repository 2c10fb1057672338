"""An arm that hands the array to one worker, call after call."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from gillab.blocks.arm import ArmError, describe_deaths
from gillab.blocks.messages import Traced
from gillab.blocks.plan import Arm, Role
from gillab.results import Status
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.failure import REFUSAL, describe_exception
from gillab.strategies.worker import read_cpu_ns
from gillab.transfers.carriers import Carrier, open_carrier
from gillab.transfers.segments import format_room
from gillab.transfers.sizes import format_size
from gillab.transfers.worker import touch

_COPIES = 6
"""At once there are at most the array, the one that lies in shared memory, and copies on the way:
at both ends of a pipe, packed and unpacked."""
_GONE = (BrokenExecutor, EOFError, BrokenPipeError, ConnectionResetError)
"""What is raised where the worker has died."""


class TransferArm:
    """One way and its worker; a run is so many calls that it takes about the task time."""

    shares_data = False

    def __init__(
        self, arm: Arm, array: Any, returns: bool, task_time_s: float, start_method: str | None
    ) -> None:
        """Start the worker, call it once and find how many calls fill the task time."""
        self.key = arm.key
        self.role: Role = arm.role
        self.workers = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy)
        self.tasks = 1
        obstacle = self.strategy.find_obstacle()
        if obstacle:
            raise ArmError(obstacle, "unavailable")
        begun = time.monotonic()
        self._carrier: Carrier | None = None
        try:
            self._carrier = carrier = open_carrier(
                self.strategy, arm.variant, array, returns, start_method
            )
            answer = carrier.call()
            if (answer if isinstance(answer, int) else touch(answer)) != touch(array):
                raise ArmError("its worker did not get the array that was sent")
            self.setup_s: float | None = time.monotonic() - begun
            self._count_calls(task_time_s)
        except Exception as error:
            reason = self._explain(error)
            self.close()
            raise reason from error
        self.pids = {os.getpid(), carrier.pid}

    def _count_calls(self, task_time_s: float) -> None:
        while True:
            elapsed_s = self._time_calls() / 1e9
            if elapsed_s >= task_time_s / 2:
                break
            self.tasks = math.ceil(self.tasks * min(10.0, task_time_s / max(elapsed_s, 1e-6)))

    def measure(self, steps: int) -> tuple[int, int]:
        """Call the worker so many times; return elapsed and CPU time in nanoseconds."""
        carrier = self._carrier
        assert carrier is not None
        try:
            before_ns = read_cpu_ns() + carrier.read_worker_cpu_ns()
            elapsed_ns = self._time_calls()
            return elapsed_ns, read_cpu_ns() + carrier.read_worker_cpu_ns() - before_ns
        except Exception as error:
            raise self._explain(error) from error

    def _time_calls(self) -> int:
        assert self._carrier is not None
        call = self._carrier.call
        begun_ns = time.perf_counter_ns()
        for _ in range(self.tasks):
            call()
        return time.perf_counter_ns() - begun_ns

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Return 1: each arm has found for itself how many calls a run has."""
        return 1

    def warn(self) -> str:
        """Return what may keep a run from returning: nothing that is known of."""
        return ""

    def trace(self) -> Traced | None:
        """Return None: a call is timed as a whole."""
        return None

    def close(self) -> None:
        """End the worker."""
        if self._carrier is not None:
            self._carrier.close()
            self._carrier = None

    def _explain(self, error: Exception) -> ArmError:
        if isinstance(error, ArmError):
            return error
        reason = describe_exception(error)
        if isinstance(error, _GONE) and self._carrier is not None:
            reason = describe_deaths(self._carrier.processes) or reason
        status: Status = "unavailable" if REFUSAL in reason else "failed"
        return ArmError(reason, status)


def make_array(size: int) -> Any:
    """Return a NumPy array of so many bytes. ArmError where there is no memory for it."""
    import numpy as np

    free = _find_memory()
    if free is not None and _COPIES * size > free:
        raise ArmError(
            f"{format_size(size)} and its copies need {format_size(_COPIES * size)} of memory, "
            f"and {format_room(free)} are free",
            "unavailable",
        )
    try:
        # Each page has memory of its own only once it was written to.
        return np.full(size, 7, np.uint8)
    except (MemoryError, ValueError):
        raise ArmError(f"there is no memory for {format_size(size)}", "unavailable") from None


def _find_memory() -> int | None:
    """Return the bytes of memory that are free; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, ValueError, StopIteration):
        return None
