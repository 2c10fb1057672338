"""``python -m bench.model_error``: what the model of the GIL predicts, beside what is measured.

Two threads run the countdown in bytecode, or ``countdown_mixed``, which holds the GIL for a known
part of each of its turns. The model is given the length of a turn, the part of it that is held,
and as many cores as the machine gave to two released loops in the same blocks (the ceiling). The
error is the predicted speedup over the measured one, less one.

A prediction for two cores can be tested only while there are two. So a block is short, and it
counts if nobody else used the machine meanwhile, whatever the block showed. ``--every`` counts all
blocks: on a busy machine the ceiling is low, and the prediction is for what was there.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.blocks import Arm, measure_blocks
from bench.report import wrap
from bench.task_time import measure_steps_a_ms
from gillab.blocks.noise import difference, is_quiet, read_counters
from gillab.environment import collect_machine, is_gil_enabled
from gillab.estimates import Estimate
from gillab.kernels import countdown_mixed, countdown_nogil, countdown_python
from gillab.model.predict import LEFT_OUT_SENTENCE, Prediction, predict
from gillab.model.simulation import HANDOVER_S
from gillab.model.task import Task
from gillab.report.figures import format_duration, format_interval
from gillab.statistics import blocks_needed, ratio

WORKERS = 2
CONFIDENCE = 0.95
TASK_MS = 20
"""What each thread does in an arm."""
GLANCE_S = 0.05
"""A block begins after so long without others."""
BYTECODE = "bytecode"
PROGRAMS: dict[str, tuple[float, float]] = {
    BYTECODE: (1.0, TASK_MS),
    **{f"{held:.0%} held, 0.4 ms": (held, 0.4) for held in (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0)},
    "50% held, 10 µs": (0.5, 0.01),
    "50% held, 40 µs": (0.5, 0.04),
    "50% held, 1 ms": (0.5, 1.0),
    "90% held, 40 µs": (0.9, 0.04),
}
"""The part of a turn that is held, and the length of a turn in ms, by what the program is called.
"""
ROW = "{:<18}{:>8}{:>8}  {:<18}{:<20}{:>7}"


@dataclass(slots=True)
class Blocks:
    """The seconds of every arm of a program in the quiet blocks, and how many there were in all."""

    quiet: dict[str, list[float]]
    every: int = 0

    @property
    def count(self) -> int:
        """How many blocks were quiet."""
        return len(next(iter(self.quiet.values())))


ARMS = ("serial", "threads", "loop", "ceiling")


def run_serially(call: Callable[[], int]) -> float:
    """Seconds of one call for each worker, one after the other."""
    start = time.perf_counter_ns()
    for _ in range(WORKERS):
        call()
    return (time.perf_counter_ns() - start) * 1e-9


def run_in(executor: ThreadPoolExecutor, call: Callable[[], int]) -> float:
    """Seconds of one call for each worker, all at once."""
    start = time.perf_counter_ns()
    wait([executor.submit(call) for _ in range(WORKERS)])
    return (time.perf_counter_ns() - start) * 1e-9


def make_call(name: str, steps_a_ms: int) -> Callable[[], int]:
    """Make what each worker does of a program."""
    held, turn_ms = PROGRAMS[name]
    if name == BYTECODE:
        start = time.perf_counter_ns()
        countdown_python(200_000)
        return partial(
            countdown_python, int(200_000e6 * TASK_MS / (time.perf_counter_ns() - start))
        )
    chunk = int(turn_ms * steps_a_ms)
    turns = round(TASK_MS / turn_ms)
    return partial(countdown_mixed, chunk * turns, 1 - held, chunk)


def measure(
    most: int, budget_s: float, generator: random.Random, *, every: bool
) -> dict[str, Blocks]:
    """Measure until each program has so many quiet blocks or the time is up.

    With ``every`` all blocks count as quiet.
    """
    steps_a_ms = measure_steps_a_ms()
    calls = {name: make_call(name, steps_a_ms) for name in PROGRAMS}
    loop = partial(countdown_nogil, TASK_MS * steps_a_ms)
    taken = {name: Blocks({arm: [] for arm in ARMS}) for name in PROGRAMS}
    end = time.monotonic() + budget_s
    with ThreadPoolExecutor(WORKERS) as threads:
        run_in(threads, loop)  # long enough for both workers to start
        while time.monotonic() < end:
            before = read_counters()
            time.sleep(GLANCE_S)
            if not every and not is_quiet(difference(before, read_counters(), 0.0)):
                continue
            open_ = [name for name in PROGRAMS if taken[name].count < most]
            if not open_:
                break
            name = min(open_, key=lambda each: (taken[each].count, generator.random()))
            arms: dict[str, Arm] = {
                "serial": partial(run_serially, calls[name]),
                "threads": partial(run_in, threads, calls[name]),
                "loop": partial(run_serially, loop),
                "ceiling": partial(run_in, threads, loop),
            }
            before, own_cpu_s = read_counters(), time.process_time()
            block = measure_blocks(arms, 1, generator, warm_up=False)
            own_cpu_s = time.process_time() - own_cpu_s
            taken[name].every += 1
            if every or is_quiet(difference(before, read_counters(), own_cpu_s)):
                for arm, values in block.items():
                    taken[name].quiet[arm] += values
    return taken


@dataclass(frozen=True, slots=True)
class Row:
    """One program, predicted and measured."""

    name: str
    turn_s: float
    prediction: Prediction
    measured: Estimate

    @property
    def error(self) -> float:
        """The predicted speedup over the measured one, less one."""
        return self.prediction.expected / self.measured.estimate - 1

    @property
    def agrees(self) -> bool:
        """Whether the prediction lies in the interval of what was measured."""
        low, high = self.measured.low, self.measured.high
        return low is not None and high is not None and low <= self.prediction.expected <= high


def make_row(name: str, blocks: Blocks, handover_s: float) -> Row:
    """Predict a program from its serial arm and the ceiling, and hold it against its threads."""
    seconds = blocks.quiet
    held, turn_ms = PROGRAMS[name]
    turn_s = median(seconds["serial"]) / WORKERS / round(TASK_MS / turn_ms)
    prediction = predict(
        Task(held * turn_s, (1 - held) * turn_s, interruptible=name == BYTECODE),
        WORKERS,
        ratio(seconds["loop"], seconds["ceiling"], CONFIDENCE).estimate,
        shares_gil=is_gil_enabled(),
        switch_interval_s=sys.getswitchinterval(),
        handover_s=handover_s,
    )
    return Row(name, turn_s, prediction, ratio(seconds["serial"], seconds["threads"], CONFIDENCE))


def describe(row: Row, blocks: Blocks) -> str:
    """Write a row of the table."""
    prediction = row.prediction
    return ROW.format(
        row.name,
        f"{blocks.count}/{blocks.every}",
        f"{prediction.cores:.2f}",
        f"{prediction.expected:.2f} ({prediction.low:.2f}–{prediction.high:.2f})",
        format_interval(row.measured),
        f"{row.error:+.1%}",
    )


def summarize(rows: Sequence[Row]) -> str:
    """Say how far the model is off."""
    if not rows:
        return "The machine was too busy to tell how far the model is off."
    errors = [abs(row.error) for row in rows]
    return (
        f"The model is off by {median(errors):.1%} at the median and {max(errors):.1%} at most; "
        f"{sum(row.agrees for row in rows)} of {len(rows)} predictions lie in the interval "
        "measured. The machine gave "
        f"{median(row.prediction.cores for row in rows):.2f} cores; the nearer to one, the less "
        "this tests."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a line a program, and say how far the model is off."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.model_error", description="the model of the GIL against measurements"
    )
    parser.add_argument("--fast", action="store_true", help="12 quiet blocks in place of 40")
    parser.add_argument(
        "--time-budget", type=float, default=300.0, metavar="S", help="seconds, 300 unless told"
    )
    parser.add_argument(
        "--handover", type=float, default=HANDOVER_S * 1e6, metavar="US", help="of the lock, in µs"
    )
    parser.add_argument("--every", action="store_true", help="count every block, quiet or not")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the blocks")
    options = parser.parse_args(arguments)
    taken = measure(
        12 if options.fast else 40,
        options.time_budget,
        random.Random(options.seed),
        every=options.every,
    )
    machine = collect_machine()
    heading = (
        f"Speedup of {WORKERS} threads over one. Python "
        f"{'.'.join(map(str, sys.version_info[:3]))}, {machine['cpus_usable']} CPUs, "
        f"{machine['cpu_model']}, seed {options.seed}; a hand-over takes "
        f"{format_duration(options.handover * 1e-6, 2)}. "
        f"In brackets the bounds, and the {CONFIDENCE:.0%} interval."
    )
    print("\n".join(wrap(heading, "")) + "\n")
    print(ROW.format("program", "blocks", "cores", "predicted", "measured", "error"))
    rows = []
    for name, blocks in taken.items():
        if blocks.count < blocks_needed(CONFIDENCE):
            print(ROW.format(name, f"{blocks.count}/{blocks.every}", "", "", "", "busy"))
            continue
        row = make_row(name, blocks, options.handover * 1e-6)
        rows.append(row)
        print(describe(row, blocks))
    print("\n" + "\n".join(wrap(f"{summarize(rows)} {LEFT_OUT_SENTENCE}", "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
