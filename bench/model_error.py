"""``python -m bench.model_error``: what the model of the GIL predicts, beside what is measured.

Threads run ``countdown_mixed``, which holds the GIL for a known part of every turn, and the
countdown in bytecode. The model is given the time of a turn, the part of it that the meter saw
held, and as many cores as the machine gave to the same number of processes in the same blocks (the
ceiling). The error is the predicted speedup over the measured one, less one. Where other programs
took the cores, there was no second core to be predicted for: such a row is shown and not counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.report import wrap
from gillab.compare import compare
from gillab.environment import collect_machine, is_gil_enabled
from gillab.errors import UsageError
from gillab.model.predict import LEFT_OUT_SENTENCE, Prediction, predict
from gillab.model.simulation import HANDOVER_S, SWITCH_INTERVAL_S
from gillab.model.task import Task
from gillab.report.figures import format_duration, format_interval, format_percent
from gillab.results import Cell, Result

STEPS = 60_000_000
"""In one call; every turn below is a whole part of it."""
ROW = "{:<22}{:>8}  {:>5}  {:>5}  {:<16}{:<20}{:>6}"


@dataclass(frozen=True, slots=True)
class Program:
    """A workload whose way with the lock is known."""

    name: str
    workload: str
    turns: int
    """How often a call holds the lock and releases it."""
    interruptible: bool = False


def make_mixed(released: float, chunk: int) -> Program:
    """Make a program that releases this part of every turn of so many steps."""
    turns = STEPS // chunk
    name = f"{format_percent(released)} released, {chunk / 1e6:g} M"
    return Program(name, f"countdown_mixed({STEPS}, {released}, {chunk})", turns)


PROGRAMS = (
    Program("bytecode", "countdown_python(200_000)", 1, interruptible=True),
    *(make_mixed(released, 1_000_000) for released in (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)),
    *(make_mixed(0.5, chunk) for chunk in (100_000, 10_000_000, 60_000_000)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One program, predicted and measured."""

    program: Program
    turn_s: float
    held: float
    prediction: Prediction
    measured: Cell
    busy: bool
    """Whether the machine did not give its cores."""

    @property
    def error(self) -> float:
        """The predicted speedup over the measured one, less one."""
        assert self.measured.speedup is not None
        return self.prediction.expected / self.measured.speedup.estimate - 1

    @property
    def agrees(self) -> bool:
        """Whether the prediction lies in the interval of what was measured."""
        speedup = self.measured.speedup
        if speedup is None or speedup.low is None or speedup.high is None:
            return False
        return speedup.low <= self.prediction.expected <= speedup.high


def measure(workers: int, budget_s: float, seed: int | None) -> Result:
    """Measure all programs in one run of gillab."""
    return compare(
        *(program.workload for program in PROGRAMS),
        setup="from gillab.kernels import countdown_mixed, countdown_python",
        strategies=("serial", "threads"),
        workers=workers,
        time_budget_s=budget_s,
        seed=seed,
    )


def read_row(
    program: Program, result: Result, workers: int, switch_interval_s: float, handover_s: float
) -> Row | str:
    """Return the row of a program, or why there is none."""
    cells = {c.strategy: c for c in result.cells if c.workload == program.workload}
    serial, threads = cells["serial"], cells["threads"]
    ceilings = [each for each in result.ceiling if each.workload == program.workload]
    if serial.seconds is None or threads.speedup is None:
        return f"{program.name}: not measured; {serial.reason or threads.reason}"
    if serial.held is None:
        return f"{program.name}: no prediction, for the GIL's state was not read."
    cores = [each.speedup.estimate for each in ceilings if each.speedup is not None]
    busy = not all(each.passed for each in ceilings)
    steps = next(block["steps"] for block in result.blocks if block["workload"] == program.workload)
    turn_s = serial.seconds.median / steps / program.turns
    task = Task(
        serial.held * turn_s,
        (1 - serial.held) * turn_s,
        interruptible=program.interruptible,
    )
    prediction = predict(
        task,
        workers,
        cores[0] if cores else workers,
        shares_gil=is_gil_enabled(),
        switch_interval_s=switch_interval_s,
        handover_s=handover_s,
    )
    return Row(program, turn_s, serial.held, prediction, threads, busy)


def describe(row: Row) -> str:
    """Write a row of the table."""
    prediction = row.prediction
    assert row.measured.speedup is not None
    return ROW.format(
        row.program.name,
        format_duration(row.turn_s),
        format_percent(row.held),
        f"{prediction.cores:.2f}",
        f"{prediction.expected:.2f} ({prediction.low:.2f}–{prediction.high:.2f})",
        format_interval(row.measured.speedup),
        "busy" if row.busy else f"{row.error:+.1%}",
    )


def summarize(rows: Sequence[Row]) -> str:
    """Say how far the model is off."""
    counted = [row for row in rows if not row.busy]
    if not counted:
        return "The machine was too busy to tell how far the model is off."
    errors = [abs(row.error) for row in counted]
    return (
        f"The model is off by {median(errors):.1%} at the median and {max(errors):.1%} at most; "
        f"{sum(row.agrees for row in counted)} of {len(counted)} predictions lie in the interval "
        "measured."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a line a program, and say how far the model is off."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.model_error", description="the model of the GIL against measurements"
    )
    parser.add_argument("-j", "--workers", type=int, default=2, help="threads; default: 2")
    parser.add_argument(
        "--time-budget", type=float, default=120.0, metavar="S", help="seconds, 120 unless told"
    )
    parser.add_argument(
        "--handover", type=float, default=HANDOVER_S * 1e6, metavar="US", help="in µs"
    )
    parser.add_argument("--seed", type=int, help="of the order within the blocks")
    options = parser.parse_args(arguments)
    try:
        result = measure(options.workers, options.time_budget, options.seed)
    except UsageError as error:
        parser.error(str(error))
    machine = collect_machine()
    heading = (
        f"Speedup of {options.workers} threads over one. Python "
        f"{'.'.join(map(str, sys.version_info[:3]))}, {machine['cpus_usable']} CPUs, "
        f"{machine['cpu_model']}, seed {result.seed}; a hand-over takes {options.handover:g} µs. "
        "In brackets the bounds, and the interval."
    )
    print("\n".join(wrap(heading, "")) + "\n")
    print(ROW.format("program", "turn", "held", "cores", "predicted", "measured", "error"))
    rows = []
    for program in PROGRAMS:
        row = read_row(program, result, options.workers, SWITCH_INTERVAL_S, options.handover * 1e-6)
        if isinstance(row, str):
            print(row)
        else:
            rows.append(row)
            print(describe(row), flush=True)
    print("\n" + "\n".join(wrap(f"{summarize(rows)} {LEFT_OUT_SENTENCE}", "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
