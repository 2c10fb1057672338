"""Chooses the strategy to use for a workload, and rates the other winners against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from gillab.blocks.evidence import Machine, has_inner_threads, lacks_cpus
from gillab.estimates import Estimate
from gillab.results import Alternative, Cell, Choice, Elsewhere, Relation, arm_key
from gillab.statistics import MARGIN, verdict
from gillab.strategies import recall_strategy


def choose(cells: Sequence[Cell], machine: Machine) -> Choice:
    """Choose among the cells of one workload: the simplest that is not shown to be slower.

    gillab compares the winners with the fastest of them, block by block. One that is more than
    5 % slower is left out.
    """
    name = cells[0].workload
    serial = next((cell for cell in cells if cell.strategy == "serial"), None)
    others = [cell for cell in cells if cell.strategy != "serial"]
    ran = [cell for cell in others if cell.status == "ok"]
    equals = find_fastest(ran)
    if equals:
        chosen, *rest = equals
        return Choice(
            name,
            "use",
            chosen.strategy,
            chosen.workers,
            tuple(
                Alternative(c.strategy, c.workers, _relate(c, chosen), c.data, c.chunksize)
                for c in rest
            ),
            data=chosen.data,
            chunksize=chosen.chunksize,
        )
    if any(cell.verdict == "withheld" for cell in ran):
        return Choice(name, "withheld")
    if not ran or serial is None or serial.status != "ok":
        return Choice(name, "none")
    if any(cell.verdict in ("inconclusive", None) for cell in ran):
        return Choice(name, "open")
    if lacks_cpus(serial, machine):
        return Choice(name, "stay_serial", because="one_cpu")
    if all(cell.workers == 1 for cell in others):
        return Choice(name, "stay_serial", because="one_worker")
    if has_inner_threads(serial):
        return Choice(name, "stay_serial", because="inner_threads")
    return Choice(name, "stay_serial")


def find_key(choice: Choice) -> str | None:
    """Return the key of the arm that is recommended; None where none is."""
    if choice.strategy is None or choice.workers is None:
        return None
    return arm_key(choice.strategy, choice.workers, choice.data, choice.chunksize)


def choose_elsewhere(cells: Sequence[Cell], ratios: Mapping[str, Estimate]) -> Elsewhere | None:
    """Choose among the cells of other interpreters as among those here; None without a winner.

    ``ratios`` holds by key how many times as fast as the choice here each is, block by block.
    """
    for cell in find_fastest(cells):
        ratio = ratios.get(cell.key)
        if ratio is None:
            continue
        told = verdict(ratio)
        relation: Literal["faster", "no_faster", "open"] = (
            "faster" if told == "wins" else "open" if told == "inconclusive" else "no_faster"
        )
        return Elsewhere(cell.interpreter, cell.strategy, cell.workers, cell.data, ratio, relation)
    return None


def find_fastest(cells: Sequence[Cell]) -> list[Cell]:
    """Return the winners that are not shown to be slower than the fastest, the simplest first."""
    equals = [c for c in cells if c.verdict == "wins" and _compare_with_fastest(c) != "loses"]
    return sorted(equals, key=lambda c: (rank_simplicity(c), c.workers, c.data == "own", -_pace(c)))


def _pace(cell: Cell) -> float:
    """Return its speedup where its chunks alone tell it from others: no size is the simpler."""
    return cell.speedup.estimate if cell.chunksize is not None and cell.speedup else 0.0


def rank_simplicity(cell: Cell) -> float:
    """Return 0 for the simplest strategy; an unknown one comes last."""
    if cell.strategy == "serial":  # in another interpreter
        return -1.0
    strategy = recall_strategy(cell.strategy)
    return math.inf if strategy is None else strategy.rank


def _relate(cell: Cell, chosen: Cell) -> Relation:
    if _compare_with_fastest(chosen) == _compare_with_fastest(cell) == "same":
        return "as_fast"
    share = cell.of_fastest
    is_fastest = chosen.of_fastest is not None and chosen.of_fastest.estimate == 1
    if is_fastest and share is not None and share.high is not None and share.high <= 1 + MARGIN:
        return "no_faster"
    return "open"


def _compare_with_fastest(cell: Cell) -> str:
    return "inconclusive" if cell.of_fastest is None else verdict(cell.of_fastest)
