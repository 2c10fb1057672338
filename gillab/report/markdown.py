"""The result as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gillab.report.conditions import (
    describe_controls,
    describe_environment,
    describe_noise,
    list_interpreters,
    list_warnings,
)
from gillab.report.figures import format_workers
from gillab.report.rows import WORDS, list_rows
from gillab.results import Cell, Result
from gillab.text import printable

_MEANS_SOMETHING = re.compile(r"[\\`*_<>~|&]|\[(?!\d)|\](?=[(\[])")
_MEANS_SOMETHING_FIRST = re.compile(r"^(\d*)([-+#=.)])")


def render_markdown(result: Result) -> str:
    """Return one table, what it rests on, and last the summary in sentences."""
    sections = [
        _table(result),
        bullets("Notes", list_notes(result.cells)),
        bullets("Controls", describe_controls(result)),
        bullets("Noise", [describe_noise(result.noise)]),
        bullets("Environment", [describe_environment(result.environment), *_tell_others(result)]),
        bullets("Warnings", list_warnings(result)),
        bullets("Summary", result.summary),
    ]
    return "\n".join(section for section in sections if section)


def list_notes(cells: Sequence[Cell]) -> list[str]:
    """Return the side effects of the workloads, each with its cell."""
    return [
        f"{cell.workload}, {_name(cell)} {format_workers(cell.workers)}: {note}"
        for cell in cells
        for note in cell.notes
    ]


def _name(cell: Cell) -> str:
    return f"{cell.interpreter} {cell.strategy}" if cell.interpreter else cell.strategy


def _table(result: Result) -> str:
    rows = []
    for cell, row in zip(result.cells, list_rows(result), strict=True):
        row["workload"] = code(row["workload"])
        row["strategy"] = escape(row["strategy"])
        if "Python" in row:
            row["Python"] = code(row["Python"])
        if cell.status != "ok":
            row["verdict"] = escape(row["verdict"])
        rows.append(row)
    return table(rows, text=WORDS)


def _tell_others(result: Result) -> list[str]:
    others = list_interpreters(result.environment)
    return [f"{label}: {about}" for label, about in others.items() if about]


def table(rows: Sequence[Mapping[str, str]], text: Collection[str]) -> str:
    """Return a table of rows alike; columns that are not ``text`` are figures."""
    if not rows:
        return ""
    names = list(rows[0])
    rule = ["---" if name in text else "---:" for name in names]
    lines = [names, rule, *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


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
