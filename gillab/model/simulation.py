"""The rates of threads that share one GIL and some cores, from a simulation of CPython's protocol.

`gillab.model.protocol` has the protocol. The simulation lets a fixed number of events happen, and
counts from the moment on when the threads are in their steady state.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from gillab.errors import UsageError
from gillab.model.protocol import Simulation
from gillab.model.task import Task

SWITCH_INTERVAL_S = 0.005
"""CPython's default, ``sys.getswitchinterval()``."""
HANDOVER_S = 50e-6
"""From the moment that a thread drops the lock until a thread that waited for it holds it, on a CPU
that was idle meanwhile. It is what fits `python -m bench.model_error` on a virtual machine of two
CPUs: with 10 µs the model was off by 30 % at most, for holds and releases of some 20 µs each."""
VARIATION = 0.1
"""How far, as a fraction, the length of a part of a call may differ from its mean. Without it,
threads can fall into a step that no real machine keeps."""
_EVENTS = 12_000
_WARM_UP = 0.25
"""The share of the events until the threads are taken to be in their steady state."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What the threads did in the steady state."""

    calls_per_s: tuple[float, ...]
    """Of each thread; a part of a call counts as that part."""
    switches_per_s: float
    """How often the lock went from one thread to another."""


def simulate(
    tasks: Sequence[Task],
    cores: float,
    switch_interval_s: float = SWITCH_INTERVAL_S,
    handover_s: float = HANDOVER_S,
    variation: float = VARIATION,
    seed: int = 1,
    events: int = _EVENTS,
) -> Rates:
    """Return the rates of threads that share one GIL; each makes calls of its task, end to end.

    The same seed gives the same rates. UsageError for no task, less than one core, and times that
    are out of their range.
    """
    if not tasks:
        raise UsageError("there is no thread to simulate; give it a task.")
    if not cores >= 1:
        raise UsageError(f"cores must be a number from 1 on, not {cores}.")
    if not 0 < switch_interval_s < math.inf:
        raise UsageError(f"the switch interval is a time above 0 s, not {switch_interval_s}.")
    if not 0 <= handover_s < math.inf:
        raise UsageError(f"the hand-over is a time from 0 s up, not {handover_s}.")
    if not 0 <= variation < 1:
        raise UsageError(f"the variation is a fraction from 0 to below 1, not {variation}.")
    simulation = Simulation(
        tasks, cores, switch_interval_s, handover_s, variation, random.Random(seed)
    )
    simulation.run(int(events * _WARM_UP))
    before = simulation.snapshot()
    simulation.run(events - int(events * _WARM_UP))
    after = simulation.snapshot()
    seconds = after.now_s - before.now_s
    return Rates(
        tuple(
            (late - early) / task.total_s / seconds
            for task, early, late in zip(tasks, before.done_s, after.done_s, strict=True)
        ),
        (after.switches - before.switches) / seconds,
    )
