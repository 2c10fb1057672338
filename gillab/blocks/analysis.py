"""From what was measured to what is said: records in, cells and controls out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from gillab import statistics
from gillab.blocks.noise import is_quiet
from gillab.blocks.plan import NULL, REFERENCE, SERIAL, Arm
from gillab.blocks.record import Block, Record
from gillab.release.findings import Scaling
from gillab.results import OUT_OF_TIME, Cell, Control, Estimate, Noise, Status, Verdict, arm_key


class Analysis(NamedTuple):
    """Everything that is concluded from a run's records."""

    cells: list[Cell]
    null: list[Control]
    ceiling: list[Control]
    noise: Noise


def analyze(
    records: Sequence[Record],
    confidence: float,
    capacity: float,
    python: str,
    *,
    interrupted: bool = False,
) -> Analysis:
    """Draw the conclusions, with the confidence corrected for their number.

    ``capacity`` is the CPUs' worth of time that this process may use. What was not measured was
    ``interrupted``, or else there was no time for it.
    """
    ended = "interrupted" if interrupted else OUT_OF_TIME
    corrected = correct(records, confidence)
    paired = _correct_pairs(records, confidence)
    cells: list[Cell] = []
    nulls: list[Control] = []
    ceilings: list[Control] = []
    for record in records:
        null = _judge_null(record, corrected)
        ours = {
            arm.workers: _judge_ceiling(record, arm, corrected, capacity)
            for arm in record.experiment.arms
            if arm.role == "ceiling"
        }
        nulls.append(null)
        ceilings += ours.values()
        own = []
        for arm in record.experiment.cells:
            cell = _describe_cell(record, arm, corrected, python, ended)
            if arm != SERIAL and cell.speedup is not None:
                verdict: Verdict = statistics.verdict(cell.speedup)
                doubt = _find_doubt(null, ours.get(arm.workers), verdict)
                verdict = "withheld" if doubt else verdict
                cell = replace(cell, verdict=verdict, reason=doubt)
            own.append(cell)
        cells += _compare_winners(own, record, paired)
    return Analysis(cells, nulls, ceilings, summarize_noise(records))


def read_scaling(analysis: Analysis, workers: int) -> Scaling:
    """Return what one workload, measured alone, gains from so many threads."""
    (cell,) = (cell for cell in analysis.cells if cell.strategy == "threads")
    (serial,) = (cell for cell in analysis.cells if cell.strategy == "serial")
    (ceiling,) = analysis.ceiling
    return Scaling(
        workers,
        cell.speedup,
        cell.of_ceiling,
        cell.verdict,
        cell.reason,
        cell.status,
        ceiling.speedup,
        ceiling.expected,
        serial.busy,
    )


def correct(records: Sequence[Record], confidence: float) -> float:
    """Return the confidence for one comparison, so that all hold together with ``confidence``.

    Each cell that is compared counts, and so does each second serial arm.
    """
    comparisons = sum(
        arm.key not in record.failures
        for record in records
        for arm in (*record.experiment.cells, NULL)
        if arm != SERIAL
    )
    return statistics.corrected_confidence(confidence, max(1, comparisons))


def _correct_pairs(records: Sequence[Record], confidence: float) -> float:
    """Return the confidence for comparing two cells with each other, whichever they are.

    Which ones will be is seen only afterwards, so that every pair counts.
    """
    pairs = sum(math.comb(len(_find_compared(record)), 2) for record in records)
    return statistics.corrected_confidence(confidence, max(1, pairs))


def _compare_winners(cells: list[Cell], record: Record, confidence: float) -> list[Cell]:
    """Hold those that win against the fastest of them.

    In each block, and not by their speedups, whose intervals have the serial arm's noise in common.
    """
    winners = [cell for cell in cells if cell.verdict == "wins"]
    if not winners:
        return cells
    fastest = max(winners, key=lambda cell: cell.speedup.estimate if cell.speedup else 0.0)
    key = arm_key(fastest.strategy, fastest.workers)
    return [
        replace(
            cell,
            of_fastest=_speedup(
                record.blocks, key, arm_key(cell.strategy, cell.workers), confidence
            ),
        )
        if cell in winners
        else cell
        for cell in cells
    ]


def _find_compared(record: Record) -> list[str]:
    return [key for key in record.open_cells if key != SERIAL.key]


def find_widest(record: Record, confidence: float) -> float:
    """Return the relative half-width of the widest interval among the record's cells."""
    return max(
        (
            statistics.relative_half_width(estimate)
            if (estimate := _speedup(record.blocks, SERIAL.key, key, confidence))
            else float("inf")
            for key in _find_compared(record)
        ),
        default=0.0,
    )


def summarize_noise(records: Sequence[Record]) -> Noise:
    """Return what was seen of the machine over all blocks."""
    noises = [block.noise for record in records for block in record.blocks if block.noise]

    def over(name: str, summarize: Callable[[list[float]], float]) -> float | None:
        values = [noise[name] for noise in noises if name in noise]
        return summarize(values) if values else None

    slowest, fastest = over("mhz", min), over("mhz", max)
    switches = over("switches", sum)
    return Noise(
        blocks=sum(len(record.blocks) for record in records),
        quiet_blocks=sum(is_quiet(noise) for noise in noises),
        other_cores=over("other_cores", median),
        other_cores_max=over("other_cores", max),
        steal=over("steal", median),
        pressure=over("pressure", median),
        throttled_s=over("throttled_s", sum),
        involuntary_switches=None if switches is None else int(switches),
        frequency_mhz=None if slowest is None or fastest is None else (slowest, fastest),
    )


def _describe_cell(record: Record, arm: Arm, confidence: float, python: str, ended: str) -> Cell:
    key = arm.key
    blocks = [block for block in record.blocks if key in block.seconds]
    status: Status = "ok"
    reason: str | None = None
    if key in record.failures:
        status, reason = record.failures[key]
    elif not blocks:
        status, reason = "unavailable", f"{ended} before it was measured"
        # Whether it ever would have, nobody knows.
        if key in record.cut:
            cut_s = float(f"{record.cut[key]:.2g}")
            reason = f"had not returned after {cut_s:g} s, when {OUT_OF_TIME}"
    quiet = [block for block in record.blocks if block.noise and is_quiet(block.noise)]
    compared = status == "ok" and arm != SERIAL
    return Cell(
        workload=record.experiment.workload.name,
        strategy=arm.strategy,
        workers=arm.workers,
        python=python,
        status=status,
        reason=reason,
        notes=tuple(record.notes) if arm == SERIAL else (),
        blocks=len(blocks),
        seconds=statistics.describe([b.seconds[key] for b in blocks]) if blocks else None,
        speedup=_speedup(record.blocks, SERIAL.key, key, confidence) if compared else None,
        speedup_quiet=_speedup(quiet, SERIAL.key, key, confidence) if compared else None,
        of_ceiling=_share_of_ceiling(record.blocks, arm, confidence) if compared else None,
        cores=median(block.cores[key] for block in blocks) if blocks else None,
        busy=_find_busy(blocks) if arm == SERIAL else None,
        held=median(record.held[key]) if key in record.held else None,
        setup_s=median(record.setups_s[key]) if key in record.setups_s else None,
    )


def _find_busy(blocks: Sequence[Block]) -> float | None:
    both = [block.cores for block in blocks if block.cores.get(REFERENCE.key)]
    return median(cores[SERIAL.key] / cores[REFERENCE.key] for cores in both) if both else None


def _speedup(
    blocks: Sequence[Block], baseline: str, key: str, confidence: float
) -> Estimate | None:
    both = [b.seconds for b in blocks if baseline in b.seconds and key in b.seconds]
    if not both:
        return None
    return statistics.ratio([b[baseline] for b in both], [b[key] for b in both], confidence)


def _share_of_ceiling(blocks: Sequence[Block], arm: Arm, confidence: float) -> Estimate | None:
    keys = (SERIAL.key, arm.key, REFERENCE.key, arm_key("ceiling", arm.workers))
    whole = [block.seconds for block in blocks if all(key in block.seconds for key in keys)]
    if not whole:
        return None
    serial, ours, reference, ceiling = ([block[key] for block in whole] for key in keys)
    return statistics.ratio_of_ratios(serial, ours, reference, ceiling, confidence)


def _judge_null(record: Record, confidence: float) -> Control:
    speedup = _speedup(record.blocks, SERIAL.key, NULL.key, confidence)
    decided = speedup is not None and speedup.low is not None
    passed = statistics.null_ok(speedup) if speedup is not None and decided else None
    return Control(record.experiment.workload.name, 1, speedup, passed, expected=1.0)


def _judge_ceiling(record: Record, arm: Arm, confidence: float, capacity: float) -> Control:
    failure = record.failures.get(arm.key)
    speedup = _speedup(record.blocks, REFERENCE.key, arm.key, confidence)
    passed = None
    if speedup is not None:
        passed = statistics.ceiling_ok(speedup, arm.workers, capacity)
    return Control(
        record.experiment.workload.name,
        arm.workers,
        speedup,
        passed,
        expected=float(min(arm.workers, capacity)),
        reason=None if failure is None else failure.reason,
    )


def _find_doubt(null: Control, ceiling: Control | None, verdict: Verdict) -> str | None:
    """Say which control failed, None where the machine can be trusted."""
    if ceiling is not None and ceiling.reason is not None and verdict != "wins":
        return f"what this machine gives could not be measured: {ceiling.reason}"
    if null.passed is False and null.speedup is not None:
        return (
            f"two identical serial arms differ, {null.speedup.estimate:.2f}x "
            f"[{null.speedup.low:.2f}, {null.speedup.high:.2f}]"
        )
    if ceiling is not None and ceiling.passed is False and ceiling.speedup is not None:
        return f"the machine gave {ceiling.speedup.estimate:.2f} of {ceiling.expected:g} cores"
    return None
