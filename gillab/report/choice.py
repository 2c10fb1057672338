"""Which arm of a workload to choose, and what can be said of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gillab.report.figures import count_workers
from gillab.results import Cell
from gillab.statistics import MARGIN, Verdict, verdict

SIMPLEST_FIRST = {"threads": "thread", "interpreters": "interpreter", "processes": "process"}
"""In the order in which to prefer what is equally fast, each with its singular."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The cells of one workload, by what can be said of them."""

    serial: Cell | None
    judged: list[Cell]
    withheld: list[Cell]
    missing: list[Cell]
    counts: bool
    """Whether several numbers of workers were tried, so that a sentence must name its own."""

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Arms:
        """Sort the cells of one workload."""
        arms = [cell for cell in cells if cell.strategy != "serial"]
        ran = [cell for cell in arms if cell.status == "ok"]
        return cls(
            serial=next((cell for cell in cells if cell.strategy == "serial"), None),
            judged=[cell for cell in ran if cell.verdict != "withheld"],
            withheld=[cell for cell in ran if cell.verdict == "withheld"],
            missing=[cell for cell in arms if cell.status != "ok"],
            counts=len({cell.workers for cell in arms}) > 1,
        )

    @property
    def busy(self) -> float | None:
        """How busy a serial task keeps a core, beside a loop; None where that is not known."""
        return self.serial.busy if self.serial is not None else None

    def name(self, cell: Cell) -> str:
        """Name an arm as a sentence does: ``threads``, ``4 threads``."""
        if not self.counts:
            return cell.strategy
        if cell.strategy in SIMPLEST_FIRST:
            one = cell.workers == 1
            return f"{cell.workers} {SIMPLEST_FIRST[cell.strategy] if one else cell.strategy}"
        return f"{cell.strategy} with {count_workers(cell.workers)}"


def find_fastest(judged: Iterable[Cell]) -> list[Cell]:
    """Return the winners that are not shown to be slower than the fastest, the simplest first."""
    equals = [c for c in judged if c.verdict == "wins" and _compare_with_fastest(c) != "loses"]
    return sorted(equals, key=lambda cell: (rank_simplicity(cell), cell.workers))


def relate(cell: Cell, chosen: Cell) -> Literal["as fast", "no faster"] | None:
    """Say what is shown of a winner beside the chosen one, by more than a verdict's margin."""
    if _compare_with_fastest(chosen) == _compare_with_fastest(cell) == "same":
        return "as fast"
    share = cell.of_fastest
    is_fastest = chosen.of_fastest is not None and chosen.of_fastest.estimate == 1
    if is_fastest and share is not None and share.high is not None and share.high <= 1 + MARGIN:
        return "no faster"
    return None


def _compare_with_fastest(cell: Cell) -> Verdict:
    return "inconclusive" if cell.of_fastest is None else verdict(cell.of_fastest)


def pick_by_strategy(judged: Iterable[Cell]) -> list[Cell]:
    """Return one cell a strategy, the simplest first: its best verdict, then best estimate."""
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


def rank_simplicity(cell: Cell) -> int:
    """Return 0 for the simplest strategy; what is not known comes last."""
    names = list(SIMPLEST_FIRST)
    return names.index(cell.strategy) if cell.strategy in names else len(names)
