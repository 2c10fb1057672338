"""Results for the tests of the report, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from gillab.blocks.choices import choose
from gillab.blocks.doubts import find_failed
from gillab.blocks.evidence import (
    ALL_OF_IT,
    Machine,
    computes,
    explain_no_gain,
    find_shortfall,
    prove_no_gain,
)
from gillab.estimates import Estimate, Spread
from gillab.report.summary import summarize
from gillab.results import Cell, Choice, Control, Noise, Result, Verdict

STATEMENT = 'x = "[bold]a|b[/bold]"; ' + "y = sum(i * i for i in range(10_000)); " * 5
ENVIRONMENT = {
    "python": "3.13.0",
    "implementation": "cpython",
    "gil_enabled": True,
    "cpus_usable": 2,
    "cpus": 64,
    "cpu_model": "Some Processor @ 2.70GHz",
    "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
}
QUIET = Noise(40, 40, 0.04, 1.2, 0.002, 0.013, 0.0, 321, (2700.0, 3500.0))


def ratio(estimate: float, half: float = 0.03) -> Estimate:
    return Estimate(estimate, round(estimate - half, 3), round(estimate + half, 3))


def conclude(cells: Sequence[Cell], machine: Machine) -> list[Cell]:
    """Add what an analysis adds: causes, shares of the fastest; and the verdicts it overrules."""
    serials = {cell.workload: cell for cell in cells if cell.strategy == "serial"}
    decided = [_explain(cell, serials.get(cell.workload), machine) for cell in cells]
    fastest: dict[str, float] = {}
    for cell in decided:
        if cell.verdict == "wins" and cell.speedup:
            pace = fastest.get(cell.workload, 0.0)
            fastest[cell.workload] = max(pace, cell.speedup.estimate)
    return [
        replace(cell, of_fastest=ratio(cell.speedup.estimate / fastest[cell.workload]))
        if cell.verdict == "wins" and cell.speedup is not None and cell.of_fastest is None
        else cell
        for cell in decided
    ]


def _explain(cell: Cell, serial: Cell | None, machine: Machine) -> Cell:
    if cell.strategy == "serial" or cell.status != "ok" or cell.speedup is None:
        return cell
    pace = cell.speedup.estimate
    if not computes(serial) or (cell.of_ceiling and cell.of_ceiling.estimate > ALL_OF_IT):
        cell = replace(cell, of_ceiling=None)
    if cell.cores and serial and serial.cores:
        cell = replace(cell, cpu_cost=cell.cores / (pace * serial.cores))
    proof = prove_no_gain(cell, serial, machine)
    if proof is not None and cell.verdict in ("wins", "inconclusive"):
        cell = replace(cell, verdict="no_gain", proved_by=proof)
    if cell.verdict in ("withheld", "inconclusive", None):
        return cell
    if cell.verdict == "wins":
        return replace(cell, shortfall=find_shortfall(cell, machine))
    return replace(cell, cause=explain_no_gain(cell, serial, machine))


def serial(workload: str = "nogil", cores: float | None = 0.99) -> Cell:
    return arm("serial", None, None, workers=1, workload=workload, cores=cores)


def arm(
    strategy: str,
    speedup: float | Estimate | None,
    verdict: Verdict | None,
    *,
    workers: int = 2,
    workload: str = "nogil",
    share: float | None = None,
    reason: str | None = None,
    **more: Any,
) -> Cell:
    """Make a measured cell."""
    return Cell(
        workload,
        strategy,
        workers,
        "3.13.0",
        "ok",
        reason,
        blocks=40,
        seconds=Spread(0.0201, 0.0003, 0.0195),
        speedup=ratio(speedup) if isinstance(speedup, float) else speedup,
        of_ceiling=ratio(share) if share is not None else None,
        verdict=verdict,
        **more,
    )


def missing(
    strategy: str,
    reason: str | None,
    status: Any = "failed",
    workers: int = 2,
    workload: str = "nogil",
) -> Cell:
    """Make a cell that was not measured."""
    return Cell(workload, strategy, workers, "3.13.0", status, reason)


def null(passed: bool | None = True, workload: str = "nogil") -> Control:
    return Control(workload, 1, ratio(1.0 if passed else 1.07), passed, 1.0)


def ceiling(
    passed: bool | None = True, workload: str = "nogil", workers: int = 2, expected: float = 2.0
) -> Control:
    return Control(workload, workers, ratio(1.97 if passed else 1.31), passed, expected)


def make_result(
    cells: Sequence[Cell],
    noise: Noise = QUIET,
    *,
    nulls: Sequence[Control] | None = None,
    ceilings: Sequence[Control] | None = None,
    environment: Mapping[str, Any] = ENVIRONMENT,
    capacity: float | None = None,
    options: Mapping[str, Any] | None = None,
    partial: bool = False,
    warnings: Sequence[str] = (),
) -> Result:
    """Make a result from cells and controls, with the choices and the summary that they lead to.

    Controls that are not given have passed. ``capacity`` is the number of CPUs that the
    environment has, unless a quota leaves less.
    """
    if capacity is None:
        capacity = environment.get("cpus_usable")
    machine = Machine(capacity, environment.get("gil_enabled"))
    cells = conclude(cells, machine)
    workloads = list(dict.fromkeys(cell.workload for cell in cells))
    if nulls is None:
        nulls = [null(workload=workload) for workload in workloads]
    if ceilings is None:
        ceilings = [ceiling(workload=workload) for workload in workloads]
    result = Result(
        command="compare",
        partial=partial,
        seed=1,
        options={"confidence": 0.95, **(options or {})},
        environment=environment,
        cells=cells,
        null=nulls,
        ceiling=ceilings,
        noise=noise,
        choices=[_choose(name, cells, nulls, ceilings, machine) for name in workloads],
        warnings=warnings,
    )
    return replace(result, summary=summarize(result))


def _choose(
    workload: str,
    cells: Sequence[Cell],
    nulls: Sequence[Control],
    ceilings: Sequence[Control],
    machine: Machine,
) -> Choice:
    own = [cell for cell in cells if cell.workload == workload]
    of_it = [control for control in ceilings if control.workload == workload]
    doubts = [find_failed(each, of_it) for each in nulls if each.workload == workload]
    return replace(choose(own, machine), doubts=tuple(chain(*doubts)))


def full_result(*, held: bool = False, noisy: bool = False) -> Result:
    """Make a result with every status, three strategies and a long statement."""

    def extra(speedup: float | None, of: float) -> dict[str, Any]:
        quiet = {"speedup_quiet": ratio(speedup + 0.01)} if noisy and speedup else {}
        later = {"speedup_later": ratio(speedup, 0.042)} if speedup else {}
        return quiet | later | ({"held": of} if held else {})

    cells = []
    for name in ("countdown_python", STATEMENT):
        cells += [
            arm("serial", None, None, workers=1, workload=name, cores=0.99, **extra(None, 1.0)),
            arm(
                "threads",
                0.99,
                "same",
                workload=name,
                share=0.5,
                cores=1.01,
                setup_s=123e-6,
                **extra(0.99, 1.0),
            ),
            arm(
                "processes",
                1.92,
                "wins",
                workload=name,
                share=0.98,
                cores=1.95,
                setup_s=0.062,
                notes=("moved to [another] directory",),
                **extra(1.92, 1.0),
            ),
        ]
    cells.append(missing("interpreters", "needs Python 3.14", "unavailable", workload=STATEMENT))
    cells.append(missing("cluster", "died | of [red]signal 9\x1b[31m " + "a long reason " * 9))
    noise = Noise(40, 36, 0.3, 1.2, None, None, 0.0, 321, None) if noisy else QUIET
    return make_result(cells, noise, warnings=("the start method is [fork]",))
