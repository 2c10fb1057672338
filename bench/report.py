"""The rows as a table of at most 80 columns, and as JSON."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.rows import CONFIDENCE, Row
from gillab.kernels import BARRIER, COMPILER

WIDTH = 80
COLUMNS = "{:<20}{:>9} {:>8} {:>23} {:>6} {}"


def format_seconds(seconds: float | None) -> str:
    """Seconds in the unit that leaves one to three digits before the point."""
    if seconds is None:
        return ""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-12:.3g} ps"


def format_interval(row: Row) -> str:
    """Estimate and interval in the row's unit."""
    if row.estimate is None:
        return ""
    digits = 2 if row.unit == "ms" else 3
    text = f"{row.estimate.estimate:.{digits}f}"
    if row.estimate.low is None or row.estimate.high is None:
        return f"{text} [too few]"
    return f"{text} [{row.estimate.low:.{digits}f}, {row.estimate.high:.{digits}f}]"


def format_goal(row: Row) -> str:
    """Format the goal as a bound in the row's unit."""
    if row.goal is None:
        return ""
    return f"{'>=' if row.goal.least else '<='}{row.goal.limit:g}"


def wrap(text: str, indent: str) -> list[str]:
    """Break a note into lines that fit."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def render_rows(rows: Sequence[Row]) -> str:
    """Render the rows of one section, under a heading for each subject."""
    lines: list[str] = []
    subject = None
    for row in rows:
        if row.subject != subject:
            subject = row.subject
            measure = {"x": "ratio", "ms": "ms more", "steps": "steps a cycle"}[row.unit]
            lines += [
                "",
                *wrap(subject, ""),
                COLUMNS.format("  against", "gillab", "other", measure, "goal", "").rstrip(),
            ]
        if row.estimate is None:
            lines += wrap(f"{row.against}: {row.note}", "  ")
            continue
        lines.append(
            COLUMNS.format(
                f"  {row.against}",
                format_seconds(row.gillab_s),
                format_seconds(row.other_s),
                format_interval(row),
                format_goal(row),
                "" if row.status == "no goal" else row.status,
            ).rstrip()
        )
        if row.note:
            lines += wrap(row.note, "    ")
    return "\n".join(lines[1:])


def render_summary(rows: Sequence[Row]) -> str:
    """Say in one sentence for how many goals the run decided what."""
    statuses = [row.status for row in rows if row.goal is not None]
    parts = [
        f"{statuses.count(status)} {status}"
        for status in ("met", "missed", "undecided", "unavailable")
        if status in statuses
    ]
    return f"Goals: {', '.join(parts) or 'none measured'}."


def collect_environment() -> dict[str, str | int | None]:
    """Collect what the figures depend on: interpreter, machine, compiler, barrier."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "compiler": COMPILER,
        "barrier": BARRIER,
    }


def write_json(path: Path, rows: dict[str, Sequence[Row]], seed: int) -> None:
    """Write every figure shown to ``path``, whole or not at all. OSError where it cannot."""
    report = {
        "schema": 1,
        "command": "bench",
        "seed": seed,
        "confidence": CONFIDENCE,
        "environment": collect_environment(),
        "sections": {
            name: [{**asdict(row), "status": row.status} for row in section]
            for name, section in rows.items()
        },
    }
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
