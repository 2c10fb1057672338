"""From which size of a task on a pool pays: measured times in, brackets out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gillab.blocks.plan import SERIAL
from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.estimates import Bracket, Estimate
from gillab.results import Cell, Result
from gillab.statistics import corrected_confidence
from gillab.sweeps.paired import Blocks, find_ratio, pick_blocks
from gillab.sweeps.sizes import Size, read_size

NEARLY = 0.9
"""The share of its best speedup from which a strategy counts as having reached it."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One size of a task in one pool."""

    task_s: float
    """What the task takes in a plain loop."""
    speedup: Estimate
    """Of the pool over the loop, at this size."""


@dataclass(frozen=True, slots=True)
class Crossover:
    """One strategy over the sizes of a task; all times are those of a task in a plain loop."""

    strategy: str
    workers: int
    rungs: tuple[Rung, ...]
    pays_from: Bracket
    """From where on it is faster than the loop."""
    best: Estimate
    best_from: Bracket
    """From where on it reaches nine tenths of its best speedup."""
    dispatch_s: float
    """What giving a worker one task costs: a task of the smallest size takes so much longer."""
    predicted_s: float | None
    """From where on it should pay by that cost and the best speedup; None: never."""


def find_crossovers(result: Result, workload: str, sizes: Sequence[Size]) -> list[Crossover]:
    """Return what each pool does over the sizes, in the order of the cells."""
    blocks = pick_blocks(result.blocks, workload)
    pools = dict.fromkeys(
        (cell.strategy, cell.workers)
        for cell in result.cells
        if cell.workload == workload and cell.strategy != SERIAL.strategy and cell.status == "ok"
    )
    loops = _find_loops(sizes)
    wanted = float(result.options.get("confidence", 0.95))
    confidence = corrected_confidence(wanted, max(1, len(pools) * len(sizes)))
    found = []
    for strategy, workers in pools:
        cells = [
            cell
            for cell in result.cells
            if (cell.workload, cell.strategy, cell.workers) == (workload, strategy, workers)
        ]
        rungs = list(_climb(blocks, cells, loops, sizes[-1], confidence))
        if rungs:
            found.append(_conclude(strategy, workers, rungs))
    return found


def _find_loops(sizes: Sequence[Size]) -> dict[str, str]:
    """Return the key of the serial arm by the variant of each size."""
    return {
        size.variant: SERIAL.key if size == sizes[-1] else f"{SERIAL.key}/{size.variant}"
        for size in sizes
    }


def _climb(
    blocks: Blocks,
    cells: Sequence[Cell],
    loops: dict[str, str],
    largest: Size,
    confidence: float,
) -> list[Rung]:
    rungs = []
    for cell in cells:
        loop = loops.get(cell.variant)
        if loop is None:
            continue
        speedup = find_ratio(blocks, loop, cell.key, confidence)
        times = [block["seconds"][loop] for block in blocks if loop in block["seconds"]]
        if speedup is not None and times:
            share = read_size(cell.variant).steps / largest.steps
            rungs.append(Rung(median(times) * share, speedup))
    return sorted(rungs, key=lambda rung: rung.task_s)


def _conclude(strategy: str, workers: int, rungs: Sequence[Rung]) -> Crossover:
    best = max((rung.speedup for rung in rungs), key=lambda speedup: speedup.estimate)
    smallest = rungs[0]
    pool_s = smallest.task_s / smallest.speedup.estimate
    dispatch_s = max(0.0, pool_s - smallest.task_s / best.estimate)
    saved = 1 - 1 / best.estimate
    return Crossover(
        strategy,
        workers,
        tuple(rungs),
        find_crossing(rungs, 1.0) if best.estimate > 1 else Bracket(None),
        best,
        find_crossing(rungs, NEARLY * best.estimate),
        dispatch_s,
        dispatch_s / saved if saved > 0 else None,
    )


def find_crossing(rungs: Sequence[Rung], level: float) -> Bracket:
    """Return the time of a task from which on the speedup is above a level, for good.

    The estimate lies on the straight line, over the logarithm of the time, between the last size
    below the level and the next. ``low`` is the last size that may be the last below it, and
    ``high`` the first from which on every interval lies above it: None if there is none.
    """
    estimates = [rung.speedup.estimate for rung in rungs]
    lows = [_or(rung.speedup.low, -math.inf) for rung in rungs]
    highs = [_or(rung.speedup.high, math.inf) for rung in rungs]
    estimate = _interpolate(rungs, estimates, level)
    low = _find_last_below(rungs, highs, level)
    if all(each >= level for each in lows):
        high: float | None = rungs[0].task_s
    else:
        last = max(place for place, each in enumerate(lows) if each < level)
        high = rungs[last + 1].task_s if last + 1 < len(rungs) else None
    return Bracket(estimate, low, high)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _interpolate(rungs: Sequence[Rung], values: Sequence[float], level: float) -> float | None:
    """Return where the values cross the level for the last time; None if the last is below it."""
    if values[-1] < level:
        return None
    found = rungs[0].task_s
    places = zip(pairwise(rungs), pairwise(values), strict=True)
    for (before, after), (one, other) in places:
        if one < level <= other:
            way = (level - one) / (other - one)
            logs = math.log(before.task_s), math.log(after.task_s)
            found = math.exp(logs[0] + way * (logs[1] - logs[0]))
    return found


def _find_last_below(rungs: Sequence[Rung], highs: Sequence[float], level: float) -> float | None:
    """Return the largest size that is shown to be below the level; None if none is."""
    below = [rung.task_s for rung, high in zip(rungs, highs, strict=True) if high < level]
    return max(below, default=None)


def chart_crossover(workload: str, found: Sequence[Crossover]) -> list[Chart]:
    """Draw the speedup over the size of a task, measured and predicted from the dispatch cost."""
    if not found:
        return []
    series: list[Series] = []
    marks = []
    for each in found:
        points = tuple(Point(rung.task_s, rung.speedup) for rung in each.rungs)
        series.append(Series(each.strategy, points))
        marks.append(Mark("pays from", each.pays_from, each.strategy))
        marks.append(Mark("nine tenths of its best from", each.best_from, each.strategy))
    for each in found:
        points = tuple(
            Point(rung.task_s, Estimate(predict_speedup(each, rung.task_s), None, None))
            for rung in each.rungs
        )
        series.append(Series(f"{each.strategy}, predicted", points, "predicted"))
    x = Axis("a task takes", "s", logarithmic=True)
    title = f"speedup over the size of a task, {found[0].workers} workers"
    return [Chart(title, x, Axis("speedup", "x"), tuple(series), tuple(marks), workload)]


def predict_speedup(crossover: Crossover, task_s: float) -> float:
    """Return the speedup that the dispatch cost alone leaves of the best one."""
    return task_s / (crossover.dispatch_s + task_s / crossover.best.estimate)
