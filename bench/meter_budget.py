"""What a meter with a budget costs, and which holds it finds.

    python bench/meter_budget.py [--budget 0.5] [--seconds 20] [--holds 40]

The first table has the CPU time of the sampling thread, from the start on, in percent of a CPU,
beside an idle program, beside one of several busy threads and beside one whose threads let go of
the lock every millisecond; ``taskset -c 0`` before the command leaves them one CPU. The second has
how many single holds of a known length were seen at all, and how long they read.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable

from gillab.kernels import countdown_held, countdown_mixed
from gillab.meter import GilMeter, Reading

THREADS = 4
HOLDS_S = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3)


def compute_rate() -> float:
    """Return the steps of a kernel a second."""
    steps = 20_000_000
    begun = time.perf_counter()
    countdown_held(steps)
    return steps / (time.perf_counter() - begun)


def run_threads(work: Callable[[], object], seconds: float) -> None:
    """Repeat the work in several threads for so long."""
    until = time.perf_counter() + seconds

    def repeat() -> None:
        while time.perf_counter() < until:
            work()

    threads = [threading.Thread(target=repeat) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def describe(reading: Reading) -> str:
    """Return the cells of a row."""
    low, high = reading.held_interval
    return (
        f"{reading.cost:.3%} | {reading.interval_s * 1e3:.2f} ms | {reading.missed} | "
        f"{reading.held:.1%} [{low:.1%}, {high:.1%}]"
    )


def print_costs(budget: float, seconds: float, rate: float) -> None:
    """Print what the meter costs beside each program."""
    step = int(rate * 1e-3)
    programs: dict[str, Callable[[], None]] = {
        "idle": lambda: time.sleep(seconds),
        f"{THREADS} busy threads": lambda: run_threads(lambda: sum(range(10_000)), seconds),
        f"{THREADS} threads that let go": lambda: run_threads(
            lambda: countdown_mixed(20 * step, 0.5, 2 * step), seconds
        ),
    }
    print("| program | CPU of the sampler | a sample in | missed | GIL held |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, program in programs.items():
        with GilMeter(budget=budget) as meter:
            program()
            print(f"| {name} | {describe(meter.read())} |", flush=True)


def print_holds(budget: float, holds: int, rate: float) -> None:
    """Print how many holds of each length were seen, once the meter has found its interval."""
    order = random.Random(1)
    cells = [hold_s for hold_s in HOLDS_S for _ in range(holds)]
    order.shuffle(cells)
    read: dict[float, list[float]] = {hold_s: [] for hold_s in HOLDS_S}
    true: dict[float, list[float]] = {hold_s: [] for hold_s in HOLDS_S}
    with GilMeter(budget=budget) as meter:
        time.sleep(5)
        start = meter.read()
        for hold_s in cells:
            time.sleep(0.03 + 0.02 * order.random())
            before = meter.read()
            begun = time.perf_counter()
            countdown_held(int(rate * hold_s))
            true[hold_s].append(time.perf_counter() - begun)
            rate *= hold_s / true[hold_s][-1]  # a CPU's speed changes
            time.sleep(0.03)
            read[hold_s].append((meter.read() - before).longest_hold_s)
        interval_s = (meter.read() - start).interval_s
    print(f"\nSingle holds, with a sample in {interval_s * 1e3:.2f} ms:\n")
    print("| hold | seen | lasted | read |")
    print("| ---: | ---: | ---: | ---: |")
    for hold_s in HOLDS_S:
        seen = [length for length in read[hold_s] if length > 0]
        lasted = statistics.median(true[hold_s])
        length = f"{statistics.median(seen) * 1e3:.1f} ms" if seen else ""
        print(
            f"| {hold_s * 1e3:.0f} ms | {len(seen)} of {holds} | {lasted * 1e3:.1f} ms | {length} |"
        )


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=0.5, help="in percent of a CPU")
    parser.add_argument("--seconds", type=float, default=20.0, help="that each program runs")
    parser.add_argument("--holds", type=int, default=40, help="of each length; 0: no second table")
    options = parser.parse_args()
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    print(
        f"A budget of {options.budget:g} % of a CPU, {options.seconds:g} s each; "
        f"CPython {platform.python_version()}, {usable} CPUs.\n"
    )
    rate = compute_rate()
    print_costs(options.budget / 100, options.seconds, rate)
    if options.holds:
        print_holds(options.budget / 100, options.holds, rate)


if __name__ == "__main__":
    main()
