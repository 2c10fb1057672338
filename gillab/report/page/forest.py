"""The forest plot: the speedup of each cell with its interval, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from gillab.estimates import Estimate
from gillab.report.figures import format_speedup, format_value, format_workers, shorten
from gillab.report.page.svg import INK, Figure
from gillab.report.plot import choose_color, make_plain
from gillab.results import Cell, Result

ABOUT = (
    "A dot is a speedup and the line is its interval, on a logarithmic axis: right "
    "of the line at 1 is faster, left of it is slower. An interval that crosses the line does not "
    "tell. The grey ring is the ceiling: the most that this machine gave."
)
_GREY = "#777777"
_TICKS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_FINE_TICKS = (0.9, 0.95, 1.0, 1.05, 1.1, 1.2)
_NAME = {True: 16, False: 40}


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    speedup: Estimate
    color: str
    ceiling: bool = False


def name_cell(cell: Cell) -> str:
    """Return what sets a cell apart from others of its workload."""
    workers = "" if cell.strategy == "serial" else f" {format_workers(cell.workers)}"
    chunks = "" if cell.chunksize is None else f" by {cell.chunksize}"
    own = " own data" if cell.data == "own" else ""
    variant = f" {cell.variant}" if cell.variant else ""
    # Where two versions are compared, new runs in an interpreter that is called new.
    interpreter = f"{cell.interpreter} " if cell.interpreter not in ("", cell.variant) else ""
    return f"{interpreter}{cell.strategy}{workers}{own}{chunks}{variant}"


def plan_forest(result: Result, workload: str) -> Figure | None:
    """Return the figure for one workload; None where no cell has a speedup."""
    others = count()
    colors: dict[str, str] = {}
    rows = []
    for cell in result.cells:
        if cell.workload != workload or cell.speedup is None or cell.speedup.estimate <= 0:
            continue
        color = colors.setdefault(cell.strategy, choose_color(cell.strategy, others))
        rows.append(_Row(name_cell(cell), cell.speedup, color))
    if not rows:
        return None
    rows += [
        _Row(f"ceiling {format_workers(each.workers)}", each.speedup, _GREY, ceiling=True)
        for each in result.ceiling
        if each.workload == workload and each.speedup is not None and each.speedup.estimate > 0
    ]
    base = "old" if result.command == "versus" else "serial"
    return Figure(
        title=f"Speedup against {base}: {shorten(workload, 60)}",
        paint=lambda axes, narrow: _paint(rows, base, axes, narrow=narrow),
        height=0.8 + 0.27 * len(rows),
        values=tuple(f"{row.name}: {format_speedup(row.speedup)}" for row in rows),
    )


def _paint(rows: Sequence[_Row], base: str, axes: Any, *, narrow: bool) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for at, row in enumerate(rows):
        low, high = row.speedup.low, row.speedup.high
        if low is not None and high is not None and 0 < low <= high:
            axes.plot([low, high], [at, at], color=row.color, linewidth=2.2, solid_capstyle="butt")
        inside = "none" if row.ceiling else row.color
        axes.plot(row.speedup.estimate, at, marker="o", markersize=6, color=row.color, mfc=inside)
    axes.axvline(1.0, color=INK, linewidth=1)
    low, high = _find_range(rows)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(choose_ticks(low, high, 5 if narrow else 9)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, "x")))
    axes.set_xlabel(f"speedup against {base}")
    names = [make_plain(shorten(row.name, _NAME[narrow])) for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    if not narrow:
        figures = axes.secondary_yaxis("right")
        figures.set_yticks(range(len(rows)), [format_speedup(row.speedup) for row in rows])
        figures.tick_params(axis="y", length=0)
        figures.spines["right"].set_visible(False)


def _find_range(rows: Sequence[_Row]) -> tuple[float, float]:
    """Return the ends of the axis: 1 lies between them, and so does every interval above 0."""
    ends = [1.0]
    for row in rows:
        ends += [
            end
            for end in (row.speedup.estimate, row.speedup.low, row.speedup.high)
            if end is not None and end > 0
        ]
    low, high = min(ends), max(ends)
    room = max(1.08, (high / low) ** 0.05)
    return low / room, high * room


def choose_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round places between two speedups, 1 always among them where it lies there."""
    fine = [tick for tick in _FINE_TICKS if low <= tick <= high]
    ticks = fine
    if high / low > 1.5:
        powers = range(-6, 7)
        ticks = [tick * 10.0**power for power in powers for tick in _TICKS]
        ticks = [tick for tick in ticks if low <= tick <= high]
    every = ticks
    for keep in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        if len(ticks) > most:
            ticks = [tick for tick in every if _find_mantissa(tick) in keep]
    step = -(-len(ticks) // most)
    if 1.0 in ticks and step > 1:
        return ticks[ticks.index(1.0) % step :: step]
    return ticks


def _find_mantissa(value: float) -> float:
    return float(f"{value:.2e}".partition("e")[0])
