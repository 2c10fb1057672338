"""The cells of one workload, sorted by what the summary says of them, and their names there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gillab.blocks.choices import rank_simplicity
from gillab.report.figures import count_workers
from gillab.results import Cell, Choice, Data
from gillab.strategies import recall_strategy


@dataclass(frozen=True, slots=True)
class Arms:
    """The cells of one workload, and what was chosen among them."""

    choice: Choice
    serial: Cell | None
    judged: list[Cell]
    withheld: list[Cell]
    missing: list[Cell]
    counts: bool
    """Whether several numbers of workers were tried: then a sentence must name its own."""

    @classmethod
    def of(cls, cells: Sequence[Cell], choice: Choice) -> Arms:
        """Sort the cells of one workload."""
        arms = [cell for cell in cells if cell.strategy != "serial"]
        ran = [cell for cell in arms if cell.status == "ok"]
        return cls(
            choice=choice,
            serial=next((cell for cell in cells if cell.strategy == "serial"), None),
            judged=[cell for cell in ran if cell.verdict != "withheld"],
            withheld=[cell for cell in ran if cell.verdict == "withheld"],
            missing=[cell for cell in arms if cell.status != "ok"],
            counts=len({cell.workers for cell in arms}) > 1,
        )

    @property
    def chosen(self) -> Cell | None:
        """The cell that is recommended."""
        for cell in self.judged:
            choice = self.choice
            chosen = (choice.strategy, choice.workers, choice.data, choice.chunksize)
            if (cell.strategy, cell.workers, cell.data, cell.chunksize) == chosen:
                return cell
        return None

    def name(self, strategy: str, workers: int, data: Data = "shared") -> str:
        """Name an arm as a sentence does: ``threads``, ``4 threads``."""
        name = self._count(strategy, workers)
        return f"{name} with data of their own" if data == "own" else name

    def _count(self, strategy: str, workers: int) -> str:
        if not self.counts:
            return strategy
        known = recall_strategy(strategy)
        if known is not None and known.singular is not None:
            return f"{workers} {known.singular if workers == 1 else known.name}"
        return f"{strategy} with {count_workers(workers)}"

    def name_cell(self, cell: Cell) -> str:
        """Name a cell's arm."""
        return self.name(cell.strategy, cell.workers, cell.data)


def pick_by_strategy(judged: Iterable[Cell]) -> list[Cell]:
    """Return the best cell of each strategy, by verdict, then estimate; the simplest first."""
    best_first = ("wins", "inconclusive", None, "same", "no_gain", "loses", "withheld")
    order = sorted(
        judged,
        key=lambda cell: (
            rank_simplicity(cell),
            best_first.index(cell.verdict),
            -(cell.speedup.estimate if cell.speedup else 0.0),
        ),
    )
    best: dict[str, Cell] = {}
    for cell in order:
        best.setdefault(cell.strategy, cell)
    return list(best.values())
