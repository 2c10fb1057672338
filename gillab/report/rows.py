"""The table of a result with arms, as plain text: one row a cell."""

from __future__ import annotations

from gillab.estimates import Estimate
from gillab.report.conditions import shows_held, shows_later, shows_quiet
from gillab.report.figures import (
    format_duration,
    format_interval,
    format_percent,
    format_spread,
)
from gillab.report.parts import describe_parts
from gillab.results import Cell, Result
from gillab.text import printable

WORDS = ("workload", "Python", "strategy", "where the time goes", "verdict")
"""The columns that hold words; the others hold figures."""


def list_rows(result: Result) -> list[dict[str, str]]:
    """Return a row for each cell, by the names of the columns, without those that say nothing."""
    whole = result.command == "job"
    left_out = {
        "Python": not any(cell.interpreter for cell in result.cells),
        "in the minutes after": not shows_later(result),
        "in quiet blocks": not shows_quiet(result),
        "GIL held": not shows_held(result),
        "of the ceiling": whole,
        "start": whole,
        "chunks": not whole,
        "where the time goes": not whole,
    }
    return [
        {name: text for name, text in _row(cell, whole=whole).items() if not left_out.get(name)}
        for cell in result.cells
    ]


def _row(cell: Cell, *, whole: bool) -> dict[str, str]:
    return {
        "workload": printable(cell.workload),
        "Python": printable(cell.interpreter or cell.python),
        "strategy": printable(" ".join(filter(None, (cell.strategy, cell.variant))))
        + (" (own data)" if cell.data == "own" else ""),
        "workers": str(cell.workers),
        "chunks": "" if cell.chunksize is None else str(cell.chunksize),
        "the job" if whole else "a task": format_spread(cell.seconds) if cell.seconds else "",
        "cores": f"{cell.cores:.2f}" if cell.cores is not None else "",
        "speedup": format_interval(cell.speedup) if cell.speedup else "",
        "in the minutes after": _interval(cell.speedup_later),
        "in quiet blocks": format_interval(cell.speedup_quiet) if cell.speedup_quiet else "",
        "of the ceiling": format_percent(cell.of_ceiling.estimate) if cell.of_ceiling else "",
        "start": format_duration(cell.setup_s, 2) if cell.setup_s is not None else "",
        "GIL held": format_percent(cell.held) if cell.held is not None else "",
        "where the time goes": describe_parts(cell.parts) if cell.parts else "",
        "verdict": _outcome(cell),
    }


def _interval(estimate: Estimate | None) -> str:
    """Write an interval alone, next to the column that has its estimate."""
    if estimate is None or estimate.low is None:
        return ""
    return format_interval(estimate).partition(" ")[2]


def _outcome(cell: Cell) -> str:
    if cell.status == "ok":  # why a verdict is withheld stands in the summary
        return cell.verdict or ""
    return f"{cell.status}: {printable(cell.reason)}" if cell.reason else cell.status
