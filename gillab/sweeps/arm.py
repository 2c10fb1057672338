"""An arm of one size: so many tasks of so many steps, given to a pool that the sizes share."""

from __future__ import annotations

import time
from collections.abc import Callable

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.messages import Traced
from gillab.blocks.plan import Arm, Role
from gillab.strategies import Strategy
from gillab.strategies.worker import read_cpu_ns
from gillab.sweeps.sizes import Size


class SizedArm:
    """Gives its tasks to a pool one by one, as ``Executor.map`` does; serial calls them itself.

    Its time is that of as many steps as one task of the largest size has, so that all sizes compare
    with the same baseline.
    """

    def __init__(self, arm: Arm, size: Size, largest: Size, pool: OpenArm) -> None:
        self.key = arm.key
        self.role: Role = arm.role
        self.workers = arm.workers
        self.strategy: Strategy = pool.strategy
        self.pids = pool.pids
        self.shares_data = pool.shares_data
        self.setup_s: float | None = None
        self.tasks: float = size.tasks * size.steps / largest.steps
        self._size = size
        self._largest = largest
        self._pool = pool

    def measure(self, steps: int) -> tuple[int, int]:
        """Run every task once; return elapsed and CPU time in nanoseconds.

        ``steps`` are the largest size's, whatever this arm's are; fewer for a warm-up, which has
        fewer tasks.
        """
        own = self._size.steps
        tasks = max(1, self._size.tasks * min(steps, self._largest.steps) // self._largest.steps)
        own_cpu_ns = read_cpu_ns()
        begun_ns = time.perf_counter_ns()
        if self.strategy.parallel:
            self._pool.run_each([own] * tasks)
        else:
            self._pool.run_here([own] * tasks)
        elapsed_ns = time.perf_counter_ns() - begun_ns
        return elapsed_ns, read_cpu_ns() - own_cpu_ns

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Return the steps of the largest size: they are planned."""
        return self._largest.steps

    def warn(self) -> str:
        """Return what may keep a run from returning: nothing that is known of."""
        return ""

    def trace(self) -> Traced | None:
        """Return nothing: how long a task takes is the figure."""
        return None

    def close(self) -> None:
        """Do nothing: the pool is closed by `Pools`."""


class Pools:
    """One pool of workers for each strategy; a second failure to open one is the first again."""

    def __init__(self, open_pool: Callable[[Arm], OpenArm]) -> None:
        self._open_pool = open_pool
        self._pools: dict[tuple[str, int], OpenArm | ArmError] = {}

    def get(self, arm: Arm) -> OpenArm:
        """Return the pool for an arm, open. ArmError."""
        key = (arm.strategy, arm.workers)
        if key not in self._pools:
            try:
                self._pools[key] = self._open_pool(Arm(arm.strategy, arm.workers))
            except ArmError as error:
                self._pools[key] = error
        found = self._pools[key]
        if isinstance(found, ArmError):
            raise ArmError(str(found), found.status)
        return found

    def close(self) -> None:
        """End every pool."""
        for pool in self._pools.values():
            if isinstance(pool, OpenArm):
                pool.close()
