"""Where tasks run: named factories of a ``concurrent.futures.Executor``.

A further strategy is one `Strategy`: name it as ``module:attribute`` wherever a strategy's name is
taken, or register it for everyone as an entry point of the group ``gillab.strategies``. Both ways
are open to the fresh interpreters that measure; a table filled by a script would not be.
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
    """Returns why the strategy is not available in this interpreter, None where it is."""
    parallel: bool = True
    """False where tasks run one after the other in the calling thread."""
    own_process: bool = False
    """Whether a worker is a process of its own, whose end does not end the caller."""
    own_interpreter: bool = False
    """Whether a worker in the calling process is a subinterpreter, with a GIL of its own."""
    forks: bool = False
    """Whether a worker may be a fork of the caller: such are started while there are no threads."""
    singular: str | None = None
    """What one worker is called where the name is the plural: a thread is one of ``threads``."""
    rank: float = math.inf
    """Its place among strategies that are equally fast, of which the lowest is recommended.

    The simplest is 0: threads are 0, interpreters 1, processes 2.
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
}
DEFAULT = tuple(_BUILT_IN)


def get_strategy(name: str) -> Strategy:
    """Return the strategy of that name.

    UsageError, with the nearest names, where there is none, or where its module does not load.
    """
    place = _BUILT_IN.get(name) or (name if ":" in name else _find_entry_point(name))
    if place is None:
        nearest = difflib.get_close_matches(name, _BUILT_IN, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_BUILT_IN)}."
        raise UsageError(f"there is no strategy {name!r}; {hint}")
    module, _, attribute = place.partition(":")
    try:
        strategy = getattr(import_module(module), attribute)
    except Exception as error:  # the module is another's, and may raise anything
        reason = describe_exception(error).rstrip(".")
        raise UsageError(f"the strategy {name!r} cannot be loaded: {reason}.") from error
    if not isinstance(strategy, Strategy):
        raise UsageError(f"{place} is no gillab.strategies.Strategy.")
    return strategy


@cache
def recall_strategy(name: str) -> Strategy | None:
    """Return the strategy of that name; None where it cannot be loaded.

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
