"""What the page of a result says, in its order: sections of sentences, figures and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gillab.charts import Chart
from gillab.meter.timeline import Timeline
from gillab.release.findings import Findings
from gillab.report import findings as found
from gillab.report import holds
from gillab.report.conditions import (
    describe_controls,
    describe_environment,
    describe_interpreter,
    describe_later,
    describe_noise,
    list_warnings,
)
from gillab.report.figures import shorten
from gillab.report.lab import describe_marks, describe_missing, name_chart, tabulate_chart
from gillab.report.markdown import list_notes
from gillab.report.page import bars, forest, lanes, timeline
from gillab.report.page.svg import Figure
from gillab.report.parts import JOB_LEGEND
from gillab.report.plot import draw_chart
from gillab.report.rows import WORDS, list_rows
from gillab.report.waits import describe_floor
from gillab.results import Result
from gillab.text import printable

_COMMAND = "command_line"
_CHART = (
    "Dots and lines were measured, with intervals where there are bars or shades. Dashed: the "
    "ceiling, which is what this machine gave, and what was predicted. Dotted: the ideal."
)
_TASK = (
    "a task: median ± median absolute deviation; speedup: against serial, with its interval during "
    "this run{sure}{later}; of the ceiling: share of the most that this machine gives now; start: "
    "until the workers were ready, which is no part of the speedup."
)
_CALL = (
    "released: the part of a call's time in which other threads may run, with its interval; "
    "longest hold: how long the call held the GIL at once at most."
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under names; the first column names the row."""

    title: str
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: tuple[str, ...] = ()
    """The columns that hold words; the others hold figures."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it, in this order."""

    title: str
    texts: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    lines: Sequence[str] = ()
    """The items of a list."""
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The page of one result."""

    title: str
    about: str
    """Where it was measured."""
    warnings: Sequence[str]
    answer: Sequence[str]
    sections: Sequence[Section]
    command: str | None
    """The command that made it; None where no command did."""


def compose(result: Result | Findings | Timeline) -> Content:
    """Return what the page of a result says."""
    if isinstance(result, Timeline):
        return _compose_timeline(result)
    if isinstance(result, Findings):
        sections, warnings = list(_list_findings(result)), _list_warnings(result)
    else:
        sections, warnings = list(_list_sections(result)), list_warnings(result)
    names = list(dict.fromkeys(shorten(cell.workload, 50) for cell in result.cells))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    command = result.environment.get(_COMMAND)
    return Content(
        title=f"gillab {result.command}: {', '.join(names[:3])}{more}".rstrip(": "),
        about=describe_environment(result.environment),
        warnings=warnings,
        answer=result.summary or ["Nothing was measured."],
        sections=[section for section in sections if _holds_something(section)],
        command=command if isinstance(command, str) else None,
    )


def _compose_timeline(result: Timeline) -> Content:
    figure = lanes.plan_lanes(result)
    each_hold = Table("Each of them", *holds.tabulate_longest(result), holds.WORDS)
    functions = [*holds.tabulate_functions(result)]
    each_function = Table("Each function", holds.BUSIEST, functions, holds.WORDS)
    sections = [
        Section("The longest holds", [holds.about_holds(result)], tables=[each_hold]),
        Section("Who held the GIL, and when", [lanes.describe(result)], [figure] if figure else []),
        Section("Where the GIL was held", tables=[each_function]),
    ]
    return Content(
        title=f"gillab meter: {shorten(' '.join(result.program), 80)}",
        about=result.python,
        warnings=holds.list_warnings(result),
        answer=holds.summarize_timeline(result),
        sections=sections if result.spans else [],
        command=None,
    )


def _holds_something(section: Section) -> bool:
    return bool(section.figures or section.lines or section.tables)


def _list_sections(result: Result) -> Iterator[Section]:
    workloads = list(dict.fromkeys(cell.workload for cell in result.cells))
    for chart in result.charts:
        yield _chart_section(chart)
    # Where cells are of several sizes, say, the charts tell what is to be compared with what.
    alike = not result.charts or not any(cell.variant for cell in result.cells)
    if alike:
        forests = [forest.plan_forest(result, workload) for workload in workloads]
        yield Section(
            "Speedups and their intervals", [forest.ABOUT], [each for each in forests if each]
        )
    parts = [bars.plan_parts(result, workload) for workload in workloads]
    yield Section(
        "Where the time goes", [bars.ABOUT_PARTS], figures=[each for each in parts if each]
    )
    yield Section("Notes", lines=list_notes(result.cells))
    if result.charts:
        yield Section("Not measured", lines=describe_missing(result))
    times = [timeline.plan_timeline(result, workload) for workload in workloads]
    yield Section(
        "The blocks over time", [timeline.ABOUT], figures=[each for each in times if each]
    )
    yield Section(
        "Controls", lines=[*describe_controls(result), f"noise: {describe_noise(result.noise)}"]
    )
    if alike:
        yield _table_section(result)
    yield _settings(result)


def _chart_section(chart: Chart) -> Section:
    names, rows = tabulate_chart(chart, chart.series)
    title = name_chart(chart)
    if not chart.group:
        title = f"{title[:1].upper()}{title[1:]}"
    scale = " and ".join(axis for axis, of in (("x", chart.x), ("y", chart.y)) if of.logarithmic)
    logarithmic = f" Logarithmic: {scale}." if scale else ""
    figure = Figure(
        title=shorten(title, 100),
        paint=lambda axes, narrow: draw_chart(chart, axes, most_ticks=5 if narrow else 10),
        height=3.8,
    )
    table = Table(f"{title}, in figures", names, rows)
    drawn = [figure] if chart.series else []
    about = f"{_CHART}{logarithmic} The table below has every figure."
    return Section(title, [about], figures=drawn, lines=describe_marks(chart), tables=[table])


def _table_section(result: Result) -> Section:
    rows = list_rows(result)
    if not rows:
        return Section("All figures")
    confidence = result.options.get("confidence")
    sure = f" (all together at {100 * confidence:g} %)" if isinstance(confidence, float) else ""
    later = describe_later(result.cells)
    legend = (
        JOB_LEGEND.format(sure=sure)
        if result.command == "job"
        else _TASK.format(sure=sure, later=f"; {later}" if later else "")
    )
    table = Table("Each cell", list(rows[0]), [list(row.values()) for row in rows], WORDS)
    return Section("All figures", [legend], tables=[table])


def _list_findings(result: Findings) -> Iterator[Section]:
    figure = bars.plan_released(result)
    if figure is not None:
        yield Section(figure.title, [bars.ABOUT_RELEASED], [figure])
    rows = found.list_findings(result)
    if rows:
        values = [list(row.values()) for row in rows]
        table = Table("Each call", list(rows[0]), values, found.WORDS)
        yield Section("All figures", [_CALL], tables=[table])
    notes = [f"{cell.workload}: {note}" for cell in result.cells for note in cell.notes]
    yield Section("Notes", lines=notes)
    controls = [found.describe_controls(result), describe_floor(result.cells)]
    yield Section("Controls", lines=[control for control in controls if control])
    yield _settings(result)


def _list_warnings(result: Findings) -> list[str]:
    return [*([found.INTERRUPTED] if result.partial else []), *result.warnings]


def _settings(result: Result | Findings) -> Section:
    environment = {name: value for name, value in result.environment.items() if name != _COMMAND}
    for each in environment.pop("pythons", ()):
        facts = (describe_interpreter(each) if each.get("python") else "", each["command"])
        environment[f"Python {each['label']}"] = ", ".join(filter(None, facts))
    return Section(
        "Environment and options",
        tables=[
            _tabulate("Environment", environment),
            _tabulate("Options", result.options),
        ],
    )


def _tabulate(title: str, facts: Mapping[str, Any]) -> Table:
    rows = [(printable(str(name)), _write(value)) for name, value in facts.items()]
    return Table(title, ("name", "value"), rows, ("name", "value"))


def _write(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_write, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
