"""The result on a terminal, or as plain text where the output is piped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from gillab.estimates import Estimate
from gillab.report.conditions import (
    describe_controls,
    describe_environment,
    describe_later,
    describe_noise,
    list_interpreters,
    list_warnings,
    shows_held,
    shows_quiet,
)
from gillab.report.figures import (
    format_duration,
    format_interval,
    format_percent,
    format_spread,
    format_workers,
    label_workloads,
)
from gillab.report.parts import JOB_LEGEND, describe_parts
from gillab.report.printer import Printer
from gillab.results import Cell, Result
from gillab.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "wins": "bold green",
    "loses": "red",
    "same": "yellow",
    "no_gain": "yellow",
    "inconclusive": "magenta",
    "withheld": "magenta",
    "failed": "bold red",
    "unavailable": "dim",
}


@dataclass(frozen=True, slots=True)
class _Column:
    heading: tuple[str, str]
    """Two lines; the lower one is next to the figures."""
    value: Callable[[Cell], str]
    right: bool = True


def render(result: Result, console: Console) -> None:
    """Print the table, what it rests on, and then the summary in sentences."""
    printer = Printer(console)
    if result.cells:
        _print_table(result, printer)
        _print_legend(result, printer)
    print_conditions(result, printer)
    _print_summary(result, printer)


def _print_table(result: Result, printer: Printer) -> None:
    held = shows_held(result)
    whole = result.command == "job"
    columns, widths, gap = _lay_out(result.cells, printer.width, held=held, whole=whole)
    held_apart = held and gap is None
    if held_apart:  # 80 columns seldom hold it: it then has a line under the workload
        columns, widths, gap = _lay_out(result.cells, printer.width, held=False, whole=whole)
    if gap is not None:
        for line in (0, 1):
            heading = [column.heading[line] for column in columns]
            if any(heading):
                printer.print(Text(_align(heading, columns, widths, gap), "dim"))
    for workload in dict.fromkeys(cell.workload for cell in result.cells):
        printer.print(Text(printable(workload, keep="\n"), "bold"))
        if held_apart and gap is not None:
            _print_held([c for c in result.cells if c.workload == workload], printer)
        own = [cell for cell in result.cells if cell.workload == workload]
        for interpreter, cells in groupby(own, lambda cell: cell.interpreter):
            if interpreter:
                about = list_interpreters(result.environment).get(interpreter)
                head = f"{interpreter}: {about}" if about else interpreter
                printer.print(Text(printable(head)), indent=1)
            for cell in _merge_missing(list(cells)):
                if cell.status != "ok":
                    _print_missing(cell, printer, widths[0] if cell.strategy else 0)
                elif gap is None:
                    _print_stacked(cell, printer, quiet=shows_quiet(result))
                else:
                    _print_row(cell, columns, widths, gap, printer, quiet=shows_quiet(result))
                if cell.status == "ok" and cell.parts:
                    printer.print(Text(describe_parts(cell.parts), "dim"), indent=4)
                for note in cell.notes:
                    printer.print(Text(f"note: {printable(note)}", "yellow"), indent=4)


def _merge_missing(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return one nameless cell for those of another interpreter that lack for the same reason."""
    first = cells[0]
    alike = {(cell.status, cell.reason) for cell in cells} == {(first.status, first.reason)}
    if first.interpreter and first.status != "ok" and alike:
        return [replace(first, strategy="")]
    return cells


def _lay_out(
    cells: Sequence[Cell], width: int, *, held: bool, whole: bool
) -> tuple[list[_Column], list[int], int | None]:
    """Return the columns, their widths and the gap between them; no gap where they do not fit."""
    columns = _columns(held=held, whole=whole)
    widths = [
        max(len(text) for text in (*column.heading, *(column.value(cell) for cell in cells)))
        for column in columns
    ]
    gap = next((g for g in (2, 1) if sum(widths) + g * (len(widths) - 1) <= width), None)
    return columns, widths, gap


def _columns(*, held: bool, whole: bool) -> list[_Column]:
    what = "the job" if whole else "a task"
    columns = [
        _Column(("", ""), _name, right=False),
        _Column(("", what), lambda c: format_spread(c.seconds) if c.seconds else ""),
        _Column(("", "cores"), lambda c: "" if c.cores is None else f"{c.cores:.2f}"),
        _Column(("", "speedup"), lambda c: _interval(c.speedup), right=False),
    ]
    if not whole:
        columns += [_Column(("of", "max"), _share), _Column(("", "start"), _start)]
    if held:
        columns.append(_Column(("GIL", "held"), lambda c: _percent(c.held)))
    return [*columns, _Column(("", "verdict"), lambda c: c.verdict or "", right=False)]


def _name(cell: Cell) -> str:
    workers = "" if cell.strategy == "serial" else f" {format_workers(cell.workers)}"
    chunks = "" if cell.chunksize is None else f" by {cell.chunksize}"
    if not cell.strategy:
        return ""
    margin = "  " if cell.interpreter else " "
    return f"{margin}{cell.strategy}{workers}{' own' if cell.data == 'own' else ''}{chunks}"


def _interval(estimate: Estimate | None) -> str:
    return format_interval(estimate) if estimate else ""


def _percent(fraction: float | None) -> str:
    """Write a percentage as narrowly as the table needs it."""
    return "" if fraction is None else format_percent(fraction).replace(" ", "")


def _share(cell: Cell) -> str:
    return _percent(cell.of_ceiling.estimate if cell.of_ceiling else None)


def _start(cell: Cell) -> str:
    if cell.setup_s is None or cell.strategy == "serial":
        return ""
    return format_duration(cell.setup_s, 2)


def _align(
    texts: Sequence[str], columns: Sequence[_Column], widths: Sequence[int], gap: int
) -> str:
    aligned = (
        text.rjust(width) if column.right else text.ljust(width)
        for text, column, width in zip(texts, columns, widths, strict=True)
    )
    return (" " * gap).join(aligned).rstrip()


def _print_row(
    cell: Cell,
    columns: Sequence[_Column],
    widths: Sequence[int],
    gap: int,
    printer: Printer,
    *,
    quiet: bool,
) -> None:
    texts = [column.value(cell) for column in columns]
    line = Text(_align(texts, columns, widths, gap))
    if texts[-1]:
        line.stylize(_STYLES.get(texts[-1], ""), len(line) - len(texts[-1]))
    printer.print(line)
    if quiet and cell.speedup_quiet:
        before = sum(widths[:3]) + 3 * gap
        label = "in quiet blocks"
        text = f"{label:>{before - gap}}{' ' * gap}{format_interval(cell.speedup_quiet)}"
        printer.print(Text(text, "dim"))


def _print_held(cells: Sequence[Cell], printer: Printer) -> None:
    shares = [
        f"{_name_with_interpreter(cell)} {format_percent(cell.held)}"
        for cell in cells
        if cell.held is not None
    ]
    if shares:
        printer.print(Text(f"GIL held: {', '.join(shares)}", "dim"), indent=1)


def _name_with_interpreter(cell: Cell) -> str:
    return " ".join(filter(None, (cell.interpreter, _name(cell).strip())))


def _print_missing(cell: Cell, printer: Printer, width: int) -> None:
    reason = f"{cell.status}: {cell.reason}" if cell.reason else cell.status
    style = _STYLES[cell.status]
    printer.print(Text(printable(reason), style), name=_name(cell), indent=width + 2)


def _print_stacked(cell: Cell, printer: Printer, *, quiet: bool) -> None:
    """Print a cell on lines of its own, for a terminal too narrow for the table."""
    first = [_name(cell).strip(), format_spread(cell.seconds) if cell.seconds else ""]
    first += [_interval(cell.speedup), cell.verdict or ""]
    printer.print(Text("  ".join(text for text in first if text)), indent=2)
    details = ", ".join(_details(cell, quiet=quiet))
    if details:
        printer.print(Text(details, "dim"), indent=4)


def _details(cell: Cell, *, quiet: bool) -> Iterator[str]:
    if quiet and cell.speedup_quiet:
        yield f"{format_interval(cell.speedup_quiet)} in quiet blocks"
    if cell.cores is not None:
        yield f"{cell.cores:.2f} cores"
    if cell.of_ceiling:
        yield f"{format_percent(cell.of_ceiling.estimate)} of the ceiling"
    if _start(cell):
        yield f"{_start(cell)} to start"
    if cell.held is not None:
        yield f"GIL held {format_percent(cell.held)}"


_LEGEND = (
    "a task: median ± median absolute deviation; speedup: against serial{here}, with its interval "
    "during this run{sure}{later}; of max: share of the ceiling, the most that this machine gives "
    "now; start: until the workers were ready; neither it nor moving arguments and results, which "
    "stay in the worker, is part of the speedup."
)


def _print_legend(result: Result, printer: Printer) -> None:
    confidence = result.options.get("confidence")
    sure = f" (all together at {100 * confidence:g} %)" if isinstance(confidence, float) else ""
    later = describe_later(result.cells)
    if result.command == "job":
        legend = JOB_LEGEND.format(sure=sure)
    else:
        others = any(cell.interpreter for cell in result.cells)
        here = f" here ({result.environment.get('python')})" if others else ""
        legend = _LEGEND.format(here=here, sure=sure, later=f"; {later}" if later else "")
    printer.print(Text())
    printer.print(Text(legend, "dim"))
    printer.print(Text())


def print_conditions(result: Result, printer: Printer) -> None:
    """Print what a result rests on: controls, noise, environment and warnings."""
    indent = len("measured on") + 2
    for index, line in enumerate(describe_controls(result)):
        text = Text(line)
        text.highlight_words(["FAILED"], "bold red")
        printer.print(text, name="" if index else "controls", style="bold", indent=indent)
    noise = describe_noise(result.noise)
    printer.print(Text(noise), name="noise", style="bold", indent=indent)
    environment = describe_environment(result.environment)
    if environment:
        printer.print(Text(environment), name="measured on", style="bold", indent=indent)
    for line in list_warnings(result):
        printer.print(
            Text(printable(line), "yellow"), name="warning", style="bold yellow", indent=indent
        )


def _print_summary(result: Result, printer: Printer) -> None:
    labels = label_workloads(cell.workload for cell in result.cells).values()
    if result.summary:
        printer.print(Text())
    for sentence in result.summary:
        text = Text(printable(sentence))
        for label in labels:
            if text.plain.startswith(f"{label}: "):
                text.stylize("bold", 0, len(label))
        printer.print(text)
