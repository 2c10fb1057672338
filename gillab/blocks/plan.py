"""What is to be measured, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gillab.results import arm_key
from gillab.workload import Workload

Role = Literal["cell", "null", "reference", "ceiling"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One workload under one strategy with one number of workers, and what it is there for.

    ``cell`` is a row of the answer, ``null`` the second serial arm, ``ceiling`` the released C
    loop in processes and ``reference`` the same loop, serial.
    """

    strategy: str
    workers: int
    role: Role = "cell"

    @property
    def key(self) -> str:
        """The arm's name within its workload: ``threads/2``, ``ceiling/2``."""
        return arm_key(self.strategy if self.role == "cell" else self.role, self.workers)

    @property
    def runs_loop(self) -> bool:
        """Whether its task is the released C loop, with steps of its own, and not the workload."""
        return self.role in ("ceiling", "reference")


SERIAL = Arm("serial", 1)
NULL = Arm("serial", 1, "null")
REFERENCE = Arm("serial", 1, "reference")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How to measure; all times in seconds."""

    task_time_s: float
    min_blocks: int
    max_blocks: int
    time_budget_s: float
    target_error: float
    """The relative half-width of an interval at which it is narrow enough."""
    confidence: float
    timeout_s: float
    """How long one arm may take before it counts as hung."""
    seed: int
    launches: int = 3
    steps: int | None = None
    """Steps of one task; None to calibrate them to the task time."""
    start_method: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One workload and the arms that it is measured in."""

    workload: Workload
    arms: tuple[Arm, ...]

    @property
    def cells(self) -> tuple[Arm, ...]:
        """The arms that are rows of the answer."""
        return tuple(arm for arm in self.arms if arm.role == "cell")


def plan_arms(strategies: tuple[str, ...], workers: tuple[int, ...]) -> tuple[Arm, ...]:
    """Return the arms for these strategies and numbers of workers, controls included."""
    cells = [Arm(name, n) for name in strategies if name != "serial" for n in workers]
    ceilings = [Arm("processes", n, "ceiling") for n in workers]
    return (SERIAL, *cells, NULL, REFERENCE, *ceilings)
