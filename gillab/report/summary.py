"""What a person would say of a run: one sentence or two a workload.

Each clause says only what was measured; a cause is named only where the figures bear it out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gillab.report.causes import (
    Machine,
    computes,
    explain_low_share,
    explain_no_gain,
    is_gil_off,
    is_share_known,
)
from gillab.report.choice import (
    Arms,
    find_fastest,
    pick_by_strategy,
    rank_simplicity,
    relate,
)
from gillab.report.figures import (
    count_workers,
    format_duration,
    format_share,
    format_speedup,
    label_workloads,
    shorten,
)
from gillab.results import OUT_OF_TIME, Cell, Control
from gillab.statistics import relative_half_width

_LOW_SHARE = 0.9
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


def summarize(
    cells: Sequence[Cell],
    null: Sequence[Control],
    ceiling: Sequence[Control],
    environment: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    *,
    interrupted: bool = False,
) -> list[str]:
    """Return the sentences: workload by workload, then what to do where a verdict is missing.

    ``options`` are the run's, of which ``max_blocks`` and ``target_error`` may have ended it. One
    that was interrupted no option would have given more blocks.
    """
    sentences = []
    ways: set[str | None] = set()
    for workload, label in label_workloads(cell.workload for cell in cells).items():
        own = [cell for cell in cells if cell.workload == workload]
        if not interrupted:
            ways.add(_find_way_on(own, options or {}))
        fates = {_fate(cell) for cell in own}
        if len(fates) == 1 and len(own) > 1 and own[0].status != "ok":
            sentences.append(f"{label}: every strategy {fates.pop()}.")
            continue
        arms = Arms.of(own)
        texts = [
            *_compare(arms, Machine.of(_own(ceiling, workload), environment)),
            *_tell_withheld(arms, *_find_failed(null, ceiling, workload)),
            *_tell_missing(arms),
        ]
        sentences += [f"{label}: {text}." for text in texts]
    return sentences + _advise(cells, null, ceiling, ways)


def _own(controls: Sequence[Control], workload: str) -> list[Control]:
    return [control for control in controls if control.workload == workload]


def _compare(arms: Arms, machine: Machine) -> list[str]:
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
    equals = find_fastest(arms.judged)
    clauses = []
    if equals:
        clauses.append(_tell_winner(arms, equals[0], machine))
        clauses += _tell_equals(arms, equals)
    else:
        clauses.append(_tell_no_winner(arms, machine))
    others = [
        cell
        for cell in pick_by_strategy(arms.judged)
        if cell.strategy not in {equal.strategy for equal in equals}
    ]
    clauses += _tell_others(arms, equals, others, machine)
    return ["; ".join(clauses)]


def _tell_winner(arms: Arms, chosen: Cell, machine: Machine) -> str:
    figure = format_speedup(chosen.speedup) if chosen.speedup else ""
    free = chosen.strategy == "threads" and is_gil_off(machine, chosen, arms.serial)
    use = f"use {arms.name(chosen)}, {figure}{_tell_share(chosen, arms, machine)}"
    return f"{use} (no GIL here)" if free else use


def _tell_equals(arms: Arms, equals: Sequence[Cell]) -> list[str]:
    """Say which others are as fast as the first or no faster, and of which that is not known."""
    chosen, *others = equals
    relations: dict[str, str | None] = {}  # of each strategy's first cell
    for cell in others:
        relation = relate(cell, chosen)
        if cell.strategy != chosen.strategy:
            relations.setdefault(cell.strategy, relation)
        elif relation is None:
            relations.setdefault(arms.name(cell), relation)
    clauses = []
    for relation in ("as fast", "no faster", None):
        names = [name for name, of in relations.items() if of == relation]
        are = _verb(names, "are", "is") if names else ""
        if names and relation is None:
            clauses.append(f"whether {_join(names)} {are} faster is undecided")
        elif names:
            clauses.append(f"{_join(names)} {are} {relation}")
    return clauses


def _tell_share(cell: Cell, arms: Arms, machine: Machine) -> str:
    """Say what part that is of what the machine gives; nothing of work that waits."""
    share = cell.of_ceiling
    if share is None or not is_share_known(share, arms.busy):
        return ""
    more = machine.has_more_than(cell.workers)
    gives = format_share(share, count_workers(cell.workers) if more else "")
    if share.estimate >= _LOW_SHARE:
        return f", {gives}"
    why = explain_low_share(cell, arms.serial, machine)
    return f", but only {gives}{': ' if why else ''}{why}"


def _tell_no_winner(arms: Arms, machine: Machine) -> str:
    if arms.withheld or any(cell.verdict in ("inconclusive", None) for cell in arms.judged):
        return "no winner so far"
    if _lacks_cpus(arms, machine):
        return "stay serial, this process may use one CPU only, so nothing can run in parallel"
    if all(cell.workers == 1 for cell in (*arms.judged, *arms.missing)):
        return "stay serial, but only one worker was tried: more may gain, see --workers"
    if arms.serial is not None and arms.serial.cores is not None and arms.serial.cores >= 1.5:
        return f"stay serial, one task alone keeps {arms.serial.cores:.1f} cores busy"
    return "stay serial"


def _lacks_cpus(arms: Arms, machine: Machine) -> bool:
    """Whether the workload computes, and there is one CPU for that."""
    return machine.one_cpu and computes(arms.busy)


def _tell_others(
    arms: Arms,
    equals: Sequence[Cell],
    others: Sequence[Cell],
    machine: Machine,
) -> list[str]:
    """Return a clause for each strategy that is neither chosen nor as fast."""
    clauses = []
    nothing = []
    lacks_cpus = _lacks_cpus(arms, machine)
    for cell in others:
        name = arms.name(cell)
        figure = format_speedup(cell.speedup) if cell.speedup else ""
        why = "" if lacks_cpus else explain_no_gain(cell, arms.serial, machine)
        # Of all its numbers of workers the best is said, unless some are not judged.
        strategy = name if arms.withheld else cell.strategy
        if cell.verdict == "wins":
            # What is slower and no simpler is of no interest.
            if rank_simplicity(cell) < rank_simplicity(equals[0]):
                clauses.append(f"{name} {_verb([name], 'reach', 'reaches')} {figure}")
        elif cell.verdict == "loses":
            slower = f"{name} {_verb([name], 'are', 'is')} slower than serial, {figure}"
            clauses.append(f"{slower}, {why}" if why else slower)
        elif cell.verdict not in ("same", "no_gain"):
            few = cell.speedup is None or cell.speedup.low is None
            at = (f" at {figure}" if figure else "") + (" (too few blocks to tell)" if few else "")
            clauses.append(f"{name} {_verb([name], 'are', 'is')} undecided{at}")
        elif why:
            clauses.append(f"{strategy} {_verb([strategy], 'gain', 'gains')} nothing, {why}")
        elif equals or not lacks_cpus:  # which is said already
            nothing.append(strategy)
    if nothing:
        clauses.append(f"{_join(nothing)} {_verb(nothing, 'gain', 'gains')} nothing")
    return clauses


def _tell_withheld(arms: Arms, null: Sequence[Control], ceiling: Sequence[Control]) -> list[str]:
    """Say which control failed where verdicts are withheld."""
    if not arms.withheld:
        return []
    names = list(dict.fromkeys(arms.name(cell) for cell in arms.withheld))
    on = f" on {_join(names)}" if arms.judged else ""
    causes = [
        f"two identical serial arms differ, {format_speedup(control.speedup)}"
        for control in null
        if control.speedup is not None
    ]
    causes += [
        f"the machine gave {control.workers} independent processes "
        f"{format_speedup(control.speedup)} where {control.expected:g}x was due"
        for control in ceiling
        if control.speedup is not None and control.reason is None
    ]
    counts = {cell.workers for cell in arms.withheld}
    causes += dict.fromkeys(
        f"what this machine gives could not be measured: {_inline(control.reason)}"
        for control in ceiling
        if control.reason is not None and control.workers in counts
    )
    if not causes:
        reasons = dict.fromkeys(_inline(cell.reason) for cell in arms.withheld if cell.reason)
        causes = list(reasons)
    return [f"no verdict{on}{', because ' if causes else ''}{' and '.join(causes)}"]


def _find_failed(
    null: Sequence[Control], ceiling: Sequence[Control], workload: str
) -> tuple[list[Control], list[Control]]:
    """Return the failed controls of a workload; where it has none, all that failed."""
    nulls, ceilings = (
        [control for control in controls if control.passed is False or control.reason is not None]
        for controls in (null, ceiling)
    )
    own_nulls, own_ceilings = _own(nulls, workload), _own(ceilings, workload)
    return (own_nulls, own_ceilings) if own_nulls or own_ceilings else (nulls, ceilings)


def _tell_missing(arms: Arms) -> list[str]:
    """Say what failed; and what is unavailable only where nothing better was found."""
    lacking = not arms.withheld and not find_fastest(arms.judged)
    ran = {cell.strategy for cell in (*arms.judged, *arms.withheld)}
    names: dict[str, list[str]] = {}
    for cell in arms.missing:
        if cell.status == "failed" or lacking:
            name = arms.name(cell) if cell.strategy in ran else cell.strategy
            names.setdefault(_fate(cell), []).append(name)
    return [f"{_join(list(dict.fromkeys(who)))} {fate}" for fate, who in names.items()]


def _fate(cell: Cell) -> str:
    return f"{cell.status}: {_inline(cell.reason)}" if cell.reason else cell.status


def _inline(reason: str) -> str:
    """Return a reason such that a sentence can go on after it."""
    return shorten(reason, _REASON_WIDTH).rstrip(". ")


def _advise(
    cells: Sequence[Cell],
    null: Sequence[Control],
    ceiling: Sequence[Control],
    ways: Collection[str | None],
) -> list[str]:
    """Say once what to do where verdicts are missing."""
    verdicts = {c.verdict for c in cells if c.strategy != "serial" and c.status == "ok"}
    advice = []
    names = [
        name
        for name, controls in (("null", null), ("ceiling", ceiling))
        if any(control.passed is False for control in controls)
    ]
    if "withheld" in verdicts and names:
        # Where both failed, it is the machine that they have in common.
        other = _OTHER_CAUSES[names[0]] if len(names) == 1 else ""
        again = "run again when it is quieter, or with --rigorous"
        advice.append(f"The machine was busy{other}: {again}.")
    # In one order, however the workloads come.
    steps = [way for way in _WAYS_ON if way in ways]
    if steps:
        advice.append(f"More blocks may decide what is undecided: {_join(steps)}.")
    return advice


def _find_way_on(cells: Sequence[Cell], options: Mapping[str, Any]) -> str | None:
    """Return what would give a workload more blocks, None where it needs none.

    That is by what it was ended: the most blocks, intervals as narrow as was asked for, the time.
    """
    if any(OUT_OF_TIME in (cell.reason or "") for cell in cells):
        return _MORE_TIME
    arms = [cell for cell in cells if cell.strategy != "serial" and cell.status == "ok"]
    if not {cell.verdict for cell in arms} & {"inconclusive", None}:
        return None
    if max(cell.blocks for cell in arms) >= options.get("max_blocks", math.inf):
        return _MORE_BLOCKS
    widest = max(relative_half_width(c.speedup) if c.speedup else math.inf for c in arms)
    if widest <= options.get("target_error", 0.0):
        return _NARROWER
    return _MORE_TIME


def _join(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], plural: str, singular: str) -> str:
    """Choose the verb's form: several names, or one in the plural such as ``threads``."""
    first = names[0].partition(" with ")[0]
    one = len(names) == 1 and (first.startswith("1 ") or not first.endswith("s"))
    return singular if one else plural
