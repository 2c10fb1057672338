"""The picture of a timeline: a lane a thread, and below the fraction of the time held."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gillab.meter.timeline import Hold, Span, Timeline
from gillab.report.figures import format_duration, shorten
from gillab.report.holds import (
    UNKNOWN,
    count_functions,
    find_longest,
    name_function,
    name_hold,
)
from gillab.report.page.svg import INK, Figure
from gillab.report.plot import make_plain

_MOST_LANES = 12
_COLORS = ("#d55e00", "#0072b2", "#009e73", "#7b3294", "#8c510a", "#56b4e9")
_OTHERS, _UNKNOWN = "#777777", "#555555"
_OTHER_FUNCTIONS = "other functions"
_HELD = "#0072b2"
_COLUMNS = {True: 240, False: 520}
"""Of a lane in the narrow and the wide picture: about one for each dot of a common screen."""
_FULL = 0.62
"""The height of a lane that is filled, of a row."""
_NAME = {True: 12, False: 20}
_Part = str
"""What fills a part of a lane: a function's label, or `_WAITS`."""
_WAITS = "waits for the GIL"


@dataclass(frozen=True, slots=True)
class _Look:
    """The labels of the functions and their colours."""

    labels: Mapping[int | None, str]
    colors: Mapping[str, str]


def describe(timeline: Timeline) -> str:
    """Return what the lanes show."""
    waits = any(span.kind == "wait" for span in timeline.spans)
    return (
        "A lane a thread. Colour: it holds the GIL, in this function; a lane that is not filled to "
        "its top was so for a part of the moment. "
        f"{'Hatched: it waits for the GIL. ' if waits else ''}The lowest lane is the part of the "
        "time, from 0 to 100 %, in which the GIL was held."
    )


def plan_lanes(timeline: Timeline) -> Figure | None:
    """Return the picture; None where no span was seen."""
    if not timeline.spans:
        return None
    busy = Counter[int]()
    for span in timeline.spans:
        busy[span.thread] += span.end_ns - span.begin_ns
    kept = {thread for thread, _ in busy.most_common(_MOST_LANES)}
    lanes = [thread for thread in timeline.threads if thread in kept]
    left_out = len(busy) - len(lanes)
    values = []
    if left_out:
        values.append(f"{left_out} threads that held the GIL or waited for it less are left out")
    return Figure(
        title="Who held the GIL, and when",
        paint=lambda axes, narrow: _paint(timeline, lanes, axes, narrow=narrow),
        height=2.1 + 0.55 * len(lanes),
        values=tuple(values),
    )


def _choose_look(timeline: Timeline) -> _Look:
    top = [each for each, _ in count_functions(timeline).most_common() if each is not None]
    labels: dict[int | None, str] = {None: UNKNOWN}
    colors: dict[str, str] = {}
    for color, function in zip(_COLORS, top, strict=False):
        labels[function] = name_function(timeline, function, 34)
        # Two functions of one name are told apart by the table, and here by nothing.
        colors.setdefault(labels[function], color)
    for function in top[len(_COLORS) :]:
        labels[function] = _OTHER_FUNCTIONS
    return _Look(labels, {**colors, _OTHER_FUNCTIONS: _OTHERS, UNKNOWN: _UNKNOWN})


def _paint(timeline: Timeline, lanes: Sequence[int], axes: Any, *, narrow: bool) -> None:
    look = _choose_look(timeline)
    columns = _COLUMNS[narrow]
    width_s = (timeline.ended_ns - timeline.began_ns) / 1e9 / columns
    patches: dict[_Part, list[Any]] = {part: [] for part in (*look.colors, _WAITS)}
    for row, thread in enumerate(lanes):
        spans = [span for span in timeline.spans if span.thread == thread]
        for part, boxes in _fill(timeline, spans, look, columns).items():
            # One path for all boxes of a kind: a path for each makes a file of megabytes.
            patches[part].append(_make_patch(part, look, _place(boxes, row, width_s)))
    for part, of_part in patches.items():  # in the order in which the legend has them
        for patch in of_part:
            axes.add_patch(patch)
        if of_part:
            # A legend leaves out what begins with an underscore, as functions do.
            of_part[0].set_label(f" {make_plain(part)}")
    for row in range(len(lanes)):
        axes.axhline(row + 0.5, color=INK, linewidth=0.4, alpha=0.5)
    _paint_fraction(timeline, len(lanes), axes)
    for longest in find_longest(timeline, 1):
        if longest.thread in lanes:
            _mark(timeline, longest, lanes.index(longest.thread), axes, narrow=narrow)
    names = [shorten(timeline.threads[thread].name, _NAME[narrow]) for thread in lanes]
    _set_axes(timeline, names, axes, narrow=narrow)


def _fill(
    timeline: Timeline, spans: Sequence[Span], look: _Look, columns: int
) -> dict[_Part, list[tuple[int, int, float, float]]]:
    """Return the boxes of a lane by what they show: first column, end, bottom and top (0 to 1)."""
    parts: list[dict[_Part, float]] = [defaultdict(float) for _ in range(columns)]
    length_ns = timeline.ended_ns - timeline.began_ns
    for span in spans:
        part = _WAITS if span.kind == "wait" else look.labels[span.function]
        begin = (span.begin_ns - timeline.began_ns) * columns / length_ns
        end = (span.end_ns - timeline.began_ns) * columns / length_ns
        for column in range(max(int(begin), 0), min(int(end) + 1, columns)):
            parts[column][part] += max(min(end, column + 1) - max(begin, column), 0.0)
    order = [*look.colors, _WAITS]
    boxes: dict[_Part, list[tuple[int, int, float, float]]] = {}
    for column, counted in enumerate(parts):
        bottom = 0.0
        for part in order:
            # Rounded, so that neighbours that look alike become one box.
            top = round(min(bottom + counted[part], 1.0), 2)
            if top > bottom:
                of_part = boxes.setdefault(part, [])
                if of_part and of_part[-1][1:] == (column, bottom, top):
                    of_part[-1] = (of_part[-1][0], column + 1, bottom, top)
                else:
                    of_part.append((column, column + 1, bottom, top))
                bottom = top
    return boxes


def _place(
    boxes: Sequence[tuple[int, int, float, float]], row: int, width_s: float
) -> Iterator[tuple[float, float, float, float]]:
    # Downwards on this axis is more; a lane stands on its line.
    for first, end, bottom, top in boxes:
        floor = row + 0.5
        yield first * width_s, end * width_s, floor - _FULL * bottom, floor - _FULL * top


def _make_patch(
    part: _Part, look: _Look, boxes: Iterator[tuple[float, float, float, float]]
) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    vertices: list[tuple[float, float]] = []
    codes: list[Any] = []
    for left, right, bottom, top in boxes:
        vertices += [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
        codes += [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
    path = Path(vertices, codes)
    if part == _WAITS:
        return PathPatch(path, facecolor="none", edgecolor=INK, hatch="/////", linewidth=0.5)
    return PathPatch(path, facecolor=look.colors[part], linewidth=0)


def _paint_fraction(timeline: Timeline, row: int, axes: Any) -> None:
    floor = row + 0.5
    at = [(moment - timeline.began_ns) / 1e9 for moment, _ in timeline.held]
    heights = [floor - _FULL * min(fraction, 1.0) for _, fraction in timeline.held]
    if at:
        axes.fill_between(at, heights, floor, step="post", color=_HELD, alpha=0.3, linewidth=0)
        axes.plot(at, heights, drawstyle="steps-post", color=_HELD, linewidth=1.0)
    for line in (0.0, 1.0):
        axes.axhline(floor - _FULL * line, color=INK, linewidth=0.4, alpha=0.5)


def _mark(timeline: Timeline, hold: Hold, row: int, axes: Any, *, narrow: bool) -> None:
    """Draw a bracket over the longest hold and write its function and length on it."""
    begin = (hold.begin_ns - timeline.began_ns) / 1e9
    end = (hold.end_ns - timeline.began_ns) / 1e9
    whole = (timeline.ended_ns - timeline.began_ns) / 1e9
    above = row + 0.5 - _FULL - 0.05
    axes.plot(
        [begin, begin, end, end], [above + 0.05, above, above, above + 0.05],
        color=INK, linewidth=1.2,
    )  # fmt: skip
    name = name_hold(timeline, hold, 26 if narrow else 50)
    middle = (begin + end) / 2 / whole if whole else 0.5
    place, align = (begin, "left") if middle < 1 / 3 else (end, "right")
    if 1 / 3 <= middle <= 2 / 3:
        place, align = (begin + end) / 2, "center"
    said = make_plain(f"{name}: {format_duration(hold.length_ns / 1e9)}")
    axes.text(place, above - 0.03, said, color=INK, ha=align, va="bottom", fontsize=8)


def _set_axes(timeline: Timeline, names: Sequence[str], axes: Any, *, narrow: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = len(names)
    held = [fraction for _, fraction in timeline.held]
    total = "held" if narrow or not held else "GIL held"
    places = [row + 0.5 - _FULL / 2 for row in range(rows + 1)]
    axes.set_yticks(places, [*map(make_plain, names), total])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(rows + 0.5, -0.55)
    axes.set_xlim(0, (timeline.ended_ns - timeline.began_ns) / 1e9)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if narrow else 8))
    seconds = timeline.ended_ns - timeline.began_ns > 2e9
    unit, factor = ("s", 1.0) if seconds else ("ms", 1e3)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * factor:g} {unit}"))
    axes.set_xlabel("since the start")
    axes.spines["left"].set_visible(False)
