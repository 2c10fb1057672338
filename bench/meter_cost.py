"""What GIL meters cost a pure Python loop, and a processor.

    python bench/meter_cost.py [--blocks 200] [--seconds 0.1] [--meters gillab,py-spy]
    python bench/meter_cost.py --intervals 10,30,100,300,1000,10000,100000 --seconds 0.3

The second command compares gillab's meter at several intervals, in µs; ``taskset -c 0`` before it
takes the free CPU away.

Every block runs the same pure Python loop once alone, once more alone (the control: it must cost
nothing) and once under each meter, in a random order. The table has exp(median of ln(time under the
meter / time alone)) less one, in percent, with the order-statistic interval of at least 95 %, and
the processor time that the process used beside the loop's, in percent of one processor.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.from_outside import NAME, looked_at
from gillab.kernels import countdown_python
from gillab.meter import GilMeter
from gillab.statistics import ratio

CONTROL = "alone again"
INTERVAL_UNIT = " µs"
METERS = ("gillab", "gillab knocking", NAME, "gilknocker", "py-spy")


@contextmanager
def metered(arm: str, seconds: float) -> Iterator[None]:
    """Meter the body; ImportError or FileNotFoundError where the meter is not installed."""
    if arm.endswith(INTERVAL_UNIT):
        with GilMeter(float(arm.removesuffix(INTERVAL_UNIT)) / 1e6):
            yield
    elif arm == NAME:
        with looked_at():
            yield
    elif arm.startswith("gillab"):
        with GilMeter(knock=arm.endswith("knocking")):
            yield
    elif arm == "gilknocker":
        knocker = importlib.import_module("gilknocker").KnockKnock(1_000)
        knocker.start()
        yield
        knocker.stop()
    elif arm == "py-spy":
        spy = shutil.which("py-spy", path=os.path.dirname(sys.executable))
        if spy is None:
            raise FileNotFoundError("py-spy is not installed beside this Python")
        with tempfile.TemporaryDirectory() as folder:
            command = [
                *(spy, "record", "--gil", "--rate", "1000", "--format", "raw"),
                *("--duration", str(math.ceil(4 * seconds + 1))),
                *("--output", os.path.join(folder, "raw"), "--pid", str(os.getpid())),
            ]
            with subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                time.sleep(0.5)  # it reads the symbols first
                yield
                process.kill()
    else:
        yield


def main() -> None:
    """Run the blocks and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--meters", default=",".join(METERS))
    parser.add_argument("--intervals", help="of gillab in µs, instead of meters")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    meters = options.meters.split(",")
    if unknown := [meter for meter in meters if meter not in METERS]:
        parser.error(f"there is no meter {unknown[0]!r}; there are {', '.join(METERS)}.")
    if options.intervals:
        meters = [each + INTERVAL_UNIT for each in options.intervals.split(",")]
    metered_arms = (CONTROL, *meters)
    steps = 1_000_000
    begun = time.perf_counter()
    countdown_python(steps)
    steps = int(steps * options.seconds / (time.perf_counter() - begun))
    order = random.Random(options.seed)
    times: dict[str, list[float]] = {arm: [] for arm in metered_arms}
    alone: list[float] = []
    beside: dict[str, list[float]] = {arm: [] for arm in metered_arms}
    reasons: dict[str, str] = {}
    for _ in range(options.blocks):
        took: dict[str, float] = {}
        arms = ["alone", *(arm for arm in metered_arms if arm not in reasons)]
        order.shuffle(arms)
        for arm in arms:
            try:
                with metered(arm, options.seconds):
                    cpu, own = time.process_time(), time.thread_time()
                    begun = time.perf_counter()
                    countdown_python(steps)
                    took[arm] = time.perf_counter() - begun
                    cpu = time.process_time() - cpu - (time.thread_time() - own)
            except (ImportError, FileNotFoundError) as error:
                reasons[arm] = str(error)
                continue
            if arm != "alone":
                beside[arm].append(100 * cpu / took[arm])
        alone.append(took.pop("alone"))
        for arm, seconds in took.items():
            times[arm].append(seconds)
    # Those that taskset left, where the system can say.
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    print(
        f"Cost to a pure Python loop of {options.seconds:g} s, {options.blocks} blocks; "
        f"CPython {platform.python_version()}, {usable} CPUs."
    )
    print("\n| | slower by | processor time beside the loop |\n| --- | ---: | ---: |")
    for arm in metered_arms:
        if arm in reasons:
            print(f"| {arm} | unavailable: {reasons[arm]} | |")
            continue
        slower = ratio(times[arm], alone, 0.95)
        middle, low, high = (
            math.nan if value is None else 100 * (value - 1)
            for value in (slower.estimate, slower.low, slower.high)
        )
        print(
            f"| {arm} | {middle:+.2f} % [{low:+.2f}, {high:+.2f}] "
            f"| {statistics.median(beside[arm]):.1f} % |"
        )
    print(f"\nThe own processes of py-spy and of {NAME} are not in the second column.")


if __name__ == "__main__":
    main()
