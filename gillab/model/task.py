"""What the model knows of a task: how long one call holds the lock, computes and waits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gillab.errors import UsageError


@dataclass(frozen=True, slots=True)
class Task:
    """One call, which first holds the GIL, then computes without it, then waits.

    A call that holds and releases the GIL in many turns is described by one of its turns.
    UsageError for a time that is negative or not finite, and for a call that takes no time.
    """

    held_s: float
    """CPU time with the GIL held."""
    released_s: float = 0.0
    """CPU time with the GIL released."""
    waiting_s: float = 0.0
    """Time that needs neither the GIL nor a core: sleeping, input and output."""
    interruptible: bool = True
    """Whether the held part hands the GIL over when asked: bytecode does, one call into C does
    not."""

    def __post_init__(self) -> None:
        times = (self.held_s, self.released_s, self.waiting_s)
        if not all(0 <= each < math.inf for each in times):
            raise UsageError(f"a task's times are seconds from 0 up, not {times}.")
        if not self.total_s > 0:
            raise UsageError("a task that takes no time has no speedup; give it a time.")

    @property
    def cpu_s(self) -> float:
        """CPU time of one call."""
        return self.held_s + self.released_s

    @property
    def total_s(self) -> float:
        """Time of one call that nothing holds up."""
        return self.cpu_s + self.waiting_s

    def without_lock(self) -> Task:
        """Return the same task for a worker that has a GIL of its own."""
        return Task(0.0, self.cpu_s, self.waiting_s)
