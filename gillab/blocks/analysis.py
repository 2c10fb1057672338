"""Turns the records of a run into cells, controls and choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from gillab import statistics
from gillab.blocks.choices import choose, choose_elsewhere, find_key
from gillab.blocks.doubts import describe_doubt, describe_one_core, find_doubt, find_failed
from gillab.blocks.evidence import (
    ALL_OF_IT,
    ONE_CORE,
    Machine,
    computes,
    explain_no_gain,
    find_shortfall,
    is_told_while_open,
    keeps_one_core,
    prove_no_gain,
)
from gillab.blocks.messages import Counters, Held
from gillab.blocks.noise import is_quiet
from gillab.blocks.parts import fit_parts
from gillab.blocks.plan import NULL, REFERENCE, SERIAL, Arm
from gillab.blocks.record import Block, Record
from gillab.blocks.thinning import judge_by_range
from gillab.estimates import Estimate
from gillab.results import (
    OUT_OF_TIME,
    Cell,
    Choice,
    Control,
    Noise,
    Parts,
    Status,
    Verdict,
    arm_key,
)


class Analysis(NamedTuple):
    """Everything that is concluded from a run's records."""

    cells: list[Cell]
    null: list[Control]
    ceiling: list[Control]
    choices: list[Choice]
    noise: Noise


def analyze(
    records: Sequence[Record],
    confidence: float,
    machine: Machine,
    python: str = "",
    *,
    interrupted: bool = False,
) -> Analysis:
    """Draw the conclusions, with the confidence corrected for their number.

    If something was not measured, the run was ``interrupted``, or else there was no time for it.
    """
    ended = "interrupted" if interrupted else OUT_OF_TIME
    cells: list[Cell] = []
    nulls: list[Control] = []
    ceilings: list[Control] = []
    choices: list[Choice] = []
    for record in records:
        both, null, ours = judge(record, records, confidence, machine, python, ended)
        paired = _correct_pairs(record, records, confidence)
        own, others = (
            _compare_winners(
                [cell for cell in both if bool(cell.interpreter) == other], record, paired
            )
            for other in (False, True)
        )
        own = _compare_data(own, record, paired)
        others = _compare_data(_compare_within(others, record, paired), record, paired)
        if own:  # else nothing ran here
            choice = replace(choose(own, machine), doubts=find_failed(null, ours))
            chosen = find_key(choice) or SERIAL.key
            ratios = {
                cell.key: ratio
                for cell in others
                if (ratio := _ratio(record.blocks, chosen, cell.key, paired)) is not None
            }
            choices.append(replace(choice, elsewhere=choose_elsewhere(others, ratios)))
        nulls.append(null)
        ceilings += ours
        cells += [*own, *others]
    return Analysis(cells, nulls, ceilings, choices, summarize_noise(records))


def judge(
    record: Record,
    records: Sequence[Record],
    confidence: float,
    machine: Machine,
    python: str = "",
    ended: str = OUT_OF_TIME,
) -> tuple[list[Cell], Control, list[Control]]:
    """Return the cells of one workload with their verdicts, and its controls."""
    corrected = correct(record, records, confidence)
    null = _judge_null(record, corrected)
    ceilings = {
        arm.workers: _judge_ceiling(record, arm, corrected, machine)
        for arm in record.experiment.arms
        if arm.role == "ceiling"
    }
    serials: dict[str, Cell] = {}
    cells = []
    for arm in record.experiment.cells:
        cell = _describe_cell(record, arm, corrected, python, ended)
        if arm.scheduler and arm.chunksize is not None:
            # Nobody told the CPU time of a job's workers, which are no children of its launch.
            cell = replace(cell, cores=None)
        serial = serials.get(arm.interpreter)
        if _is_serial(arm):
            serials[arm.interpreter] = cell
        if arm == SERIAL:
            pass
        elif arm.interpreter:
            if cell.speedup is not None:
                ceiling = None if serial is None else ceilings.get(arm.workers)
                inside = machine.look_inside(arm.interpreter)
                cell = _decide_elsewhere(cell, serial, null, ceiling, inside)
        elif cell.status == "ok" and _runs_seldom(record, cell):
            # What two serial arms differ by is within the range that this rule asks for.
            verdict = judge_by_range(record.blocks, arm.key)
            cause = explain_no_gain(cell, serial, machine)
            cell = replace(cell, verdict=verdict, cause=cause)
        elif cell.speedup is not None:
            if arm.scheduler:  # what this machine gives limits nothing elsewhere
                cell = replace(cell, of_ceiling=None)
                cell = _decide(cell, serial, null, None, replace(machine, capacity=None))
            else:
                cell = _decide(cell, serial, null, ceilings.get(arm.workers), machine)
        cells.append(cell)
    return cells, null, list(ceilings.values())


def _runs_seldom(record: Record, cell: Cell) -> bool:
    """Whether an arm ran in too few blocks for an interval, where a run lets such go."""
    few = cell.speedup is not None and cell.speedup.low is None
    return cell.key in record.slow or (record.thinned and few)


def _decide(
    cell: Cell, serial: Cell | None, null: Control, ceiling: Control | None, machine: Machine
) -> Cell:
    """Give a cell its verdict, and what follows from it."""
    speedup = cell.speedup
    assert speedup is not None
    # In a few blocks other programs may take a core from one arm alone.
    given = None if ceiling is None or speedup.low is None else ceiling.cores
    # Work that waits has no ceiling: it may gain more than the CPUs can give.
    if not computes(serial) or (cell.of_ceiling and cell.of_ceiling.estimate > ALL_OF_IT):
        ceiling = None
        cell = replace(cell, of_ceiling=None)
    if ceiling is not None and ceiling.passed is False:
        cell = replace(cell, of_ceiling=None)
    if cell.cores and serial is not None and serial.cores:
        cell = replace(cell, cpu_cost=cell.cores / (speedup.estimate * serial.cores))
    verdict: Verdict = statistics.verdict(speedup)
    proof = prove_no_gain(cell, serial, machine, given)
    if proof is not None and verdict in ("wins", "inconclusive"):
        verdict = "no_gain"
        cell = replace(cell, proved_by=proof)
    rests_on = None if proof is not None else ceiling
    doubt = find_doubt(null, rests_on, verdict)
    if doubt is not None:
        reason = describe_doubt(doubt, null, rests_on)
        return replace(cell, verdict="withheld", reason=reason, proved_by=None)
    if verdict == "wins" and keeps_one_core(cell, serial):
        return replace(cell, verdict="withheld", reason=describe_one_core(cell))
    cell = replace(cell, verdict=verdict)
    if verdict == "wins":
        return replace(cell, shortfall=find_shortfall(cell, machine))
    cause = proof or explain_no_gain(cell, serial, machine)
    if verdict == "inconclusive":
        return replace(cell, cause=cause if is_told_while_open(cause, cell, given) else None)
    # If the machine gave only one core, it says nothing that one core was busy.
    missing = cause in ONE_CORE and ceiling is not None and ceiling.passed is False
    return replace(cell, cause=None if missing else cause)


def _decide_elsewhere(
    cell: Cell, serial: Cell | None, null: Control, ceiling: Control | None, machine: Machine
) -> Cell:
    """Give a cell of another interpreter its verdict: whether it beats serial in this one.

    What keeps workers from gaining tells how they compare with the ``serial`` arm there. The other
    interpreter may be the faster one all the same, so it proves no verdict.
    """
    speedup = cell.speedup
    assert speedup is not None
    verdict: Verdict = statistics.verdict(speedup)
    doubt = find_doubt(null, ceiling, verdict)
    if doubt is not None:
        return replace(cell, verdict="withheld", reason=describe_doubt(doubt, null, ceiling))
    cause = None if serial is None or verdict == "wins" else explain_no_gain(cell, serial, machine)
    return replace(cell, verdict=verdict, cause=cause)


def correct(record: Record, records: Sequence[Record], confidence: float) -> float:
    """Return the confidence for one comparison of ``record``, so that all hold together.

    The correction counts each cell that is compared, each second serial arm, and the looks at which
    the run might have ended.
    """
    comparisons = sum(
        arm.key not in each.failures
        for each in records
        for arm in (*each.experiment.cells, NULL)
        if arm != SERIAL
    )
    return _allow_for_looks(record, confidence, comparisons)


def _correct_pairs(record: Record, records: Sequence[Record], confidence: float) -> float:
    """Return the confidence for comparing two cells with each other, whichever they are.

    Which pairs will be compared is known only afterwards, so every pair counts.
    """
    pairs = sum(math.comb(len(_find_compared(each)), 2) for each in records)
    return _allow_for_looks(record, confidence, pairs)


def _allow_for_looks(record: Record, confidence: float, comparisons: int) -> float:
    sure = statistics.confidence_at(confidence, len(record.blocks), last=not record.settled)
    return statistics.corrected_confidence(sure, max(1, comparisons))


def _compare_winners(cells: list[Cell], record: Record, confidence: float) -> list[Cell]:
    """Compare the winners with the fastest one, block by block.

    Their speedups are not compared: the noise of the serial arm is in the intervals of both.
    """
    winners = [cell for cell in cells if cell.verdict == "wins"]
    if not winners:
        return cells
    fastest = max(winners, key=lambda cell: cell.speedup.estimate if cell.speedup else 0.0)
    key = fastest.key
    return [
        replace(
            cell,
            of_fastest=_ratio(record.blocks, key, cell.key, confidence),
        )
        if cell in winners
        else cell
        for cell in cells
    ]


def _compare_data(cells: list[Cell], record: Record, confidence: float) -> list[Cell]:
    """Compare each arm with data of its own with the same arm with shared data, block by block."""
    return [
        replace(
            cell,
            of_shared=_ratio(
                record.blocks,
                arm_key(cell.strategy, cell.workers, interpreter=cell.interpreter),
                cell.key,
                confidence,
            ),
        )
        if cell.data == "own" and cell.status == "ok"
        else cell
        for cell in cells
    ]


def _compare_within(cells: list[Cell], record: Record, confidence: float) -> list[Cell]:
    """Compare each arm of another interpreter with the serial arm there, block by block."""
    return [
        replace(
            cell,
            of_own_serial=_ratio(
                record.blocks,
                replace(SERIAL, interpreter=cell.interpreter).key,
                cell.key,
                confidence,
            ),
        )
        if cell.strategy != SERIAL.strategy and cell.status == "ok"
        else cell
        for cell in cells
    ]


def _find_compared(record: Record) -> list[str]:
    return [key for key in record.open_cells if key != SERIAL.key and key not in record.slow]


def find_widest(record: Record, confidence: float) -> float:
    """Return the relative half-width of the widest interval among the record's cells."""
    return max(
        (
            statistics.relative_half_width(estimate)
            if (estimate := _speedup(record.blocks, key, confidence))
            else float("inf")
            for key in _find_compared(record)
        ),
        default=0.0,
    )


def summarize_noise(records: Sequence[Record]) -> Noise:
    """Return what the machine did over all blocks."""
    blocks = [block for record in records for block in record.blocks]
    return summarize_counters([block.noise for block in blocks if block.noise], len(blocks))


def summarize_counters(noises: Sequence[Counters], blocks: int) -> Noise:
    """Return what the machine did, by what was read around all or some of so many blocks."""

    def over(name: str, summarize: Callable[[list[float]], float]) -> float | None:
        values = [noise[name] for noise in noises if name in noise]
        return summarize(values) if values else None

    slowest, fastest = over("mhz", min), over("mhz", max)
    switches = over("switches", sum)
    return Noise(
        blocks=blocks,
        quiet_blocks=sum(is_quiet(noise) for noise in noises),
        other_cores=over("other_cores", median),
        other_cores_max=over("other_cores", max),
        steal=over("steal", median),
        pressure=over("pressure", median),
        throttled_s=over("throttled_s", sum),
        involuntary_switches=None if switches is None else int(switches),
        frequency_mhz=None if slowest is None or fastest is None else (slowest, fastest),
        idle_cores=over("idle_cores", median),
    )


def _describe_cell(record: Record, arm: Arm, confidence: float, python: str, ended: str) -> Cell:
    key = arm.key
    blocks = [block for block in record.blocks if key in block.seconds]
    status: Status = "ok"
    reason: str | None = None
    if key in record.failures:
        status, reason, _ = record.failures[key]
    elif not blocks:
        status, reason = "unavailable", f"{ended} before it was measured"
        # It is not known whether it ever would have.
        if key in record.cut:
            cut_s = float(f"{record.cut[key]:.2g}")
            reason = f"had not returned after {cut_s:g} s, when {OUT_OF_TIME}"
    quiet = [block for block in record.blocks if block.noise and is_quiet(block.noise)]
    compared = status == "ok" and arm != SERIAL
    held = record.held.get(key, ())
    return Cell(
        workload=record.experiment.workload.name,
        strategy=arm.strategy,
        workers=arm.workers,
        python=python,
        data=arm.data,
        chunksize=arm.chunksize,
        variant=arm.variant,
        interpreter=arm.interpreter,
        parts=_summarize_parts(record, key, blocks),
        results_equal=_compare_results(record, key),
        status=status,
        reason=reason,
        notes=_list_notes(record, arm),
        blocks=len(blocks),
        seconds=statistics.describe([b.seconds[key] for b in blocks]) if blocks else None,
        speedup=_speedup(record.blocks, key, confidence) if compared else None,
        speedup_later=_speedup(record.blocks, key, confidence, later=True) if compared else None,
        speedup_quiet=_speedup(quiet, key, confidence) if compared else None,
        of_ceiling=_share_of_ceiling(record.blocks, arm, confidence)
        if compared and not arm.interpreter
        else None,
        cores=median(block.cores[key] for block in blocks) if blocks else None,
        busy=_find_busy(blocks, key) if _is_serial(arm) else None,
        idle_cores=_find_idle(blocks) if arm == SERIAL else None,
        held=median(each.held for each in held) if held else None,
        held_interval=_summarize_held(held) if held else None,
        setup_s=median(record.setups_s[key]) if key in record.setups_s else None,
    )


def _is_serial(arm: Arm) -> bool:
    """Whether it is the serial arm of its interpreter."""
    return replace(arm, interpreter="") == SERIAL


def _list_notes(record: Record, arm: Arm) -> tuple[str, ...]:
    if _is_serial(arm):
        other = record.notes_elsewhere.get(arm.interpreter, ())
        return tuple(other if arm.interpreter else record.notes)
    traces = record.traces.get(arm.key, ())
    return tuple(dict.fromkeys(each.difference for each in traces if each.difference))


def _compare_results(record: Record, key: str) -> bool | None:
    traces = record.traces.get(key)
    return all(each.difference is None for each in traces) if traces else None


def _summarize_parts(record: Record, key: str, blocks: Sequence[Block]) -> Parts | None:
    traces = [trace for trace in record.traces.get(key, ()) if trace.parts]
    if not traces or not blocks:
        return None
    return fit_parts(traces, median(block.seconds[key] for block in blocks))


def _find_busy(blocks: Sequence[Block], key: str) -> float | None:
    both = [block.cores for block in blocks if block.cores.get(REFERENCE.key)]
    return median(cores[key] / cores[REFERENCE.key] for cores in both) if both else None


def _pair(blocks: Sequence[Block], key: str) -> tuple[list[float], list[float]]:
    """Return the times of the baseline and of the arm in the blocks that have both.

    The baseline is both serial arms together, unless the arm is the second of them.
    """
    serials = (SERIAL.key,) if key == NULL.key else (SERIAL.key, NULL.key)
    both = [b.seconds for b in blocks if key in b.seconds and all(s in b.seconds for s in serials)]
    baselines = [[seconds[serial] for seconds in both] for serial in serials]
    return statistics.pool_baselines(*baselines), [seconds[key] for seconds in both]


def _speedup(
    blocks: Sequence[Block], key: str, confidence: float, *, later: bool = False
) -> Estimate | None:
    baseline, arm = _pair(blocks, key)
    ratio = statistics.ratio_later if later else statistics.ratio
    return ratio(baseline, arm, confidence) if arm else None


def _ratio(blocks: Sequence[Block], baseline: str, key: str, confidence: float) -> Estimate | None:
    both = [b.seconds for b in blocks if baseline in b.seconds and key in b.seconds]
    if not both:
        return None
    return statistics.ratio([b[baseline] for b in both], [b[key] for b in both], confidence)


def _share_of_ceiling(blocks: Sequence[Block], arm: Arm, confidence: float) -> Estimate | None:
    keys = (REFERENCE.key, arm_key("ceiling", arm.workers))
    whole = [block for block in blocks if all(key in block.seconds for key in keys)]
    whole = [block for block in whole if NULL.key in block.seconds and SERIAL.key in block.seconds]
    baseline, ours = _pair(whole, arm.key)
    if not ours:
        return None
    whole = [block for block in whole if arm.key in block.seconds]
    reference, ceiling = ([block.seconds[key] for block in whole] for key in keys)
    return statistics.ratio_of_ratios(baseline, ours, reference, ceiling, confidence)


def _find_idle(blocks: Sequence[Block]) -> float | None:
    idle = [block.noise["idle_cores"] for block in blocks if "idle_cores" in block.noise]
    return median(idle) if idle else None


def _summarize_held(held: Sequence[Held]) -> tuple[float, float]:
    return median(each.low for each in held), median(each.high for each in held)


def _judge_null(record: Record, confidence: float) -> Control:
    speedup = _speedup(record.blocks, NULL.key, confidence)
    decided = speedup is not None and speedup.low is not None
    passed = statistics.null_ok(speedup) if speedup is not None and decided else None
    cores = _find_cores(record, NULL.key)
    return Control(record.experiment.workload.name, 1, speedup, passed, expected=1.0, cores=cores)


def _find_cores(record: Record, key: str) -> float | None:
    cores = [block.cores[key] for block in record.blocks if key in block.cores]
    return median(cores) if cores else None


def _judge_ceiling(record: Record, arm: Arm, confidence: float, machine: Machine) -> Control:
    failure = record.failures.get(arm.key)
    speedup = _ratio(record.blocks, REFERENCE.key, arm.key, confidence)
    capacity = float(arm.workers) if machine.capacity is None else machine.capacity
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
        cores=_find_cores(record, arm.key),
    )
