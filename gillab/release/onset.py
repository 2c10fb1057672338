"""Finds the value from which on a call releases the lock, by the verdicts at each value."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gillab.release.findings import INTERRUPTED, RELEASING, Finding, Onset

_MOST_BITS = 4096
"""A power has no more; no value that sizes anything has."""


def add_unmeasured(cells: Sequence[Finding], variants: Sequence[str]) -> list[Finding]:
    """Return the findings and, for each variant that Ctrl-C left out, an empty one.

    Without these, a run that was cut short would look like one that was asked for fewer values.
    """
    if not cells:
        return []
    measured = {cell.variant for cell in cells}
    nothing = Finding(cells[0].workload, cells[0].python, "unavailable", reason=INTERRUPTED)
    return [*cells, *(replace(nothing, variant=v) for v in variants if v not in measured)]


def find_onset(cells: Sequence[Finding]) -> Onset | None:
    """Return where one call begins to release the lock; None if nothing was varied."""
    if not cells or not cells[0].variant:
        return None
    cells, ordered = _sort_by_value(cells)
    first = _end_of(cells, "holds")
    mostly = _end_of(cells, "holds", "partly")
    # At a value without an answer the call may hold the lock. Then it is open where releasing
    # begins, unless a later value holds.
    decided = all(cell.verdict in RELEASING for cell in cells[first:])
    # Without an order there is no first value, unless the verdict is the same at every value.
    decided &= ordered or len({cell.verdict for cell in cells}) == 1
    values = [_read_value(cell.variant.partition("=")[2]) for cell in cells]
    return Onset(
        workload=cells[0].workload,
        varied=cells[0].variant.partition("=")[0],
        decided=decided,
        holds_to=values[first - 1] if decided and first else None,
        releases_from=values[first] if decided and first < len(values) else None,
        mostly_from=values[mostly] if decided and mostly < len(values) else None,
    )


def _sort_by_value(cells: Sequence[Finding]) -> tuple[Sequence[Finding], bool]:
    """Sort the findings if all values are numbers, and say whether they are."""
    numbers = [_find_number(cell.variant.partition("=")[2]) for cell in cells]
    sized = [(number, i) for i, number in enumerate(numbers) if number is not None]
    if len(sized) < len(cells):
        return cells, False
    return [cells[i] for _, i in sorted(sized)], True


def _find_number(text: str) -> int | float | None:
    """Return the number that the text stands for (``2**20`` too); None if it is not a number."""
    # Deep nesting exhausts the parser, or what walks through its tree.
    with suppress(SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        number = _fold(ast.parse(text, mode="eval").body)
        return None if isinstance(number, float) and math.isnan(number) else number
    return None


def _fold(node: ast.expr) -> int | float:
    """Compute arithmetic on numbers; ValueError if it is something else, or grows too large."""
    value: Any = None
    match node:
        case ast.Constant(constant):
            value = constant
        case ast.UnaryOp(op, operand) if type(op) in _SIGNS:
            value = _SIGNS[type(op)](_fold(operand))
        case ast.BinOp(left, op, right) if type(op) in _OPERATIONS:
            value = _OPERATIONS[type(op)](_fold(left), _fold(right))
    if type(value) is int or type(value) is float:  # and no root of a negative number
        return value
    raise ValueError


def _raise(base: int | float, exponent: int | float) -> Any:
    # Otherwise 9**9**9 would take for ever.
    if isinstance(base, int) and base.bit_length() * abs(exponent) > _MOST_BITS:
        raise ValueError
    return base**exponent


_SIGNS: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _raise,
}


def _end_of(cells: Sequence[Finding], *verdicts: str) -> int:
    """Return the place after the last finding that has one of these verdicts."""
    return max((i + 1 for i, cell in enumerate(cells) if cell.verdict in verdicts), default=0)


def _read_value(text: str) -> int | float | str:
    """Return a number as one; any other value as it is written in Python."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    return text
