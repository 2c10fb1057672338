"""One pool of an arm, in the process that plays the program: made, asked, and ended."""

from __future__ import annotations

import os
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gillab.blocks.arm import ArmError, await_workers
from gillab.blocks.plan import Arm
from gillab.jobs.diagnosis import explain
from gillab.jobs.program import Job
from gillab.pools.memory import list_helpers, read_pss
from gillab.pools.worker import answer, initialize
from gillab.strategies import get_strategy
from gillab.strategies.processes import find_started
from gillab.strategies.worker import Ready, read_cpu_ns


class Made(NamedTuple):
    """What one pool took; times in seconds."""

    ready_s: float
    end_s: float
    cores: float
    memory_bytes: int | None


@dataclass(slots=True)
class PoolMaker:
    """Makes the pools of one arm."""

    arm: Arm
    setup: str
    job: Job
    """What the program is ready to do, which tells why a pool fails."""
    patience_s: float
    _processes: set[Any] = field(default_factory=set)

    def make(self) -> Made:
        """Make a pool, wait until each worker is ready, and end it. ArmError."""
        try:
            return self._make()
        except ArmError:
            raise
        except Exception as error:
            strategy = get_strategy(self.arm.strategy)
            method = self.arm.variant or None
            raise explain(error, strategy, self.job, method, self._processes) from error

    def _make(self) -> Made:
        arm = self.arm
        strategy = get_strategy(arm.strategy)
        # A thread and a forked process have what the program's setup made, and other processes
        # import its main module. A subinterpreter begins empty.
        setup = self.setup if strategy.own_interpreter else ""
        before = read_pss({os.getpid(), *list_helpers()})
        cpu_ns = read_cpu_ns()
        begun_ns = time.monotonic_ns()
        pool = strategy.create(arm.workers, initialize, (setup,), arm.variant or None)
        ready = self._await(pool)
        ready_ns = max(ready.values())
        after = read_pss({os.getpid(), *list_helpers(), *(pid for pid, _ in ready)})
        ending_ns = time.monotonic_ns()
        pool.shutdown()
        ended_ns = time.monotonic_ns()
        return Made(
            # A thread may be ready within one tick of a coarse clock.
            max(1, ready_ns - begun_ns) / 1e9,
            max(1, ended_ns - ending_ns) / 1e9,
            (read_cpu_ns() - cpu_ns) / max(1, ended_ns - begun_ns),
            None if before is None or after is None else after - before,
        )

    def _await(self, pool: Executor) -> dict[tuple[int, int], int]:
        def ask(pause_s: float) -> Future[Ready]:
            return pool.submit(answer, pause_s)  # type: ignore[arg-type]

        def keep() -> None:
            self._processes |= set(find_started(pool))

        return await_workers(self.arm.workers, ask, keep, self.patience_s)
