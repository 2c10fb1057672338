"""The ways in which an array gets to a worker, and the plan of an experiment with one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gillab.blocks.plan import NULL, SERIAL, Arm, Experiment
from gillab.strategies import get_strategy
from gillab.workload import Workload


@dataclass(frozen=True, slots=True)
class Way:
    """One way, of one strategy."""

    strategy: str
    variant: str
    """Its name in an arm's key; empty for the only way of a strategy."""
    label: str
    """Its name in tables and pictures."""
    phrase: str
    """Its name in a sentence, after what it costs."""
    copies: bool = True
    """Whether the data are copied, so that bytes a second mean something."""

    @property
    def arm(self) -> Arm:
        """Its arm: one worker."""
        return Arm(self.strategy, 1, variant=self.variant)


PROCESSES = (
    Way("processes", "pickled", "process: pickled", "pickled"),
    Way("processes", "buffers", "process: buffer apart", "with its buffer sent apart"),
    Way("processes", "filled", "process: shared memory", "in shared memory"),
    Way(
        "processes",
        "placed",
        "process: already shared",
        "where it already lies in shared memory",
        copies=False,
    ),
)
INTERPRETERS = (
    Way("interpreters", "bytes", "interpreter: bytes", "as bytes"),
    Way(
        "interpreters",
        "memoryview",
        "interpreter: memoryview",
        "as a shared memoryview",
        copies=False,
    ),
)
DEFAULT = ("threads", "processes", "interpreters")


def list_ways(strategies: Sequence[str]) -> list[Way]:
    """Return the ways of these strategies; UsageError for one that there is not."""
    ways: list[Way] = []
    for name in dict.fromkeys(strategies):
        strategy = get_strategy(name)
        if not strategy.parallel:
            continue
        if name == "processes":
            ways += PROCESSES
        elif name == "interpreters":
            ways += INTERPRETERS
        elif strategy.shares_gil:
            ways.append(Way(name, "", name, "shared", copies=False))
        else:
            ways.append(Way(name, "pickled", f"{name}: pickled", "pickled"))
    return ways


def plan_size(name: str, size: int, ways: Sequence[Way], *, returns: bool) -> Experiment:
    """Return the experiment with one size; its workload's arguments are what a launch reads."""
    workload = Workload(name, "function", args=repr((size, returns)))
    return Experiment(workload, (SERIAL, *(way.arm for way in ways), NULL))
