"""Measures what one call gains from threads: paired blocks on a small budget."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from gillab.blocks.in_process import run_here
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.protocol import Protocol
from gillab.blocks.run import run_blocks
from gillab.errors import Interrupted
from gillab.release.findings import Scaling
from gillab.results import Result
from gillab.workload import Workload

_BUDGET_S = 12.0
_BUDGET_HERE_S = 12.0
_MOST_S = 300.0
_MOST_HERE_S = 60.0
_CALLS = 100
"""Ten blocks of three arms of two tasks each, the calibrations, and what a slow machine adds."""


def measure_scaling(
    workload: Workload,
    workers: int,
    timeout_s: float,
    call_s: float = 0.0,
    limit: float | None = None,
) -> tuple[Scaling, bool]:
    """Measure ``workload`` in so many threads against serial, as gillab.compare does.

    With a ``limit``, the call is measured until it is decided whether the speedup reaches it. A
    long call then gets more time: as much as the blocks of an interval need. Also return whether
    Ctrl-C ended it early: then the result is of what was measured until then.
    """
    budget_s = find_budget(call_s, decide=limit is not None)
    experiment = Experiment(workload, plan_arms(("threads",), (workers,)))
    protocol = _make_protocol(budget_s, timeout_s, limit, launches=3)
    try:
        return read_scaling(run_blocks("check", [experiment], protocol), workers), False
    except Interrupted as interruption:
        return read_scaling(interruption.result, workers), True


def find_budget(call_s: float, *, decide: bool) -> float:
    """Return the seconds to spend on a call that takes ``call_s``; more if there is a limit."""
    return max(_BUDGET_S, min(_MOST_S, _CALLS * call_s)) if decide else _BUDGET_S


def measure_scaling_here(
    name: str, call: Callable[[], object], workers: int, limit: float
) -> Scaling:
    """Measure a call of this process in so many threads against serial; whatever it raises.

    It ends when it is decided whether the speedup reaches ``limit``, or when the time is up.
    """
    begun = time.monotonic()
    call()
    call_s = time.monotonic() - begun
    budget_s = max(_BUDGET_HERE_S, min(_MOST_HERE_S, _CALLS * call_s))
    protocol = _make_protocol(budget_s, budget_s, limit, launches=1)
    return read_scaling(run_here("check", name, call, workers, protocol), workers)


def _make_protocol(
    budget_s: float, timeout_s: float, limit: float | None, *, launches: int
) -> Protocol:
    return Protocol(
        task_time_s=0.04,
        min_blocks=12,
        max_blocks=41,
        time_budget_s=budget_s,
        target_error=0.05,
        confidence=0.95,
        timeout_s=timeout_s,
        seed=secrets.randbits(32),
        launches=launches,
        limit=limit,
    )


def read_scaling(result: Result, workers: int) -> Scaling:
    """Return what one workload, measured alone, gains from so many threads."""
    cell = result.cell(result.cells[0].workload, "threads")
    serial = result.cell(cell.workload, "serial")
    (ceiling,) = result.ceiling
    return Scaling(
        workers=workers,
        speedup=cell.speedup,
        of_ceiling=cell.of_ceiling,
        verdict=cell.verdict,
        reason=cell.reason,
        status=cell.status,
        ceiling=ceiling.speedup,
        expected=ceiling.expected,
        busy=serial.busy,
        cause=cell.cause,
        proved_by=cell.proved_by,
        held=cell.held,
        trusted=not any(control.passed is False for control in result.null),
    )
