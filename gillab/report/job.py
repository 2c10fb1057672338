"""What a person would say of a job: what to use, where the time goes, from where on a pool pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gillab.estimates import Bracket, Estimate
from gillab.report.arms import Arms
from gillab.report.causes import tell_cause
from gillab.report.figures import count_workers, format_duration, format_speedup, shorten
from gillab.report.parts import tell_overhead
from gillab.results import Cell, Choice, Result
from gillab.strategies import recall_strategy

if TYPE_CHECKING:
    from rich.console import Console

_REASON_WIDTH = 400
_BARELY = 1.05
_LARGE = 10.0
_CLEARLY = 2.0
"""What takes so many times as long is not said to be perhaps faster."""


def render_job(result: Result, console: Console) -> None:
    """Print the table, what it rests on, and last the summary."""
    from gillab.report.terminal import render

    render(result, console)


def summarize_job(result: Result) -> list[str]:
    """Return the sentences of a job: first the answer, then from where on the others pay."""
    choice = next(iter(result.choices), Choice("", "none"))
    arms = Arms.of(result.cells, choice)
    serial = arms.serial
    if serial is None or serial.status != "ok" or serial.seconds is None:
        return _tell_missing(result.cells)
    items = result.blocks[0]["steps"]
    item_s = serial.seconds.median / items
    ran = [*arms.judged, *arms.withheld]
    best = max(ran, key=_pace, default=None)
    size = f"{items:,} item{'' if items == 1 else 's'}"
    sentences = [f"{size}, {format_duration(serial.seconds.median, 2)} in a loop."]
    sentences.append(_advise(arms, best))
    others = [cell for cell in _pick(ran) if cell is not (arms.chosen or best)]
    # What most programs do, and what it costs them.
    others += [cell for cell in ran if cell.chunksize == 1 and cell.verdict == "loses"]
    sentences += [_tell_other(cell) for cell in dict.fromkeys(others) if cell is not best]
    sentences += [_tell_break_even(cell, item_s, items) for cell in _pick(ran)]
    sentences += _tell_results(ran)
    sentences += _tell_missing(arms.missing)
    return [sentence for sentence in sentences if sentence]


def name_arm(cell: Cell, between: str = ", ") -> str:
    """Name an arm as a sentence does: ``2 processes, chunks of 1000``."""
    known = recall_strategy(cell.strategy)
    chunks = "" if cell.chunksize is None else f"{between}chunks of {cell.chunksize}"
    if known is None or known.singular is None:  # no word for so many of it
        return f"{cell.strategy} with {count_workers(cell.workers)}{chunks.replace('with', 'and')}"
    name = known.singular if cell.workers == 1 else cell.strategy
    return f"{cell.workers} {name}{chunks}"


def _is_plural(cell: Cell) -> bool:
    """Whether the name of an arm is a plural: that of a strategy without a word for one is not."""
    known = recall_strategy(cell.strategy)
    return cell.workers > 1 and known is not None and known.singular is not None


def _pace(cell: Cell) -> float:
    return cell.speedup.estimate if cell.speedup else 0.0


def _pick(cells: Sequence[Cell]) -> list[Cell]:
    """Return the fastest cell of each strategy."""
    best: dict[str, Cell] = {}
    for cell in sorted(cells, key=_pace, reverse=True):
        best.setdefault(cell.strategy, cell)
    return list(best.values())


def _advise(arms: Arms, best: Cell | None) -> str:
    chosen = arms.chosen
    if chosen is not None and chosen.speedup is not None:
        goes = tell_overhead(chosen.parts)
        return (
            f"Use {name_arm(chosen, ' with ')}: {format_speedup(chosen.speedup)} as fast as the "
            f"loop{f'; {goes}' if goes else ''}."
        )
    if best is None or best.speedup is None:
        return "No pool was measured to compare with."
    if arms.choice.advice == "withheld":
        return f"No verdict: {arms.withheld[0].reason}; run again when the machine is quieter."
    take, are = ("take", "are") if _is_plural(best) else ("takes", "is")
    if arms.choice.advice == "open" and best.speedup.estimate * _CLEARLY < 1:
        return (
            f"Not decided, for too few blocks: {name_arm(best)} {take} "
            f"{1 / best.speedup.estimate:.1f}x as long so far; --time-budget gives it more."
        )
    if arms.choice.advice == "open":
        return (
            f"Undecided: whether {name_arm(best)} {are} faster than the loop, "
            f"{format_speedup(best.speedup)}; more time may tell, with --time-budget."
        )
    others = "the best of the others" if len(arms.judged) > 1 else "the other"
    goes = tell_overhead(best.parts)
    return (
        f"Stay with the loop: {others} ({name_arm(best)}) {tell_pace(best.speedup)}"
        f"{f': {goes}' if goes else ''}."
    )


def tell_pace(speedup: Estimate, *, plural: bool = False) -> str:
    """Say how long an arm takes beside the loop: ``takes 2.0x as long``."""
    slower = 1 / speedup.estimate
    if slower < _BARELY:
        return f"{'are' if plural else 'is'} not shown to be faster, {format_speedup(speedup)}"
    take = "take" if plural else "takes"
    return f"{take} {slower:.0f}x as long" if slower >= _LARGE else f"{take} {slower:.1f}x as long"


def _tell_other(cell: Cell) -> str:
    if cell.speedup is None:
        return ""
    name, plural = name_arm(cell, " with "), _is_plural(cell)
    if cell.verdict == "wins":
        are = "are" if plural else "is"
        return f"{name} {are} {format_speedup(cell.speedup)} as fast as the loop."
    why = tell_cause(cell.cause, cell.held) or tell_overhead(cell.parts)
    return f"{name} {tell_pace(cell.speedup, plural=plural)}{f': {why}' if why else ''}."


def _tell_break_even(cell: Cell, item_s: float, items: int) -> str:
    """Say from where on an arm pays, or from where on it would."""
    pays = cell.pays_from
    if pays is None:
        return ""
    name = cell.strategy.capitalize()
    if pays.item_s.estimate is None:
        return f"{name} would not pay however long an item took: they compute no faster."
    now = format_duration(item_s, 2)
    if cell.verdict == "wins" or (cell.verdict != "loses" and _pace(cell) > 1):
        pay = "pay" if cell.verdict == "wins" else "may pay"
        at_least = f"from {_format_time(pays.item_s)} an item on"
        if pays.items.estimate is None:
            return f"With {items:,} items {cell.strategy} {pay} {at_least}."
        many = f"from {_format_count(pays.items)} items on"
        return f"{name} {pay} {many} at {now} an item, and {at_least} with {items:,} items."
    would = f"{name} would pay once an item took {_format_time(pays.item_s)} instead of {now}"
    if pays.items.estimate is None:
        return f"{would}; more items alone never would."
    return f"{would}, or from {_format_count(pays.items)} items on."


def _format_time(bracket: Bracket) -> str:
    assert bracket.estimate is not None
    text = format_duration(bracket.estimate, 2)
    if bracket.low is None or bracket.high is None:
        return text
    return f"{text} [{format_duration(bracket.low, 2)}, {format_duration(bracket.high, 2)}]"


def _format_count(bracket: Bracket) -> str:
    assert bracket.estimate is not None
    text = f"{_round(bracket.estimate):,}"
    if bracket.low is None or bracket.high is None:
        return text
    low, high = _round(bracket.low), _round(bracket.high)
    return text if low == high else f"{text} [{low:,}, {high:,}]"


def _round(count: float) -> int:
    """Return a number of items to two digits, 1 at least."""
    return max(1, int(float(f"{count:.2g}")))


def _tell_results(cells: Sequence[Cell]) -> list[str]:
    unequal = [cell for cell in cells if cell.results_equal is False]
    return [f"{name_arm(cell)}: {note}." for cell in unequal for note in cell.notes]


def _tell_missing(cells: Sequence[Cell]) -> list[str]:
    """Say once why which arms are missing; those that are not available here only in the table."""
    names: dict[str, list[str]] = {}
    for cell in cells:
        if cell.status == "failed":
            names.setdefault(shorten(cell.reason or "", _REASON_WIDTH), []).append(cell.strategy)
    return [
        f"{', '.join(dict.fromkeys(who))} failed: {reason.rstrip('. ')}."
        for reason, who in names.items()
    ]
