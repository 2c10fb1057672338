"""What a person would say of a scaling run: how far each strategy goes, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gillab.estimates import Estimate
from gillab.model.predict import LEFT_OUT_SENTENCE
from gillab.report.arms import Arms
from gillab.report.causes import tell_cause
from gillab.report.doubts import tell_doubts, tell_failures
from gillab.report.figures import (
    count_workers,
    format_measured,
    format_speedup,
    label_workloads,
    shorten,
)
from gillab.results import Cell, Choice, Result
from gillab.sweeps.scaling import Curve, Scaling, rank_curve

_REASON_WIDTH = 200
_MANY = 4
"""From so many predictions on, only the largest is told."""


def summarize_scaling(result: Result, scalings: Sequence[Scaling], capacity: float) -> list[str]:
    """Return the sentences: the answer of each workload first, then what the model says."""
    labels = label_workloads(cell.workload for cell in result.cells)
    choices = {choice.workload: choice for choice in result.choices}
    sentences = []
    for scaling in scalings:
        name = scaling.workload
        own = [cell for cell in result.cells if cell.workload == name]
        arms = Arms.of(own, choices.get(name, Choice(name, "none")))
        texts = [*_tell_answer(scaling, arms), *_tell_limits(scaling, arms, capacity)]
        texts += [*tell_doubts(arms.choice), *tell_failures(arms.missing)]
        texts += _tell_prediction(scaling)
        head = f"{labels[name]}: "
        # Of one workload the name need not stand before every sentence.
        rest = head if len(scalings) > 1 else ""
        for place, text in enumerate(texts):
            begin = head if place == 0 else rest
            sentences.append(f"{begin}{text if begin else text[0].upper() + text[1:]}.")
    if any(scaling.foreseen for scaling in scalings):
        sentences.append(LEFT_OUT_SENTENCE)
    return sentences


def _tell_answer(scaling: Scaling, arms: Arms) -> Iterator[str]:
    curves = sorted(scaling.curves, key=rank_curve)
    if not curves:
        reasons = {f"{cell.status}: {cell.reason}" for cell in (arms.serial, *arms.missing) if cell}
        yield shorten("; ".join(sorted(reasons)) or "nothing was measured", _REASON_WIDTH)
        return
    fastest = max(curves, key=lambda curve: _pace(curve.enough))
    if arms.chosen is not None:
        head = f"use {arms.name_cell(arms.chosen)}, {_speedup(arms.chosen)}"
    elif arms.choice.advice == "stay_serial":
        head = "stay serial"
    else:
        head = f"undecided; the fastest so far is {arms.name_cell(fastest.enough)}"
        head += f", {_speedup(fastest.enough)}"
    chosen = arms.chosen
    others = [
        _tell_curve(curve, arms)
        for curve in curves
        if chosen is None or curve.strategy != chosen.strategy or curve.enough.data != chosen.data
    ]
    yield "; ".join([head, *others])


def _tell_curve(curve: Curve, arms: Arms) -> str:
    cell = curve.enough
    if cell.verdict in ("no_gain", "same", "loses"):
        why = tell_cause(cell.cause, cell.held)
        return f"{curve.name} never gain, {_speedup(cell)} at best{f': {why}' if why else ''}"
    fraction = _find_fraction(curve)
    serial = "" if fraction is None else f" (serial fraction {_fraction(fraction)})"
    return f"{curve.name} reach {_speedup(cell)} with {count_workers(cell.workers)}{serial}"


def _tell_limits(scaling: Scaling, arms: Arms, capacity: float) -> Iterator[str]:
    """Say what more workers give than there are CPUs, and where a task has threads of its own."""
    chosen = arms.chosen
    curve = next((c for c in scaling.curves if chosen is not None and chosen in c.cells), None)
    fraction = None if curve is None else _find_fraction(curve)
    if curve is not None and fraction is not None:
        yield f"{curve.name} have a serial fraction of {_fraction(fraction)}"
    beyond = [curve for curve in scaling.curves if curve.cells[-1].workers > capacity]
    if beyond and capacity >= 1:
        gaining = [curve.name for curve in beyond if curve.enough.workers > capacity]
        losing = [curve for curve in beyond if _loses_beyond(curve, capacity)]
        cpus = f"the {capacity:g} CPU{'' if capacity == 1 else 's'}"
        if gaining:
            yield f"more workers than {cpus} still gain something in {_join(gaining)}"
        else:
            yield f"more workers than {cpus} gain nothing"
        if losing:
            names = _join([curve.name for curve in losing])
            yield f"they cost something in {names}, {_speedup(losing[0].cells[-1])} at the most"
    if arms.choice.because == "inner_threads" and arms.serial is not None:
        yield (
            f"a task alone keeps {arms.serial.cores:.1f} cores busy with threads of its own; "
            "--inner-threads 1 takes them away"
        )


def _loses_beyond(curve: Curve, capacity: float) -> bool:
    """Whether the largest number of workers is shown to be slower than the fewest that do."""
    last, enough = curve.cells[-1].speedup, curve.enough.speedup
    if last is None or enough is None or last.high is None or enough.low is None:
        return False
    return curve.enough.workers <= capacity and last.high < enough.low


def _tell_prediction(scaling: Scaling) -> Iterator[str]:
    for name, foreseen in scaling.foreseen.items():
        counts = sorted(foreseen)
        told = counts if len(counts) < _MANY else counts[-1:]
        figures = ", ".join(f"{_plain(foreseen[n])} on {n}" for n in told)
        yield f"the model gives {name} {figures} CPUs, with as many workers"
    errors = list(_find_errors(scaling))
    if errors:
        worst = max(errors, key=lambda each: abs(each[0] - 1))
        off, cell, expected = worst
        yield (
            f"where both were tried the model is off by {100 * abs(off - 1):.0f} % at most "
            f"({_name(cell)}: predicted {_plain(expected)}, measured {_speedup(cell)})"
        )
    elif scaling.asked and not scaling.predicted:
        yield "nothing is predicted, since the meter has not read how much the GIL is held"


def _find_errors(scaling: Scaling) -> Iterator[tuple[float, Cell, Estimate]]:
    for curve in scaling.curves:
        for cell in curve.cells:
            expected = scaling.predicted.get(curve.name, {}).get(cell.workers)
            if expected is not None and cell.speedup is not None:
                yield expected.estimate / cell.speedup.estimate, cell, expected


def _name(cell: Cell) -> str:
    return f"{cell.strategy} with {count_workers(cell.workers)}"


def _find_fraction(curve: Curve) -> Estimate | None:
    """Return the serial fraction at the most workers that have a CPU each."""
    counts = sorted(curve.serial_fraction)
    return curve.serial_fraction[counts[-1]] if counts else None


def _fraction(fraction: Estimate) -> str:
    return format_measured(fraction, "fraction", 2)


def _speedup(cell: Cell) -> str:
    return format_speedup(cell.speedup) if cell.speedup else ""


def _plain(estimate: Estimate) -> str:
    return format_speedup(Estimate(estimate.estimate, None, None))


def _pace(cell: Cell) -> float:
    return cell.speedup.estimate if cell.speedup else 0.0


def _join(names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(names))
