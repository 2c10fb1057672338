"""What sharing data costs threads, in words."""

from __future__ import annotations

from collections.abc import Sequence

from gillab.report.arms import Arms
from gillab.report.figures import format_speedup
from gillab.results import Cell
from gillab.statistics import MARGIN


def tell_sharing(arms: Arms) -> list[str]:
    """Say what sharing costs, if the interval shows that it is more than a verdict's margin."""
    sentences = []
    for own in find_hindered(arms.judged):
        shared = find_shared(own, arms.judged)
        if shared is None or shared.speedup is None or own.speedup is None:
            continue
        name = arms.name(own.strategy, own.workers)
        sentences.append(
            f"{name} {format_speedup(shared.speedup)} with shared data, "
            f"{format_speedup(own.speedup)} with data of their own: they get in each other's way "
            "on objects that they share"
        )
    return sentences


def find_hindered(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells with data of their own that are faster than the same with shared data."""
    return [
        cell
        for cell in cells
        if cell.of_shared and cell.of_shared.low is not None and cell.of_shared.low > 1 + MARGIN
    ]


def find_shared(own: Cell, cells: Sequence[Cell]) -> Cell | None:
    """Return the same arm with shared data."""
    for cell in cells:
        if cell.data == "shared" and (cell.strategy, cell.workers) == (own.strategy, own.workers):
            return cell
    return None


def drop_own(cells: Sequence[Cell]) -> list[Cell]:
    """Leave out a cell with data of its own if the same arm with shared data is there."""
    return [cell for cell in cells if cell.data == "shared" or find_shared(cell, cells) is None]
