"""Results for the tests of the report, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gillab.report.summary import summarize
from gillab.results import Cell, Control, Estimate, Noise, Result, Spread, Verdict

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


def pair(cells: Sequence[Cell]) -> list[Cell]:
    """Hold the winners of each workload against the fastest of them, as an analysis does."""
    fastest: dict[str, float] = {}
    for cell in cells:
        if cell.verdict == "wins" and cell.speedup:
            pace = fastest.get(cell.workload, 0.0)
            fastest[cell.workload] = max(pace, cell.speedup.estimate)
    return [
        replace(cell, of_fastest=ratio(cell.speedup.estimate / fastest[cell.workload]))
        if cell.verdict == "wins" and cell.speedup and cell.of_fastest is None
        else cell
        for cell in cells
    ]


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


def make_result(cells: Sequence[Cell], noise: Noise = QUIET, **more: Any) -> Result:
    """Make a result whose controls passed, with the summary that belongs to it."""
    cells = pair(cells)
    workloads = list(dict.fromkeys(cell.workload for cell in cells))
    nulls = [null(workload=workload) for workload in workloads]
    ceilings = [ceiling(workload=workload) for workload in workloads]
    return Result(
        command="compare",
        partial=more.pop("partial", False),
        seed=1,
        options={"confidence": 0.95},
        environment=ENVIRONMENT,
        cells=cells,
        null=nulls,
        ceiling=ceilings,
        noise=noise,
        summary=summarize(cells, nulls, ceilings, ENVIRONMENT),
        **more,
    )


def full_result(*, held: bool = False, noisy: bool = False) -> Result:
    """Make a result with every status, three strategies and a long statement."""

    def extra(speedup: float | None, of: float) -> dict[str, Any]:
        quiet = {"speedup_quiet": ratio(speedup + 0.01)} if noisy and speedup else {}
        return quiet | ({"held": of} if held else {})

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
