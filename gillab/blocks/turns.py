"""Arms that take turns within a block, in short tasks, so that each sees the same machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gillab.blocks.arm import OpenArm
from gillab.blocks.plan import Arm
from gillab.strategies.worker import read_cpu_ns
from gillab.workload import Task, Workload

_QUANTILE = 0.25


class Reading(NamedTuple):
    """What one run of an arm took, in nanoseconds."""

    elapsed_ns: int
    cpu_ns: int


def find_undisturbed(readings: Sequence[Reading]) -> Reading:
    """Return the reading of one arm's turns that stands for them: that of their lower quartile.

    On a busy machine a short task either has a CPU for itself or waits for one. The mean and the
    median tell how often it waited, and that is luck. Recorded on two CPUs that eight busy programs
    shared, sorting in tasks of 1 ms for 0.8 s: two arms alike differed by 1 % in the lower quartile
    (standard deviation over 9 interpreters), by 18 % in the median and by 18 % in the mean. What a
    call does in fewer than a quarter of its tasks alone is not seen.
    """
    return sorted(readings)[int(_QUANTILE * (len(readings) - 1))]


class PlainArm(OpenArm):
    """A serial arm whose task is called as a whole, without a queue, on a setup of its own."""

    def __init__(
        self,
        arm: Arm,
        workload: Workload | Task,
        start_method: str | None,
        timeout_s: float,
        inner_threads: int | None = None,
    ) -> None:
        # Two arms alike should differ as two versions do, by where their objects lie in memory.
        own = replace(arm, data="own")
        super().__init__(own, workload, start_method, timeout_s, inner_threads)
        self.key = arm.key

    def measure(self, steps: int) -> tuple[int, int]:
        """Run one task; return elapsed and CPU time in nanoseconds. ArmError."""
        own_cpu_ns = read_cpu_ns()
        begun_ns = time.perf_counter_ns()
        self.run_here([steps])
        elapsed_ns = time.perf_counter_ns() - begun_ns
        return elapsed_ns, read_cpu_ns() - own_cpu_ns
