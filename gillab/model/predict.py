"""What a number of workers gives on a number of cores, predicted from one call of the task."""

from __future__ import annotations

from dataclasses import dataclass

from gillab.errors import UsageError
from gillab.model.bounds import find_lower_bound, find_upper_bound
from gillab.model.simulation import HANDOVER_S, SWITCH_INTERVAL_S, simulate
from gillab.model.task import Task

LEFT_OUT = (
    "memory bandwidth",
    "caches that workers share",
    "cores that get slower when more of them are busy (turbo)",
    "hardware threads that share a core",
    "other locks, and contention for data",
    "starting workers and sending data to them",
)
"""What the model does not know; each makes many workers slower than predicted."""
LEFT_OUT_SENTENCE = f"The model leaves out {', '.join(LEFT_OUT[:-1])}, and {LEFT_OUT[-1]}."


@dataclass(frozen=True, slots=True)
class Prediction:
    """The speedup over one worker that the model expects, between its bounds."""

    workers: int
    cores: float
    low: float
    """The least that the protocol allows."""
    high: float
    """The most that the lock and the cores allow."""
    expected: float
    """What the simulation gives."""


def predict(
    task: Task,
    workers: int,
    cores: float,
    *,
    shares_gil: bool,
    switch_interval_s: float = SWITCH_INTERVAL_S,
    handover_s: float = HANDOVER_S,
    seed: int = 1,
) -> Prediction:
    """Return the speedup of so many workers on so many cores.

    ``shares_gil`` is true for threads of one GIL, and false for processes and interpreters, and for
    threads where there is no GIL. ``cores`` may be a fraction, such as a CPU quota; less than one
    slows one worker as it slows many. UsageError for fewer than one worker, and as for `simulate`.
    """
    if workers < 1:
        raise UsageError(f"workers must be a number from 1 on, not {workers}.")
    cores = max(1.0, cores) if cores > 0 else cores
    simulated = simulate(
        [task if shares_gil else task.without_lock()] * workers,
        cores,
        switch_interval_s,
        handover_s,
        seed=seed,
    )
    low = find_lower_bound(
        task,
        workers,
        cores,
        shares_gil=shares_gil,
        switch_interval_s=switch_interval_s,
        handover_s=handover_s,
    )
    high = find_upper_bound(task, workers, cores, shares_gil=shares_gil)
    speedup = sum(simulated.calls_per_s) * task.total_s
    # The simulation ends in the middle of calls, which can put it just beyond a bound.
    return Prediction(workers, cores, low, high, expected=min(max(low, speedup), high))
