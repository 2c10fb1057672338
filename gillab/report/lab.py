"""The results of the lab: an answer in a sentence, and a table for each chart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from gillab.charts import Chart, Series
from gillab.estimates import Bracket
from gillab.report.conditions import (
    describe_controls,
    describe_environment,
    describe_noise,
    list_warnings,
)
from gillab.report.figures import format_measured, format_value
from gillab.report.markdown import bullets, escape, table
from gillab.report.printer import Printer
from gillab.report.terminal import print_conditions
from gillab.results import Result
from gillab.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_NAMED = 3
"""So many variants are named; of more the strategy is."""
_COLUMNS = (
    *("group", "chart", "series", "kind", "x_of", "x_unit", "x"),
    *("y_of", "y_unit", "y", "y_low", "y_high"),
)


def render_lab(result: Result, console: Console) -> None:
    """Print the answer, the charts as tables, and what they rest on."""
    printer = Printer(console)
    for sentence in result.summary:
        printer.print(Text(printable(sentence)))
    for chart in result.charts:
        printer.print(Text())
        _print_chart(chart, printer)
    missing = describe_missing(result)
    if missing:
        printer.print(Text())
    for line in missing:
        printer.print(Text(printable(line), "yellow"), indent=2)
    printer.print(Text())
    print_conditions(result, printer)


def _print_chart(chart: Chart, printer: Printer) -> None:
    printer.print(Text(printable(name_chart(chart)), "bold"))
    for group in _split(chart, printer.width):
        names, rows = tabulate_chart(chart, group)
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        for row, style in ((names, "dim"), *((row, "") for row in rows)):
            cells = (text.rjust(width) for text, width in zip(row, widths, strict=True))
            printer.print(Text((" " * _GAP).join(cells).rstrip(), style))
    for line in describe_marks(chart):
        printer.print(Text(printable(line), "dim"), indent=2)


def name_chart(chart: Chart) -> str:
    """Return the title, with the workload in front."""
    return f"{chart.group}: {chart.title}" if chart.group else chart.title


def _split(chart: Chart, width: int) -> Iterator[list[Series]]:
    """Share the series out among tables, each as wide as the output at most."""
    left = list(chart.series)
    while left:
        take = len(left)
        while take > 1 and _measure(chart, left[:take]) > width:
            take -= 1
        yield left[:take]
        left = left[take:]


def _measure(chart: Chart, series: Sequence[Series]) -> int:
    names, rows = tabulate_chart(chart, series)
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def tabulate_chart(chart: Chart, series: Sequence[Series]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows; each x that a series has has a row."""
    rows = []
    for x in chart.xs:
        found = [each.find(x) for each in series]
        if any(found):
            texts = ("" if y is None else format_measured(y, chart.y.unit) for y in found)
            rows.append([format_value(x, chart.x.unit), *texts])
    return [chart.x.label, *(printable(each.name) for each in series)], rows


def describe_marks(chart: Chart) -> list[str]:
    """Say each mark of a chart in a line."""
    lines = []
    for mark in chart.marks:
        whose = f"{mark.series}: " if mark.series else ""
        lines.append(f"{whose}{mark.label} {format_bracket(mark.at, chart)}")
    return lines


def format_bracket(at: Bracket, chart: Chart) -> str:
    """Write a place on the x axis, with its bracket: ``20 µs [15 µs, 31 µs]``."""
    unit = chart.x.unit
    if at.estimate is None:
        return "never"
    text = format_value(at.estimate, unit)
    if at.low == at.high == at.estimate:
        return text
    low = "?" if at.low is None else format_value(at.low, unit)
    high = "?" if at.high is None else format_value(at.high, unit)
    return f"{text} [{low}, {high}]"


def describe_missing(result: Result) -> list[str]:
    """Say once why cells were not measured, and which, where they are few."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for cell in result.cells:
        if cell.status != "ok":
            fate = (cell.strategy, cell.status, cell.reason or "")
            found.setdefault(fate, []).append(cell.variant)
    lines = []
    for (strategy, status, reason), variants in found.items():
        named = [variant for variant in dict.fromkeys(variants) if variant]
        which = f" ({', '.join(named)})" if 0 < len(named) <= _NAMED else ""
        lines.append(f"{strategy}{which} {status}{': ' if reason else ''}{reason}")
    return lines


def render_lab_csv(result: Result) -> str:
    """Return one row a point (RFC 4180), every figure unrounded."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for chart in result.charts:
        for series in chart.series:
            head = (chart.group, chart.title, series.name, series.kind)
            for point in series.points:
                x = (chart.x.label, chart.x.unit, point.x)
                y = (chart.y.label, chart.y.unit, point.y.estimate, point.y.low, point.y.high)
                writer.writerow((*head, *x, *y))
    # A lone surrogate (an argument that is not UTF-8) could not be written to a file.
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def render_lab_markdown(result: Result) -> str:
    """Return the answer, a table for each chart, and what they rest on."""
    sections = ["".join(f"{escape(sentence)}\n" for sentence in result.summary)]
    for chart in result.charts:
        names, rows = tabulate_chart(chart, chart.series)
        columns = [escape(name) for name in names]
        lines = [dict(zip(columns, row, strict=True)) for row in rows]
        sections.append(f"### {escape(name_chart(chart))}\n\n{table(lines, text=())}")
        sections.append("".join(f"- {escape(line)}\n" for line in describe_marks(chart)))
    sections += [
        bullets("Not measured", describe_missing(result)),
        bullets("Controls", describe_controls(result)),
        bullets("Noise", [describe_noise(result.noise)]),
        bullets("Environment", [describe_environment(result.environment)]),
        bullets("Warnings", list_warnings(result)),
    ]
    return "\n".join(section for section in sections if section)
