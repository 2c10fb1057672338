"""Where tasks run: named factories of a ``concurrent.futures.Executor``.

To add a strategy, define one `Strategy`. Name it as ``module:attribute`` wherever a strategy's name
is taken, or register it for everyone as an entry point of the group ``gillab.strategies``. The
fresh interpreters that measure can find it in both ways; they could not see a table filled by a
script.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from gillab.errors import UsageError
from gillab.strategies.failure import describe_exception


class Factory(Protocol):
    """Makes an executor; it may start its workers at once or as tasks come."""

    def __call__(
        self,
        workers: int,
        initializer: Callable[..., object],
        initargs: tuple[Any, ...],
        start_method: str | None,
    ) -> Executor:
        """Return an executor of ``workers`` workers, each of which runs the initializer first."""
        ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named way to run tasks."""

    name: str
    create: Factory
    find_obstacle: Callable[[], str | None] = lambda: None
    """Returns why the strategy is not available in this interpreter, None if it is."""
    parallel: bool = True
    """False if tasks run one after the other in the calling thread."""
    own_process: bool = False
    """Whether a worker is a process of its own, which can die without the caller."""
    own_interpreter: bool = False
    """Whether a worker in the calling process is a subinterpreter, with a GIL of its own."""
    forks: bool = False
    """Whether a worker may be a fork of the caller: then it is started before there are threads."""
    singular: str | None = None
    """The word for one worker, if the strategy's name is the plural: ``thread`` for ``threads``."""
    takes_chunksize: bool = True
    """Whether its map takes the number of items that travel to another process at once."""
    remote: bool = False
    """Whether workers may be on other machines, with clocks and import paths of their own."""
    connect: Callable[[str], Strategy] | None = None
    """Returns the strategy with the workers of a scheduler that runs already, by its address."""
    rank: float = math.inf
    """Among equally fast strategies the one with the lowest rank is recommended.

    The simplest has 0: threads 0, interpreters 1, processes 2, and what needs a package comes then.
    """

    @property
    def shares_gil(self) -> bool:
        """Whether tasks run under the GIL of the interpreter that starts them."""
        return not (self.own_process or self.own_interpreter)


_BUILT_IN = {
    "serial": "gillab.strategies.serial:SERIAL",
    "threads": "gillab.strategies.threads:THREADS",
    "processes": "gillab.strategies.processes:PROCESSES",
    "interpreters": "gillab.strategies.interpreters:INTERPRETERS",
    "loky": "gillab.strategies.loky:LOKY",
    "joblib": "gillab.strategies.joblib:JOBLIB",
    "cluster": "gillab.strategies.cluster:CLUSTER",
    "ray": "gillab.strategies.ray:RAY",
}
DEFAULT = ("serial", "threads", "processes", "interpreters")
"""Those that need no other package."""
EXTRA = tuple(name for name in _BUILT_IN if name not in DEFAULT)


def get_strategy(name: str, scheduler: str = "") -> Strategy:
    """Return the strategy of that name; with a ``scheduler``, the one that has its workers.

    UsageError, with the nearest names, if there is none, or if its module cannot be loaded.
    """
    strategy = _load_strategy(name)
    return strategy.connect(scheduler) if scheduler and strategy.connect else strategy


def _load_strategy(name: str) -> Strategy:
    place = _BUILT_IN.get(name) or (name if ":" in name else _find_entry_point(name))
    if place is None:
        nearest = difflib.get_close_matches(name, _BUILT_IN, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_BUILT_IN)}."
        raise UsageError(f"there is no strategy {name!r}; {hint}")
    module, _, attribute = place.partition(":")
    try:
        strategy = getattr(import_module(module), attribute)
    except Exception as error:  # the module is not ours, and may raise anything
        reason = describe_exception(error).rstrip(".")
        raise UsageError(f"the strategy {name!r} cannot be loaded: {reason}.") from error
    if not isinstance(strategy, Strategy):
        raise UsageError(f"{place} is no gillab.strategies.Strategy.")
    return strategy


@cache
def recall_strategy(name: str) -> Strategy | None:
    """Return the strategy of that name; None if it cannot be loaded.

    A saved result may name one that is not installed here.
    """
    try:
        return get_strategy(name)
    except UsageError:
        return None


def shares_gil(name: str) -> bool:
    """Whether the strategy of that name is known to run its tasks under one GIL."""
    strategy = recall_strategy(name)
    return strategy is not None and strategy.shares_gil


def _find_entry_point(name: str) -> str | None:
    from importlib.metadata import entry_points  # slow to import, and seldom wanted

    return next((e.value for e in entry_points(group="gillab.strategies", name=name)), None)
