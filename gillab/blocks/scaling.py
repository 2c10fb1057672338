"""Does a call gain from a second thread? compare's own blocks, on a small budget."""

from __future__ import annotations

import platform
import secrets

from gillab.blocks.analysis import analyze, correct, find_widest, read_scaling
from gillab.blocks.plan import Experiment, Protocol, plan_arms
from gillab.blocks.record import Record
from gillab.blocks.session import Session
from gillab.environment import find_capacity
from gillab.release.findings import Scaling
from gillab.workload import Workload

_TASK_S = 0.04
_MIN_BLOCKS = 9
_MAX_BLOCKS = 30
_TARGET = 0.05
_BUDGET_S = 12.0
_MOST_S = 300.0
_CALLS = 50
"""Ten blocks of three arms, the calibrations, and what a machine is slower by at times."""


def find_budget(call_s: float, *, decide: bool) -> float:
    """Return how long to measure a call of ``call_s``.

    Long calls get more where the answer is to ``decide`` something: as many as an interval needs.
    """
    return max(_BUDGET_S, min(_MOST_S, _CALLS * call_s)) if decide else _BUDGET_S


def measure_scaling(
    workload: Workload, workers: int, time_budget_s: float, timeout_s: float
) -> tuple[Scaling, bool]:
    """Measure ``workload`` in so many threads against serial, as gillab.compare does.

    Return also whether Ctrl-C ended it early: then it is of what was measured until there.
    """
    protocol = Protocol(
        task_time_s=_TASK_S,
        min_blocks=_MIN_BLOCKS,
        max_blocks=_MAX_BLOCKS,
        time_budget_s=time_budget_s,
        target_error=_TARGET,
        confidence=0.95,
        timeout_s=timeout_s,
        seed=secrets.randbits(32),
    )

    def widest(record: Record) -> float:
        return find_widest(record, correct(session.records, protocol.confidence))

    session = Session([Experiment(workload, plan_arms(("threads",), (workers,)))], protocol, widest)
    interrupted = False
    try:
        session.run()
    except KeyboardInterrupt:
        interrupted = True
    python = platform.python_version()
    analysis = analyze(
        session.records, protocol.confidence, find_capacity(), python, interrupted=interrupted
    )
    return read_scaling(analysis, workers), interrupted
