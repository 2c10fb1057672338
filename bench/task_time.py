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
from functools import partial
from multiprocessing import get_context

from bench.blocks import Arm, measure_blocks
from bench.report import wrap
from gillab.kernels import countdown_nogil
from gillab.statistics import Estimate, ratio, ratio_of_ratios, verdict

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


def run_in(executor: Executor, steps: int) -> float:
    """Seconds of one task for each worker, all at once."""
    start = time.perf_counter_ns()
    wait([executor.submit(countdown_nogil, steps) for _ in range(WORKERS)])
    return (time.perf_counter_ns() - start) * 1e-9


def measure_task_times(rounds: int, generator: random.Random) -> dict[tuple[str, int], list[float]]:
    """Seconds by strategy and task time, one value a round.

    A round is one block for each task time, in a random order: the blocks stay short.
    """
    rate = measure_steps_a_ms()
    spawn = get_context("spawn")
    seconds: dict[tuple[str, int], list[float]] = {}
    with (
        ThreadPoolExecutor(WORKERS) as threads,
        ProcessPoolExecutor(WORKERS, mp_context=spawn) as processes,
    ):
        executors = {"threads": threads, "processes": processes}
        for executor in executors.values():
            run_in(executor, 100 * rate)  # long enough for both workers to start
        times = list(TASK_TIMES_MS)
        for _ in range(rounds):
            generator.shuffle(times)
            for task_time in times:
                steps = rate * task_time
                arms: dict[str, Arm] = {"serial": partial(run_serially, steps)}
                for name, executor in executors.items():
                    arms[name] = partial(run_in, executor, steps)
                for name, values in measure_blocks(arms, 1, generator, warm_up=False).items():
                    seconds.setdefault((name, task_time), []).extend(values)
    return seconds


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
    parser.add_argument("--fast", action="store_true", help="10 rounds in place of 40")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the blocks")
    options = parser.parse_args(arguments)
    rounds = 10 if options.fast else 40
    seconds = measure_task_times(rounds, random.Random(options.seed))
    print(
        f"Speedup over serial of {WORKERS} released loops, {rounds} paired blocks, "
        f"seed {options.seed}\n"
    )
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
