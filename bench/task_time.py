"""``python -m bench.task_time``: how long a task must be for its length not to matter.

Released C loops in two threads, and in two processes, against the same loops one after the other,
at task times that double. A short task ends before the scheduler has moved a woken worker to a
core of its own. The task time to use is the first from which on doubling no longer moves either
speedup: the interval of the change stays within 5 %.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from bench.blocks import Arm, measure_blocks
from bench.report import wrap
from gillab.blocks.noise import difference, is_quiet, read_counters
from gillab.estimates import Estimate
from gillab.kernels import countdown_nogil
from gillab.statistics import blocks_needed, ratio, ratio_of_ratios, verdict

TASK_TIMES_MS = (5, 10, 20, 40, 80, 160)
WORKERS = 2
CONFIDENCE = 0.95
STRATEGIES = ("threads", "processes")
ROW = "{:>9}  {:<22}{:<22}{}"


def measure_steps_a_ms() -> int:
    """Return the steps of the countdown in a millisecond, the median of some runs."""
    steps = 1 << 23
    rates = []
    for _ in range(21):
        start = time.perf_counter_ns()
        countdown_nogil(steps)
        rates.append(steps * 1e6 / (time.perf_counter_ns() - start))
    return int(sorted(rates)[len(rates) // 2])


def run_serially(steps: int) -> float:
    """Seconds of one task for each worker, one after the other."""
    start = time.perf_counter_ns()
    for _ in range(WORKERS):
        countdown_nogil(steps)
    return (time.perf_counter_ns() - start) * 1e-9


def count_down(steps: int) -> float:
    """Count down and return the CPU seconds it took, in whichever process this is."""
    start = time.thread_time_ns()
    countdown_nogil(steps)
    return (time.thread_time_ns() - start) * 1e-9


def run_in(executor: Executor, steps: int, cpu_s: list[float]) -> float:
    """Seconds of one task for each worker, all at once; their CPU seconds go to ``cpu_s``."""
    start = time.perf_counter_ns()
    tasks = [executor.submit(count_down, steps) for _ in range(WORKERS)]
    wait(tasks)
    elapsed_s = (time.perf_counter_ns() - start) * 1e-9
    cpu_s += [task.result() for task in tasks]
    return elapsed_s


Round = dict[tuple[str, int], float]
"""Seconds by strategy and task time."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Every round measured, and those of them in which nobody else used the machine."""

    every: list[Round]
    quiet: list[Round]


def measure_task_times(rounds: int, budget_s: float, generator: random.Random) -> Rounds:
    """Measure until so many rounds were quiet or the time is up.

    A round is one block for each task time, in a random order: the blocks stay short. Whether it
    was quiet is told by what others used of the machine, whatever the round showed.
    """
    rate = measure_steps_a_ms()
    spawn = get_context("spawn")
    taken = Rounds([], [])
    end = time.monotonic() + budget_s
    with (
        ThreadPoolExecutor(WORKERS) as threads,
        ProcessPoolExecutor(WORKERS, mp_context=spawn) as processes,
    ):
        executors: dict[str, Executor] = {"threads": threads, "processes": processes}
        for executor in executors.values():
            run_in(executor, 100 * rate, [])  # long enough for both workers to start
        times = list(TASK_TIMES_MS)
        while len(taken.quiet) < rounds and time.monotonic() < end:
            generator.shuffle(times)
            # Of the threads' CPU time this process knows; of the workers' only they do.
            cpu_s: dict[str, list[float]] = {name: [] for name in executors}
            before, own_cpu_s = read_counters(), time.process_time()
            measured: Round = {}
            for task_time in times:
                steps = rate * task_time
                arms: dict[str, Arm] = {"serial": partial(run_serially, steps)}
                for name, executor in executors.items():
                    arms[name] = partial(run_in, executor, steps, cpu_s[name])
                for name, values in measure_blocks(arms, 1, generator, warm_up=False).items():
                    measured[name, task_time] = values[0]
            own_cpu_s = time.process_time() - own_cpu_s + sum(cpu_s["processes"])
            taken.every.append(measured)
            if is_quiet(difference(before, read_counters(), own_cpu_s)):
                taken.quiet.append(measured)
    return taken


def format_estimate(estimate: Estimate) -> str:
    """Format an estimate and its interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.estimate:.3f}"
    return f"{estimate.estimate:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def find_settled(changes: dict[tuple[str, int], Estimate]) -> int | None:
    """Shortest task time, in ms, from which on no doubling moves a speedup."""
    settled = None
    for task_time in sorted({task_time for _, task_time in changes}, reverse=True):
        if any(verdict(changes[name, task_time]) != "same" for name in STRATEGIES):
            break
        settled = task_time
    return settled


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a line a task time, and say from which on it does not matter."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.task_time", description="how long a task must be"
    )
    parser.add_argument("--fast", action="store_true", help="10 quiet rounds in place of 40")
    parser.add_argument(
        "--time-budget", type=float, default=300.0, metavar="S", help="seconds, 300 unless told"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order within the blocks")
    options = parser.parse_args(arguments)
    rounds = 10 if options.fast else 40
    taken = measure_task_times(rounds, options.time_budget, random.Random(options.seed))
    busy = len(taken.quiet) < blocks_needed(CONFIDENCE)
    used = taken.every if busy else taken.quiet
    seconds = {key: [measured[key] for measured in used] for key in used[0]}
    heading = (
        f"Speedup over serial of {WORKERS} released loops, seed {options.seed}. Of "
        f"{len(taken.every)} rounds {len(taken.quiet)} were quiet; these are "
        f"{'all of them, for the machine was too busy' if busy else 'the quiet ones'}."
    )
    print("\n".join(wrap(heading, "")) + "\n")
    print(ROW.format("task time", *STRATEGIES, ""))
    for task_time in TASK_TIMES_MS:
        serial = seconds["serial", task_time]
        speedups = (
            format_estimate(ratio(serial, seconds[name, task_time], CONFIDENCE))
            for name in STRATEGIES
        )
        print(ROW.format(f"{task_time} ms", *speedups, "").rstrip())
    changes = {
        (name, task_time): ratio_of_ratios(
            seconds["serial", 2 * task_time],
            seconds[name, 2 * task_time],
            seconds["serial", task_time],
            seconds[name, task_time],
            CONFIDENCE,
        )
        for task_time in TASK_TIMES_MS[:-1]
        for name in STRATEGIES
    }
    print("\nWhat doubling the task time does to the speedup\n")
    print(ROW.format("from", *STRATEGIES, ""))
    for task_time in TASK_TIMES_MS[:-1]:
        both = [changes[name, task_time] for name in STRATEGIES]
        same = all(verdict(change) == "same" for change in both)
        print(
            ROW.format(
                f"{task_time} ms", *map(format_estimate, both), "the same" if same else ""
            ).rstrip()
        )
    settled = find_settled(changes)
    if settled is None:
        sentence = (
            f"No task time up to {TASK_TIMES_MS[-2]} ms settles it in this run: the machine was "
            "busy, or longer tasks are needed."
        )
    else:
        sentence = f"From {settled} ms on, doubling the task time moves neither by 5 %."
    print("\n" + "\n".join(wrap(sentence, "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
