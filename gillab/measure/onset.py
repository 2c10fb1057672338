"""From which value on a call releases the lock, told from the verdicts at each: pure functions."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import replace

from gillab.findings import INTERRUPTED, RELEASING, Finding, Onset


def add_unmeasured(cells: Sequence[Finding], variants: Sequence[str]) -> list[Finding]:
    """Return the findings and, for each variant that Ctrl-C left out, one that tells nothing.

    Without them a run that was cut short would read as one that was asked no more.
    """
    if not cells:
        return []
    measured = {cell.variant for cell in cells}
    nothing = Finding(cells[0].workload, cells[0].python, "unavailable", reason=INTERRUPTED)
    return [*cells, *(replace(nothing, variant=v) for v in variants if v not in measured)]


def find_onset(cells: Sequence[Finding]) -> Onset | None:
    """Return where one call begins to release the lock; None where nothing was varied."""
    if not cells or not cells[0].variant:
        return None
    cells = _sort_by_value(cells)
    first = _end_of(cells, "holds")
    mostly = _end_of(cells, "holds", "partly")
    # What is not told may hold: it leaves open where releasing begins, unless a later value holds.
    decided = all(cell.verdict in RELEASING for cell in cells[first:])
    values = [_read_value(cell.variant.partition("=")[2]) for cell in cells]
    return Onset(
        workload=cells[0].workload,
        varied=cells[0].variant.partition("=")[0],
        decided=decided,
        holds_to=values[first - 1] if decided and first else None,
        releases_from=values[first] if decided and first < len(values) else None,
        mostly_from=values[mostly] if decided and mostly < len(values) else None,
    )


def _sort_by_value(cells: Sequence[Finding]) -> Sequence[Finding]:
    """Put numbers in their order; other values stay as they were given."""
    try:
        return sorted(cells, key=lambda cell: float(cell.variant.partition("=")[2]))
    except ValueError:
        return cells


def _end_of(cells: Sequence[Finding], *verdicts: str) -> int:
    """Return the place after the last finding that has one of these verdicts."""
    return max((i + 1 for i, cell in enumerate(cells) if cell.verdict in verdicts), default=0)


def _read_value(text: str) -> int | float | str:
    """Return a number as one; any other value as it is written in Python."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    return text
