"""The blocks over time: each arm against its own median, shaded by what others did meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

from gillab.report.figures import format_value, shorten
from gillab.report.page.forest import choose_ticks, name_cell
from gillab.report.page.svg import INK, Figure
from gillab.report.plot import choose_color, make_plain
from gillab.results import Cell, Result

ABOUT = (
    "Blocks in the order in which they ran. A line is the time of a task in an arm as a multiple "
    "of that arm's median, on a logarithmic axis. The darker the ground, the more cores others "
    "kept busy. At a thin vertical line a fresh interpreter begins."
)
_MOST_LINES = 8
"""So many arms get a line each; of more, one line shows the median."""
_LOAD = "#d0a000"
_DARKEST = 0.55
_STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    color: str
    style: str
    values: tuple[float, ...]
    """The time in each block as a multiple of the median; NaN where the arm did not run."""


def plan_timeline(result: Result, workload: str) -> Figure | None:
    """Return the figure of a workload's blocks; None with fewer than two."""
    blocks = [block for block in result.blocks if block.get("workload") == workload]
    cells = {cell.key: cell for cell in result.cells if cell.workload == workload}
    lines = _list_lines(blocks, cells)
    if len(blocks) < 2 or not lines:
        return None
    loads = [_find_load(block) for block in blocks]
    known = [load for load in loads if load is not None]
    most = max(1.0, *known) if known else 1.0
    if known:
        load = (
            f"others kept {min(known):.2f} cores busy at the least, {median(known):.2f} in the "
            f"median block, {max(known):.2f} at the most"
        )
    else:
        load = "this system does not tell how busy others kept it"
    return Figure(
        title=f"The blocks over time: {shorten(workload, 60)}",
        paint=lambda axes, narrow: _paint(blocks, lines, loads, most, axes, narrow=narrow),
        height=3.0,
        values=(f"{len(blocks)} blocks; {load}",),
    )


def _find_load(block: Mapping[str, Any]) -> float | None:
    noise = block.get("noise")
    load = noise.get("other_cores") if isinstance(noise, Mapping) else None
    return float(load) if isinstance(load, (int, float)) else None


def _list_lines(blocks: Sequence[Mapping[str, Any]], cells: Mapping[str, Cell]) -> list[_Line]:
    keys = dict.fromkeys(key for block in blocks for key in block["seconds"])
    relative: dict[str, tuple[float, ...]] = {}
    for key in sorted(keys):
        times = [float(block["seconds"].get(key) or math.nan) for block in blocks]
        ran = [time for time in times if time > 0]
        if len(ran) > 1:
            middle = median(ran)
            relative[key] = tuple(time / middle for time in times)
    if len(relative) > _MOST_LINES:
        name = f"median of {len(relative)} arms"
        values = tuple(
            median([value for value in column if value > 0] or [math.nan])
            for column in zip(*relative.values(), strict=True)
        )
        return [_Line(name, INK, "-", values)]
    return list(_color(relative, cells))


def _color(relative: Mapping[str, tuple[float, ...]], cells: Mapping[str, Cell]) -> Iterator[_Line]:
    """Name each arm: a strategy has a colour, and each of its arms a style."""
    others = count()
    colors: dict[str, str] = {}
    taken: dict[str, int] = {}
    for key, values in relative.items():
        cell = cells.get(key)
        # An arm without a cell is a control: null/1, ceiling/2.
        strategy, _, workers = key.partition("/") if cell is None else (cell.strategy, "", "")
        name = f"{strategy} ×{workers}" if cell is None else name_cell(cell)
        color = colors.setdefault(strategy, choose_color(strategy, others))
        nth = taken[strategy] = taken.get(strategy, -1) + 1
        yield _Line(name.removesuffix(" ×1"), color, _STYLES[nth % len(_STYLES)], values)


def _paint(
    blocks: Sequence[Mapping[str, Any]],
    lines: Sequence[_Line],
    loads: Sequence[float | None],
    most: float,
    axes: Any,
    *,
    narrow: bool,
) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    for at, load in enumerate(loads, 1):
        if load:
            shade = _DARKEST * min(1.0, load / most)
            axes.axvspan(at - 0.5, at + 0.5, color=_LOAD, alpha=round(shade, 2), linewidth=0)
    launches = [block.get("launch") for block in blocks]
    for at in range(1, len(blocks)):
        if launches[at] != launches[at - 1]:
            axes.axvline(at + 0.5, color=INK, linewidth=0.6, alpha=0.6)
    numbers = range(1, len(blocks) + 1)
    for line in lines:
        axes.plot(
            numbers,
            line.values,
            label=make_plain(shorten(line.name, 24)),
            color=line.color,
            linestyle=line.style,
            linewidth=1.3,
            marker="o",
            markersize=2.5,
        )
    seen = [value for line in lines for value in line.values if value > 0]
    low, high = min([*seen, 0.9]) / 1.05, max([*seen, 1.1]) * 1.05
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(choose_ticks(low, high, 7)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, "x")))
    axes.set_ylabel("time against median" if narrow else "time against the arm's median")
    axes.set_xlim(0.5, len(blocks) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6 if narrow else 12))
    axes.set_xlabel("block")
    axes.axhline(1.0, color=INK, linewidth=0.6)
