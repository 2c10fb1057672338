"""The plan of an experiment: its arms, and the purpose of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gillab.errors import UsageError
from gillab.results import Data, arm_key
from gillab.strategies import DEFAULT, get_strategy, shares_gil
from gillab.workload import Workload, has_data, resolve_workload

_DATA: dict[str, tuple[Data, ...]] = {
    "shared": ("shared",),
    "own": ("own",),
    "both": ("shared", "own"),
}
Role = Literal["cell", "null", "reference", "ceiling"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One workload under one strategy with one number of workers, and its purpose.

    ``cell`` is a row of the answer, ``null`` the second serial arm, ``ceiling`` the released C
    loop in several workers and ``reference`` the same loop, serial.
    """

    strategy: str
    workers: int
    role: Role = "cell"
    data: Data = "shared"
    """``own`` where each worker runs the setup for itself, though it could share what it made."""
    chunksize: int | None = None
    """Of a whole job: so many items travel to a worker at once; None where they do not travel."""
    variant: str = ""
    """Which of several ways a strategy works in, where an experiment compares such ways."""
    scheduler: str = ""
    """The address of the scheduler whose workers it has; empty where it starts its own."""
    candidate: bool = False
    """Whether it stays only if it is the fastest of its strategy and workers in its first run."""
    interpreter: str = ""
    """The label of another interpreter to run in; empty for this one."""

    @property
    def key(self) -> str:
        """The arm's name within its workload: ``threads/2``, ``threads/2/own``, ``ceiling/2``."""
        name = self.strategy if self.role == "cell" else self.role
        return arm_key(
            name, self.workers, self.data, self.chunksize, self.variant, self.interpreter
        )

    @property
    def runs_loop(self) -> bool:
        """Whether its task is the released C loop, with steps of its own, and not the workload."""
        return self.role in ("ceiling", "reference")


NEW = "new"
"""The variant of the arms that run an experiment's other workload as its own is run."""
SERIAL = Arm("serial", 1)
NULL = Arm("serial", 1, "null")
REFERENCE = Arm("serial", 1, "reference")


@dataclass(frozen=True, slots=True)
class Experiment:
    """One workload, and the arms in which it is measured."""

    workload: Workload
    arms: tuple[Arm, ...]
    other: Workload | None = None
    """A second workload, for arms that say in their variant that they run it."""

    @property
    def cells(self) -> tuple[Arm, ...]:
        """The arms that are rows of the answer."""
        return tuple(arm for arm in self.arms if arm.role == "cell")


def choose_workers(workers: int | Sequence[int] | None, least: int = 1) -> tuple[int, ...]:
    """Return the numbers of workers, each once; for None the CPUs that this process may use.

    That default is at least ``least``. UsageError for a number below 1, and for none at all.
    """
    from gillab.environment import count_usable_cpus
    from gillab.strategies.processes import MOST_WORKERS

    if workers is None:
        return (max(least, min(count_usable_cpus(), MOST_WORKERS)),)
    counts = (workers,) if isinstance(workers, int) else tuple(dict.fromkeys(workers))
    if not counts or min(counts) < 1:
        raise UsageError(f"workers must be a number from 1 on, not {min(counts, default=0)}.")
    return counts


def choose_strategies(strategies: Sequence[str], scheduler: str | None = None) -> tuple[str, ...]:
    """Return the strategies by name; by default those that need no package.

    Where a ``scheduler`` is given and none of them can use it, ``cluster`` is added. UsageError for
    a strategy that there is not, or where no scheduler answers.
    """
    names = tuple(strategies or DEFAULT)
    connecting = [name for name in names if get_strategy(name).connect]
    if scheduler:
        from gillab.strategies.cluster import check_scheduler

        check_scheduler(scheduler)
        names = names if connecting else (*names, "cluster")
    return names


def plan_arms(
    strategies: tuple[str, ...],
    workers: tuple[int, ...],
    data: tuple[Data, ...] = ("shared",),
    ceiling: str = "processes",
    scheduler: str = "",
) -> tuple[Arm, ...]:
    """Return the arms for these strategies and numbers of workers, controls included.

    Strategies whose workers can share what the setup made run with each kind of ``data``.
    ``ceiling`` is the strategy that shows what the machine gives. Strategies that can use a running
    ``scheduler`` do.
    """
    connecting = [name for name in strategies if scheduler and get_strategy(name).connect]
    cells = [
        Arm(name, n, data=each, scheduler=scheduler if name in connecting else "")
        for name in strategies
        if name != "serial"
        for n in workers
        for each in (data if shares_gil(name) else ("shared",))
    ]
    ceilings = [Arm(ceiling, n, "ceiling") for n in workers]
    return (SERIAL, *cells, NULL, REFERENCE, *ceilings)


def plan_experiments(
    texts: Sequence[str],
    setup: str = "",
    args: str = "",
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    data: str | None = None,
    interpreters: Sequence[str] = (),
    scheduler: str | None = None,
) -> list[Experiment]:
    """Turn texts into experiments, each with the same strategies and numbers of workers.

    ``data`` is ``shared``, ``own`` or ``both``; by default shared, and both where there is no GIL.
    In the other ``interpreters`` they run serially and, by default, in threads.
    UsageError for a text that cannot be a workload.
    """
    from gillab.environment import is_gil_enabled

    counts = choose_workers(workers if isinstance(workers, int) else workers or None)
    names = choose_strategies(strategies, scheduler)
    resolved = [resolve_workload(text, setup, args) for text in texts]
    for workload in resolved:
        if resolved.count(workload) > 1:
            raise UsageError(f"{workload.name} is named twice; name it once.")
    if data not in (None, *_DATA):
        raise UsageError(f"data must be one of {', '.join(_DATA)}, not {data!r}.")
    kinds = _DATA["shared" if data is None and is_gil_enabled() else data or "both"]
    there = tuple(strategies or ("serial", "threads"))
    experiments = []
    for workload in resolved:
        # Without a setup there is no data that a thread could have for itself.
        own, others = (
            (kinds, _DATA[data or "shared"]) if has_data(workload) else (("shared",), ("shared",))
        )
        arms = list(plan_arms(names, counts, own, scheduler=scheduler or ""))
        for label in interpreters:
            cells = plan_arms(there, counts, others, scheduler=scheduler or "")
            arms += [replace(arm, interpreter=label) for arm in cells if arm.role == "cell"]
        experiments.append(Experiment(workload, tuple(arms)))
    return experiments


def divide(steps: int) -> list[int]:
    """Return the pieces in which one worker's task is queued: a half, a quarter, two eighths.

    A worker that is done with its piece takes the next from the queue, so a slow core does less.
    The pieces get smaller towards the end, so that no worker waits long for the last one
    (guided self-scheduling: C. D. Polychronopoulos and D. J. Kuck, 1987). Fewer pieces where there
    are fewer steps; none is empty.
    """
    pieces = []
    for part in (2, 4, 8):
        piece = steps // part
        if piece:
            pieces.append(piece)
    return [*pieces, steps - sum(pieces)]
