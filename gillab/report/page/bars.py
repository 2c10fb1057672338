"""Bars from zero: where the time of a job goes, and how much of a call the GIL is released."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gillab.release.findings import Finding, Findings
from gillab.report.figures import format_percent, shorten
from gillab.report.page.forest import name_cell
from gillab.report.page.svg import INK, PAPER, Figure
from gillab.report.parts import describe_parts
from gillab.report.plot import make_plain
from gillab.report.release import format_fraction, name_call
from gillab.results import Cell, Result

ABOUT_PARTS = (
    "A bar is all of the workers' time, from making the pool to its end. start: until a worker is "
    "ready, and the pool's end; send: pickling items, unpickling them and waiting for them; "
    "compute: in the function; receive: the same as send, of results; idle: the rest."
)
ABOUT_RELEASED = (
    "A bar is the share of a call's time in which other threads may run; the line across its end "
    "is the interval."
)
_DARK = "#101112"
"""On colours that are light whatever the page is."""
_PARTS = {
    "start": ("#cc79a7", _DARK),
    "send": ("#e69f00", _DARK),
    "compute": ("#0072b2", PAPER),
    "receive": ("#009e73", PAPER),
    "idle": ("#999999", _DARK),
}
"""Each part's colour, and that of the figure on it."""
_ROOM = 0.08
"""A part as large as this has room for its figure."""
_NAME = {True: 18, False: 44}
_RELEASED, _INTERVAL = "#009e73", INK


def plan_parts(result: Result, workload: str) -> Figure | None:
    """Return where the time of a workload's cells goes; None where that was not measured."""
    cells = [cell for cell in result.cells if cell.workload == workload and cell.parts is not None]
    if not cells:
        return None
    return Figure(
        title=f"Where the time goes: {shorten(workload, 60)}",
        paint=lambda axes, narrow: _paint_parts(cells, axes, narrow=narrow),
        height=1.2 + 0.36 * len(cells),
        values=tuple(f"{name_cell(c)}: {describe_parts(c.parts)}" for c in cells if c.parts),
    )


def _paint_parts(cells: Sequence[Cell], axes: Any, *, narrow: bool) -> None:
    ends = [0.0] * len(cells)
    for name, (color, ink) in _PARTS.items():
        shares = [getattr(cell.parts, name) for cell in cells]
        axes.barh(range(len(cells)), shares, left=ends, color=color, label=name, height=0.7)
        for at, share in enumerate(shares):
            if share >= (2 * _ROOM if narrow else _ROOM):
                middle = ends[at] + share / 2
                axes.text(middle, at, format_percent(share), color=ink, ha="center", va="center")
        ends = [end + share for end, share in zip(ends, shares, strict=True)]
    _name_rows(axes, [name_cell(cell) for cell in cells], narrow=narrow)
    _set_percent(axes, "share of the workers' time")


def plan_released(result: Findings) -> Figure | None:
    """Return how much of its time each call releases the GIL; None where none was read."""
    cells = [cell for cell in result.cells if cell.released is not None]
    if not cells:
        return None
    return Figure(
        title="Time in which the GIL is released",
        paint=lambda axes, narrow: _paint_released(cells, axes, narrow=narrow),
        height=0.8 + 0.27 * len(cells),
        values=tuple(
            f"{name_call(cell)}: {format_fraction(cell.released)}"
            for cell in cells
            if cell.released is not None
        ),
    )


def _paint_released(cells: Sequence[Finding], axes: Any, *, narrow: bool) -> None:
    for at, cell in enumerate(cells):
        assert cell.released is not None
        axes.barh(at, cell.released.estimate, color=_RELEASED, height=0.7)
        if cell.released.low is not None and cell.released.high is not None:
            ends = [cell.released.low, cell.released.high]
            axes.plot(ends, [at, at], color=_INTERVAL, linewidth=1.4, solid_capstyle="butt")
    _name_rows(axes, [name_call(cell) for cell in cells], narrow=narrow)
    _set_percent(axes, "share of the call's time")


def _name_rows(axes: Any, names: Sequence[str], *, narrow: bool) -> None:
    plain = [make_plain(shorten(name, _NAME[narrow])) for name in names]
    axes.set_yticks(range(len(names)), plain)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _set_percent(axes: Any, label: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_percent(value)))
    axes.set_xlabel(label)
