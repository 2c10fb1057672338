"""What the meter says of threads without a GIL, beside what these threads say themselves.

On a free-threaded Python:

    python bench/meter_states.py --seconds 3 --rounds 3
"""

from __future__ import annotations

import argparse
import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator

from gillab.meter import GilMeter, Reading


class Program:
    """Threads that run until they are told to end, and count where their time went."""

    def __init__(self, *works: Callable[[Program], float]) -> None:
        self.over = False
        self.lock = threading.Lock()
        self.told: dict[str, float] = {}
        self.threads = [
            threading.Thread(target=self._run, args=[work], name=f"{work.__name__}-{number}")
            for number, work in enumerate(works)
        ]

    def _run(self, work: Callable[[Program], float]) -> None:
        begun = time.perf_counter()
        spent = work(self)
        self.told[threading.current_thread().name] = spent / (time.perf_counter() - begun)

    def measure(self, seconds: float) -> Reading:
        """Return what the meter read while they ran; what they say is in ``told``."""
        with GilMeter(profile=True) as meter:
            for thread in self.threads:
                thread.start()
            before = meter.read()
            time.sleep(seconds)
            reading = meter.read() - before
            self.over = True
            for thread in self.threads:
                thread.join()
        return reading


def guard(program: Program) -> float:
    """Sleep under a lock that others want: the time that it waited for the lock."""
    spent = 0.0
    while not program.over:
        begun = time.perf_counter()
        with program.lock:
            spent += time.perf_counter() - begun
            time.sleep(0.002)
    return spent


def collect(program: Program) -> float:
    """Collect garbage and sleep in turns: the time that others were stopped is theirs to tell."""
    while not program.over:
        gc.collect()
        time.sleep(0.01)
    return 0.0


def read_awake() -> float:
    """Return how long this thread had a CPU or was ready to run, in seconds (Linux)."""
    with open(f"/proc/self/task/{threading.get_native_id()}/schedstat") as file:
        return sum(map(int, file.read().split()[:2])) / 1e9


def watch(program: Program) -> float:
    """Count: the time that the system says it slept, which it never asked for."""
    begun, awake, steps = time.perf_counter(), read_awake(), 0
    while not program.over:
        steps += 1
    return time.perf_counter() - begun - (read_awake() - awake)


def sleep(program: Program) -> float:
    """Sleep: all of the time."""
    begun = time.perf_counter()
    while not program.over:
        time.sleep(0.01)
    return time.perf_counter() - begun


def compute(program: Program) -> float:
    """Count: all of the time."""
    begun = time.perf_counter()
    steps = 0
    while not program.over:
        steps += 1
    return time.perf_counter() - begun


CASES = (
    ("waiting", guard, (guard, guard)),
    ("waiting", guard, (guard, guard, guard, guard)),
    ("stopped", watch, (watch, collect)),
    ("detached", sleep, (sleep,)),
    ("attached", compute, (compute,)),
)


def compare(seconds: float, rounds: int) -> Iterator[str]:
    """Yield a row of a table for each case."""
    for state, asked, works in CASES:
        told, errors = [], []
        for _ in range(rounds):
            program = Program(*works)
            reading = program.measure(seconds)
            assert reading.states is not None, "this Python has a GIL, or its states are not told"
            for name, share in program.told.items():
                if name.startswith(asked.__name__):
                    rows = [r for r in reading.states if (r.thread, r.state) == (name, state)]
                    told.append(share)
                    errors.append(sum(row.share for row in rows) - share)
        names = ", ".join(work.__name__ for work in works)
        yield (
            f"| {names} | {state} | {statistics.mean(told):.1%} "
            f"| {100 * statistics.mean(errors):+.1f} | {100 * max(map(abs, errors)):.1f} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| threads | state | they say | error, points | the greatest |")
    print("|---|---|---:|---:|---:|")
    for row in compare(options.seconds, options.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
