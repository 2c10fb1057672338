"""Bounds of the speedup in closed form.

The upper bounds are the asymptotic bounds of operational analysis (P. J. Denning and J. P. Buzen,
"The operational analysis of queueing network models", ACM Computing Surveys 10(3), 1978): no more
than so many workers, than the cores have time for, and than the lock has time for. The last is the
law of G. M. Amdahl (1967) at its limit, for a lock that is never idle.

The lower bounds are the pessimistic ones of the same analysis: each call waits for one call of
every other worker. They are widened by the time that switches cost. The narrower bounds of balanced
jobs (J. Zahorjan, K. C. Sevcik, D. L. Eager and B. Galler, Communications of the ACM 25(2), 1982)
assume times that vary as widely as exponential ones. Calls of one task take nearly the same time
each, and can do better than their upper bound.
"""

from __future__ import annotations

from gillab.model.task import Task


def find_upper_bound(task: Task, workers: int, cores: float, *, shares_gil: bool) -> float:
    """Return the most that so many workers can do, as a multiple of what one does."""
    limits = [float(workers)]
    if task.cpu_s:
        limits.append(cores * task.total_s / task.cpu_s)
    if shares_gil and task.held_s:
        limits.append(task.total_s / task.held_s)
    return min(limits)


def find_lower_bound(
    task: Task,
    workers: int,
    cores: float,
    *,
    shares_gil: bool,
    switch_interval_s: float,
    handover_s: float,
) -> float:
    """Return the least that so many workers do, as a multiple of what one does."""
    held_s = task.held_s if shares_gil else 0.0
    released_s = task.cpu_s - held_s
    switch_s = 0.0
    if held_s and workers > 1:
        switches = 1 + (held_s / switch_interval_s if task.interruptible else 0.0)
        # Of each switch, waking the one that takes the lock and the one that dropped it.
        switch_s = 2 * handover_s * switches
    cycles_s = [
        # All that needs a core or the lock is done one after the other.
        workers * (task.cpu_s + switch_s),
        # Every worker runs all the time, at its share of the cores.
        max(1.0, workers / cores) * (released_s + workers * held_s) + workers * switch_s,
        # A worker that runs at full speed waits for the lock only. Where there are more workers
        # than cores, the cores do everybody's work in the rest of the time.
        released_s
        + workers * (held_s + switch_s)
        + (workers * task.cpu_s / cores if workers > cores else 0.0),
    ]
    least = workers * task.total_s / (task.waiting_s + min(cycles_s))
    return min(least, find_upper_bound(task, workers, cores, shares_gil=shares_gil))
