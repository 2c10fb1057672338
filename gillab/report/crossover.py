"""What a person would say of a crossover run: from which size of a task on a pool pays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gillab.estimates import Bracket
from gillab.report.doubts import tell_doubts, tell_failures
from gillab.report.figures import (
    count_workers,
    format_duration,
    format_speedup,
    label_workloads,
)
from gillab.results import Result
from gillab.statistics import MARGIN
from gillab.sweeps.crossover import Crossover


def summarize_crossover(result: Result, found: dict[str, Sequence[Crossover]]) -> list[str]:
    """Return the sentences, workload by workload; the answer is the first."""
    labels = label_workloads(cell.workload for cell in result.cells)
    sentences = []
    for workload, crossovers in found.items():
        head = f"{labels.get(workload, workload)}: "
        texts = ["; ".join(map(_tell, crossovers))] if crossovers else []
        texts += [text for each in crossovers for text in _tell_more(each)]
        choice = next((each for each in result.choices if each.workload == workload), None)
        cells = [cell for cell in result.cells if cell.workload == workload]
        texts += [*tell_doubts(choice), *tell_failures(cells)]
        sentences += [f"{head}{text}." for text in texts or ["nothing was measured"]]
    return sentences


def _tell(each: Crossover) -> str:
    name = each.strategy
    largest = each.rungs[-1]
    figure = f"{format_speedup(largest.speedup)} at {format_duration(largest.task_s, 2)}"
    if each.pays_from.high is not None:
        return f"{name} pay for tasks from {tell_bracket(each.pays_from)} on"
    if all((rung.speedup.high or math.inf) <= 1 + MARGIN for rung in each.rungs):
        return f"{name} do not pay, however large a task is: {figure}"
    if each.pays_from.estimate is None:
        return f"{name} are not shown to pay at any size: {figure}"
    return f"whether {name} pay is undecided: {figure}"


def _tell_more(each: Crossover) -> Iterator[str]:
    if each.pays_from.high is None:
        return
    best = f"{each.strategy} reach {format_speedup(each.best)} with {count_workers(each.workers)}"
    if each.best_from.estimate is not None:
        best += f", nine tenths of it from {tell_bracket(each.best_from)} on"
    yield best
    by = (
        f"a task costs {format_duration(each.dispatch_s, 2)} more in {each.strategy} than in a loop"
    )
    if each.predicted_s is not None:
        by += f"; by that they should pay from {format_duration(each.predicted_s, 2)} on"
    yield by


def tell_bracket(at: Bracket) -> str:
    """Write a time with its bracket: ``20 µs [15 µs, 31 µs]``."""
    assert at.estimate is not None
    text = format_duration(at.estimate, 2)
    if at.low is None and at.high is None:
        return text
    low = "?" if at.low is None else format_duration(at.low, 2)
    high = "?" if at.high is None else format_duration(at.high, 2)
    return f"{text} [{low}, {high}]"
