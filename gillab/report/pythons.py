"""What a summary says of other interpreters: how each does, and which of all is the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gillab.estimates import Estimate
from gillab.report.figures import format_interval, format_speedup, shorten
from gillab.results import Cell, Choice
from gillab.strategies import recall_strategy

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_REASON_WIDTH = 200
_DOUBTS = {"inconclusive": " (undecided)", "withheld": " (in doubt)"}


def tell_interpreters(cells: Sequence[Cell]) -> Iterator[str]:
    """Say of each other interpreter how it does: ``3.14t: one thread ...x, two threads ...x``."""
    for label in dict.fromkeys(cell.interpreter for cell in cells if cell.interpreter):
        own = [cell for cell in cells if cell.interpreter == label]
        told = [(_tell(cell, cell.speedup), _doubt(cell)) for cell in own if cell.speedup]
        doubts = {doubt for _, doubt in told}
        clauses = [f"{text}{doubt if len(doubts) > 1 else ''}" for text, doubt in told]
        if clauses and len(doubts) == 1:  # what holds for all is said once
            clauses[-1] += doubts.pop()
        fates: dict[str, list[str]] = {}
        for cell in own:
            if cell.status != "ok":
                fates.setdefault(_describe_fate(cell), []).append(cell.strategy)
        for fate, who in fates.items():
            names = " and ".join(dict.fromkeys(who))
            clauses.append(fate if len(who) == len(own) else f"{names} {fate}")
        yield f"{label}: {', '.join(clauses) or 'not compared'}"


def _tell(cell: Cell, speedup: Estimate) -> str:
    figure = format_interval(Estimate(speedup.estimate, None, None), suffix="x")
    own = " with data of their own" if cell.data == "own" else ""
    return f"{_count(cell.strategy, cell.workers)}{own} {figure}"


def _doubt(cell: Cell) -> str:
    if cell.speedup is not None and cell.speedup.low is None:
        return " (too few blocks to tell)"
    return _DOUBTS.get(cell.verdict or "", "")


def _count(strategy: str, workers: int) -> str:
    """Count workers as a sentence does: ``one thread``, ``two threads``, ``12 processes``."""
    if strategy == "serial":
        return "one thread"
    known = recall_strategy(strategy)
    name = known.singular if known is not None and workers == 1 else None
    if name is not None:
        return f"one {name} in a pool"
    number = _NUMBERS[workers] if workers < len(_NUMBERS) else str(workers)
    return f"{number} {strategy}"


def _describe_fate(cell: Cell) -> str:
    reason = shorten(cell.reason or "", _REASON_WIDTH).rstrip(". ")
    return f"{cell.status}: {reason}" if reason else cell.status


def tell_best(choice: Choice) -> str:
    """Say whether another interpreter is better than what is chosen here; empty for no figure."""
    best = choice.elsewhere
    if best is None:
        return ""
    own = " with data of their own" if best.data == "own" else ""
    what = f"{best.strategy}{own} in {best.interpreter}"
    figure = f"{format_speedup(best.ratio)} as fast as {choice.strategy or 'serial'} here"
    match best.relation:
        case "faster":
            return f"use {what}, {figure}"
        case "open":
            return f"whether to use {what} is undecided, {figure}"
    return f"no other Python is better: {what} {_verb(best.strategy)} {figure}"


def _verb(strategy: str) -> str:
    return "are" if strategy.endswith("s") else "is"
