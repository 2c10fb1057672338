"""The result as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gillab.report.conditions import (
    describe_controls,
    describe_environment,
    describe_noise,
    list_warnings,
    shows_held,
    shows_later,
    shows_quiet,
)
from gillab.report.figures import (
    format_duration,
    format_interval,
    format_percent,
    format_spread,
    format_workers,
)
from gillab.report.parts import describe_parts
from gillab.results import Cell, Estimate, Result
from gillab.text import printable

_MEANS_SOMETHING = re.compile(r"[\\`*_<>~|&]|\[(?!\d)|\](?=[(\[])")
_MEANS_SOMETHING_FIRST = re.compile(r"^(\d*)([-+#=.)])")


def render_markdown(result: Result) -> str:
    """Return one table, what it rests on, and last the summary in sentences."""
    sections = [
        _table(result),
        bullets("Notes", _notes(result.cells)),
        bullets("Controls", describe_controls(result)),
        bullets("Noise", [describe_noise(result.noise)]),
        bullets("Environment", [describe_environment(result.environment)]),
        bullets("Warnings", list_warnings(result)),
        bullets("Summary", result.summary),
    ]
    return "\n".join(section for section in sections if section)


def _notes(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{cell.workload}, {cell.strategy} {format_workers(cell.workers)}: {note}"
        for cell in cells
        for note in cell.notes
    ]


def _table(result: Result) -> str:
    whole = result.command == "job"
    left_out = {
        "in the minutes after": not shows_later(result),
        "in quiet blocks": not shows_quiet(result),
        "GIL held": not shows_held(result),
        "of the ceiling": whole,
        "start": whole,
        "chunks": not whole,
        "where the time goes": not whole,
    }
    rows = [
        {name: text for name, text in _row(cell, whole=whole).items() if not left_out.get(name)}
        for cell in result.cells
    ]
    return table(rows, text=("workload", "strategy", "where the time goes", "verdict"))


def table(rows: Sequence[Mapping[str, str]], text: Collection[str]) -> str:
    """Return a table of rows alike; columns that are not ``text`` are figures."""
    if not rows:
        return ""
    names = list(rows[0])
    rule = ["---" if name in text else "---:" for name in names]
    lines = [names, rule, *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(cell: Cell, *, whole: bool) -> dict[str, str]:
    return {
        "workload": code(cell.workload),
        "strategy": escape(" ".join(filter(None, (cell.strategy, cell.variant))))
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
    return f"{cell.status}: {escape(cell.reason)}" if cell.reason else cell.status


def bullets(title: str, lines: Sequence[str]) -> str:
    """Return a heading and a list under it; nothing without a line."""
    if not lines:
        return ""
    return f"### {title}\n\n" + "".join(f"- {escape(line)}\n" for line in lines)


def escape(text: str) -> str:
    """Return the text such that Markdown shows it as it is, on one line."""
    text = _MEANS_SOMETHING.sub(r"\\\g<0>", printable(text).strip())
    return _MEANS_SOMETHING_FIRST.sub(r"\1\\\2", text)


def code(text: str) -> str:
    """Return a code span; a pipe would end the table's cell even there."""
    text = printable(text).replace("|", "\\|")
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"
