"""Sums up a run in one sentence or two for each workload.

The result already holds the verdicts, causes and choices. Here they are put into words.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gillab.blocks.choices import rank_simplicity
from gillab.blocks.evidence import LOW_SHARE, has_inner_threads
from gillab.report.arms import Arms, pick_by_strategy
from gillab.report.causes import add_cause, tell_proof, tell_shortfall
from gillab.report.figures import (
    count_workers,
    format_duration,
    format_share,
    format_speedup,
    label_workloads,
    shorten,
)
from gillab.report.pythons import tell_best, tell_interpreters
from gillab.report.sharing import drop_own, tell_sharing
from gillab.results import OUT_OF_TIME, Alternative, Cell, Choice, Result
from gillab.statistics import relative_half_width
from gillab.strategies import shares_gil

_IDLE_CORES = 0.2
"""From so many cores busy between tasks on, it is more than the resolution of the counters."""
_FEW_BLOCKS = " (too few blocks to tell)"
_REASON_WIDTH = 200
_WAYS_ON = _MORE_TIME, _MORE_BLOCKS, _NARROWER = (
    "raise --time-budget",
    "raise --max-blocks",
    "lower --target-error",
)

_OTHER_CAUSES = {
    "null": ", or each setup made other work (seed its random data)",
    "ceiling": ", or its cores are not equally fast",
}


def summarize(result: Result) -> list[str]:
    """Return the sentences: workload by workload, then what to do where a verdict is missing."""
    sentences = []
    ways: set[str | None] = set()
    choices = {choice.workload: choice for choice in result.choices}
    here = str(result.environment.get("python"))
    for workload, label in label_workloads(cell.workload for cell in result.cells).items():
        both = [cell for cell in result.cells if cell.workload == workload]
        own = [cell for cell in both if not cell.interpreter]
        # If the run was interrupted, no option would have given it more blocks.
        if not result.partial:
            ways.add(_find_way_on(both, result.options))
        fates = {_fate(cell) for cell in own}
        if len(fates) == 1 and len(own) > 1 and own[0].status != "ok":
            sentences.append(f"{label}: every strategy {fates.pop()}.")
            continue
        choice = choices.get(workload, Choice(workload, "none"))
        arms = Arms.of(own, choice)
        best = tell_best(choice)
        sentences += [f"{label}: {best}."] if best else []
        # Among several Pythons a sentence must say which it speaks of.
        name = f"{label}: here ({here})" if len(both) > len(own) else label
        texts = [
            *_tell_inner_threads(arms, result.options),
            *_compare(arms, result),
            *tell_sharing(arms),
            *_tell_withheld(arms),
            *_tell_missing(arms),
        ]
        sentences += [f"{name}: {text}." for text in texts]
        sentences += [f"{label}: {text}." for text in tell_interpreters(both)]
    return sentences + _advise(result, ways)


def _tell_inner_threads(arms: Arms, options: Mapping[str, Any]) -> list[str]:
    """Say what the workload's own threads do; it comes before what is compared."""
    serial = arms.serial
    if serial is None or serial.status != "ok":
        return []
    texts = []
    if has_inner_threads(serial) and serial.cores is not None:
        text = f"one task alone keeps {serial.cores:.1f} cores busy, by threads of its own"
        if options.get("inner_threads") != 1:
            text += "; try --inner-threads 1, which leaves the cores to the workers"
        texts.append(text)
    if serial.idle_cores is not None and serial.idle_cores >= _IDLE_CORES:
        kept = f"between tasks the workload's own threads keep {serial.idle_cores:.1f} cores busy"
        texts.append(kept)
    return texts


def _compare(arms: Arms, result: Result) -> list[str]:
    """Say which strategy to use, and how the others did."""
    serial = arms.serial
    if serial is not None and serial.status != "ok":
        is_ = "is " if serial.status == "unavailable" else ""
        return [f"the serial arm {is_}{_fate(serial)}, so there is nothing to compare with"]
    if not arms.judged:
        if arms.withheld or arms.missing or serial is None or serial.seconds is None:
            return []
        took = format_duration(serial.seconds.median)
        return [f"{took} a task in serial, and no other strategy to compare with"]
    chosen = arms.chosen
    clauses = []
    equals = {arms.choice.strategy, *(each.strategy for each in arms.choice.alternatives)}
    if chosen is not None:
        clauses.append(_tell_winner(arms, chosen, result))
        clauses += _tell_alternatives(arms, chosen)
    else:
        clauses.append(_tell_no_winner(arms.choice))
    others = [
        cell for cell in pick_by_strategy(drop_own(arms.judged)) if cell.strategy not in equals
    ]
    clauses += _tell_others(arms, chosen, others)
    return ["; ".join(clauses)]


def _tell_winner(arms: Arms, chosen: Cell, result: Result) -> str:
    environment = result.environment
    figure = format_speedup(chosen.speedup) if chosen.speedup else ""
    due = _find_due(result, chosen)
    usable = environment.get("cpus_usable")
    more = usable is not None and chosen.workers < usable
    use = f"use {arms.name_cell(chosen)}, {figure}{_tell_share(chosen, due, more=more)}"
    told = any("GIL" in note for cell in (chosen, arms.serial) if cell for note in cell.notes)
    free = shares_gil(chosen.strategy) and environment.get("gil_enabled") is False and not told
    return f"{use} (no GIL here)" if free else use


def _find_due(result: Result, cell: Cell) -> float | None:
    """Return how many cores the cell's workers could have; a quota may leave a fraction."""
    for control in result.ceiling:
        if (control.workload, control.workers) == (cell.workload, cell.workers):
            return control.expected
    return None


def _tell_alternatives(arms: Arms, chosen: Cell) -> list[str]:
    """Say which others are as fast as the chosen one or no faster, and which are undecided."""
    relations: dict[str, str] = {}  # of each strategy's first cell
    for other in arms.choice.alternatives:
        if other.strategy != chosen.strategy:
            relations.setdefault(other.strategy, other.relation)
        elif other.relation == "open":
            relations.setdefault(_name(arms, other), other.relation)
    clauses = []
    for relation, words in (("as_fast", "as fast"), ("no_faster", "no faster"), ("open", "")):
        names = [name for name, of in relations.items() if of == relation]
        are = _verb(names, "are", "is") if names else ""
        if names and not words:
            clauses.append(f"whether {_join(names)} {are} faster is undecided")
        elif names:
            clauses.append(f"{_join(names)} {are} {words}")
    return clauses


def _name(arms: Arms, other: Alternative) -> str:
    return arms.name(other.strategy, other.workers, other.data)


def _tell_share(cell: Cell, due: float | None, *, more: bool) -> str:
    """Say what share of the ceiling the cell reaches; empty if that is not known."""
    share = cell.of_ceiling
    if share is None:
        return ""
    gives = format_share(share, count_workers(cell.workers) if more else "")
    if share.estimate >= LOW_SHARE:
        return f", {gives}"
    why = tell_shortfall(cell, due)
    return f", but only {gives}{': ' if why else ''}{why}"


def _tell_no_winner(choice: Choice) -> str:
    if choice.advice in ("open", "withheld"):
        return "no winner so far"
    match choice.because:
        case "one_cpu":
            return "stay serial, this process may use one CPU only, so nothing can run in parallel"
        case "one_worker":
            return "stay serial, but only one worker was tried: more may gain, see --workers"
    return "stay serial"


def _tell_others(arms: Arms, chosen: Cell | None, others: Sequence[Cell]) -> list[str]:
    """Return a clause for each strategy that is neither chosen nor as fast."""
    clauses = []
    nothing: list[str] = []
    for cell in others:
        name = arms.name_cell(cell)
        figure = format_speedup(cell.speedup) if cell.speedup else ""
        # This is the best of its numbers of workers, so it speaks for all, unless some are not
        # judged.
        strategy = name if arms.withheld else cell.strategy
        gain = f"{strategy} {_verb([strategy], 'gain', 'gains')} nothing"
        said = arms.choice.because in ("one_cpu", "inner_threads")
        cause = None if said else cell.cause
        match cell.verdict:
            case "wins":
                # A winner that is slower and no simpler is of no interest.
                if chosen is None or rank_simplicity(cell) < rank_simplicity(chosen):
                    clauses.append(f"{name} {_verb([name], 'reach', 'reaches')} {figure}")
            case "loses":
                slower = f"{name} {_verb([name], 'are', 'is')} slower than serial, {figure}"
                clauses.append(add_cause(slower, cause, cell.held))
            case "no_gain" if cell.proved_by and not said:
                proof = tell_proof(cell.proved_by, cell.held)
                clauses.append(f"{gain}: {proof} (measured {figure})")
            case "no_gain" if not said:
                clauses.append(add_cause(f"{gain}, {figure}", cause, cell.held))
            case "same" if cause is not None:
                clauses.append(add_cause(gain, cause, cell.held))
            case "same" | "no_gain":
                nothing.append(strategy)
            case _:
                few = cell.speedup is None or cell.speedup.low is None
                at = (f" at {figure}" if figure else "") + (_FEW_BLOCKS if few else "")
                open_ = f"{name} {_verb([name], 'are', 'is')} undecided{at}"
                clauses.append(add_cause(open_, cause, cell.held))
    if nothing and (chosen is not None or arms.choice.because != "one_cpu"):  # already said
        clauses.append(f"{_join(nothing)} {_verb(nothing, 'gain', 'gains')} nothing")
    return clauses


def _tell_withheld(arms: Arms) -> list[str]:
    """Say which control failed where verdicts are withheld."""
    if not arms.withheld:
        return []
    names = list(dict.fromkeys(arms.name_cell(cell) for cell in arms.withheld))
    on = f" on {_join(names)}" if arms.judged else ""
    causes = list(dict.fromkeys(_inline(cell.reason) for cell in arms.withheld if cell.reason))
    return [f"no verdict{on}{', because ' if causes else ''}{' and '.join(causes)}"]


def _tell_missing(arms: Arms) -> list[str]:
    """Say what failed, and, only if no strategy is chosen, what is unavailable."""
    lacking = not arms.withheld and arms.chosen is None
    ran = {cell.strategy for cell in (*arms.judged, *arms.withheld)}
    names: dict[str, list[str]] = {}
    for cell in arms.missing:
        if cell.status == "failed" or lacking:
            name = arms.name_cell(cell) if cell.strategy in ran else cell.strategy
            names.setdefault(_fate(cell), []).append(name)
    return [f"{_join(list(dict.fromkeys(who)))} {fate}" for fate, who in names.items()]


def _fate(cell: Cell) -> str:
    return f"{cell.status}: {_inline(cell.reason)}" if cell.reason else cell.status


def _inline(reason: str) -> str:
    """Shorten a reason and drop its full stop, so that a sentence can go on after it."""
    return shorten(reason, _REASON_WIDTH).rstrip(". ")


def _advise(result: Result, ways: Collection[str | None]) -> list[str]:
    """Say once what to do where verdicts are missing."""
    verdicts = {cell.verdict for cell in _list_compared(result.cells)}
    advice = []
    doubts = dict.fromkeys(doubt for choice in result.choices for doubt in choice.doubts)
    names = [name for name in doubts if name in _OTHER_CAUSES]
    if "withheld" in verdicts and names:
        # If both failed, the cause is what they share: the machine.
        other = _OTHER_CAUSES[names[0]] if len(names) == 1 else ""
        again = "run again when it is quieter, or with --rigorous"
        advice.append(f"The machine was busy{other}: {again}.")
    # In one order, however the workloads come.
    steps = [way for way in _WAYS_ON if way in ways]
    if steps:
        advice.append(f"More blocks may decide what is undecided: {_join(steps)}.")
    return advice


def _find_way_on(cells: Sequence[Cell], options: Mapping[str, Any]) -> str | None:
    """Return the option that would give a workload more blocks, None if it needs none.

    It depends on what ended the workload: the most blocks, the target error, or the time.
    """
    if any(OUT_OF_TIME in (cell.reason or "") for cell in cells):
        return _MORE_TIME
    arms = _list_compared(cells)
    if not {cell.verdict for cell in arms} & {"inconclusive", None}:
        return None
    if max(cell.blocks for cell in arms) >= options.get("max_blocks", math.inf):
        return _MORE_BLOCKS
    widest = max(relative_half_width(c.speedup) if c.speedup else math.inf for c in arms)
    if widest <= options.get("target_error", 0.0):
        return _NARROWER
    return _MORE_TIME


def _list_compared(cells: Sequence[Cell]) -> list[Cell]:
    """Return what was measured, but for the serial arm, with which all of it is compared."""
    ran = [cell for cell in cells if cell.status == "ok"]
    return [cell for cell in ran if cell.strategy != "serial" or cell.interpreter]


def _join(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], plural: str, singular: str) -> str:
    """Choose the verb's form: several names, or one in the plural such as ``threads``."""
    first = names[0].partition(" with ")[0]
    one = len(names) == 1 and (first.startswith("1 ") or not first.endswith("s"))
    return singular if one else plural
