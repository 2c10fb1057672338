"""The charts of a result as one picture, drawn by matplotlib (the extra ``gillab[report]``)."""

from __future__ import annotations

import io
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gillab.errors import UsageError
from gillab.report.figures import format_value, shorten
from gillab.text import printable

if TYPE_CHECKING:
    from gillab.charts import Axis, Chart, Series
    from gillab.results import Result

_FORMATS = (".png", ".svg", ".pdf")
_COLORS = {
    "threads": "#0072b2",
    "processes": "#d55e00",
    "interpreters": "#009e73",
    "serial": "#555555",
}
_OTHER_COLORS = ("#cc79a7", "#e69f00", "#56b4e9", "#7b3294", "#8c510a", "#01665e")
"""Both sets can be told apart by people who do not see all colours (M. Okabe and K. Ito, 2008)."""
_LINES: dict[str, dict[str, Any]] = {
    "measured": {"marker": "o", "markersize": 4, "linewidth": 1.5},
    "ceiling": {"linestyle": "--", "linewidth": 1.2, "marker": "_"},
    "ideal": {"linestyle": ":", "linewidth": 1.2},
    "predicted": {"linestyle": (0, (4, 2)), "linewidth": 1.2, "marker": "x", "markersize": 5},
}
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.5)))
_GREY = {"ceiling": "#777777", "ideal": "#aaaaaa"}
_WIDTH, _HEIGHT = 7.2, 4.2
"""Of one chart, in inches."""


def check_plot(path: Path) -> None:
    """Refuse an ending that is no picture's, and a missing matplotlib. UsageError."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"--plot: {path} must end in {', '.join(_FORMATS)}; rename it.")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: run pip install 'gillab[report]'.")


def draw(result: Result, suffix: str) -> bytes:
    """Return a picture of every chart of a result, one below the other."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    charts = result.charts
    figure = Figure(figsize=(_WIDTH, _HEIGHT * max(1, len(charts))), layout="constrained")
    rows = figure.subplots(max(1, len(charts)), 1, squeeze=False)
    for chart, axes in zip(charts, rows[:, 0], strict=False):
        _draw_chart_with_title(chart, axes)
    if not charts:
        rows[0, 0].set_axis_off()
        rows[0, 0].text(0.5, 0.5, "nothing was measured", ha="center")
    stream = io.BytesIO()
    # Without a date and a random salt the same result gives the same file.
    dated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    kind = suffix.lower()
    with rc_context({"svg.hashsalt": "gillab"}), warnings.catch_warnings():
        # A PDF's fonts are read by a module that turns the GIL on: nothing is measured any more.
        warnings.filterwarnings("ignore", "The global interpreter lock", RuntimeWarning)
        figure.savefig(stream, format=kind[1:], dpi=150, metadata=dated[kind])
    return stream.getvalue()


def _draw_chart_with_title(chart: Chart, axes: Any) -> None:
    head = f"{shorten(chart.group, 40)}: {chart.title}" if chart.group else chart.title
    axes.set_title(make_plain(head), fontsize=10, wrap=True)
    draw_chart(chart, axes)
    if chart.series:
        axes.legend(fontsize=8, frameon=False)


def draw_chart(chart: Chart, axes: Any, most_ticks: int = 10) -> None:
    """Draw a chart, without its title and its legend."""
    others = count()
    colors: dict[str, str] = {}
    lines: Counter[str] = Counter()
    for series in chart.series:
        family = series.name.partition(",")[0]
        if series.kind not in _GREY and family not in colors:
            colors[family] = choose_color(family, others)
        color = _GREY.get(series.kind) or colors[family]
        style = dict(_LINES[series.kind])
        if series.kind == "measured":
            # Series of one colour belong together: they are told apart by their lines.
            style["linestyle"] = _DASHES[lines[color] % len(_DASHES)]
            lines[color] += 1
        _draw_series(series, color, style, axes)
    for mark in chart.marks:
        if mark.at.estimate is None or mark.at.high is None:
            continue  # it is not shown to be anywhere
        color = colors.get(mark.series, "#555555")
        axes.axvline(mark.at.estimate, color=color, linewidth=0.9, alpha=0.8)
        if mark.at.low is not None and mark.at.high is not None:
            axes.axvspan(mark.at.low, mark.at.high, color=color, alpha=0.12, linewidth=0)
    ticks = thin_ticks(chart.xs, most_ticks, logarithmic=chart.x.logarithmic)
    _set_axis(axes, "x", chart.x, ticks)
    _set_axis(axes, "y", chart.y, [])
    if not chart.y.logarithmic:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25, linewidth=0.6)


def _draw_series(series: Series, color: str, style: dict[str, Any], axes: Any) -> None:
    xs = [point.x for point in series.points]
    ys = [point.y.estimate for point in series.points]
    axes.plot(xs, ys, color=color, label=make_plain(series.name), **style)
    ranged = [
        (point.x, point.y.low, point.y.high)
        for point in series.points
        if point.y.low is not None and point.y.high is not None
    ]
    if not ranged:
        return
    at, lows, highs = zip(*ranged, strict=True)
    if series.kind == "measured":
        axes.vlines(at, lows, highs, color=color, linewidth=1.2)
    else:
        axes.fill_between(at, lows, highs, color=color, alpha=0.12, linewidth=0)


def choose_color(name: str, others: count[int]) -> str:
    """Return the colour of a strategy; of another name, the next of the others."""
    known = _COLORS.get(name.split(maxsplit=1)[0].rstrip(",") if name else "")
    return known or _OTHER_COLORS[next(others) % len(_OTHER_COLORS)]


def thin_ticks(places: Sequence[float], most: int, *, logarithmic: bool) -> list[float]:
    """Return those places that have room for a label beside each other, the last among them."""
    if logarithmic and any(place <= 0 for place in places):
        return []
    at = [math.log(place) if logarithmic else place for place in places]
    kept: list[int] = []
    for index in range(len(at) - 1, -1, -1):
        if not kept or (at[kept[-1]] - at[index]) * most >= at[-1] - at[0]:
            kept.append(index)
    return [places[index] for index in reversed(kept)]


def _set_axis(axes: Any, which: str, axis: Axis, ticks: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    getattr(axes, f"set_{which}label")(make_plain(axis.label))
    if axis.logarithmic:
        getattr(axes, f"set_{which}scale")("log")
    direction = axes.xaxis if which == "x" else axes.yaxis
    if ticks:
        direction.set_ticks(ticks)
        direction.set_minor_locator(NullLocator())
    elif axis.logarithmic:
        direction.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    direction.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, axis.unit)))
    direction.set_minor_formatter(NullFormatter())


def make_plain(text: str) -> str:
    """Return the text such that matplotlib draws it as it is: a dollar would begin mathematics."""
    return printable(text).replace("$", r"\$")
