"""The error of GIL meters on programs whose share of the GIL is known.

    python bench/meter_error.py [--rounds 7] [--seconds 2]

Every round runs every program under every meter, each in a process of its own, in a random order.
A program is ``countdown_mixed``, which holds the GIL for a fixed part of its steps in holds of a
fixed length. The table has the mean over rounds of what each meter reads less the known part, in
points, with a 95 % interval (Student's t over rounds). Runs that failed are counted below it, with
the reason; a meter that fails three times is left out from there on.

Peers: ``pip install gilknocker gil_load py-spy``; py-spy needs the right to read other processes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.from_outside import NAME, looked_at
from gillab.meter.reading import student_t

METERS = ("gillab", NAME, "gilknocker", "py-spy", "gil_load")
PROGRAMS = [
    (held, hold_s)
    for held, holds in (
        (0.0, (0.0,)),
        (0.1, (5e-6, 1e-3)),
        (0.5, (5e-6, 50e-6, 1e-3, 20e-3)),
        (0.9, (50e-6, 20e-3)),
        (1.0, (1.0,)),
    )
    for hold_s in holds
]
READY = "ready"
PY_SPY_RATE = 1000
MOST_FAILURES = 3


@contextmanager
def metered(meter: str) -> Iterator[Callable[[], float]]:
    """Meter the body; the function yielded gives the share read, once the body is left."""
    if meter == "gillab":
        from gillab.meter import GilMeter

        gillab = GilMeter()
        with gillab:
            yield lambda: gillab.read().held
    elif meter == NAME:
        with looked_at() as read:
            yield lambda: read()[0]
    elif meter == "gilknocker":
        knocker = importlib.import_module("gilknocker").KnockKnock(1_000)
        knocker.start()
        shares: list[float] = []
        yield lambda: shares[0]
        shares.append(knocker.contention_metric)
        knocker.stop()
    elif meter == "gil_load":
        gil_load = importlib.import_module("gil_load")
        gil_load.start(av_sample_interval=0.0005)
        yield lambda: float(gil_load.get()[0]["held"])
        gil_load.stop()
    else:  # from outside, or not at all
        yield lambda: math.nan


def child(meter: str, held: float, hold_s: float, seconds: float) -> None:
    """Run one program under one meter and print what the meter reads."""
    if meter == "gil_load":
        importlib.import_module("gil_load").init()
    from gillab.kernels import countdown_mixed, countdown_nogil

    steps = 50_000_000
    begun = time.perf_counter()
    countdown_nogil(steps)
    rate = steps / (time.perf_counter() - begun)
    chunk = max(int(rate * (hold_s / held if held else 1e-3)), 2)
    if meter == "py-spy":
        print(READY, flush=True)
        sys.stdin.readline()
        # Killed when py-spy has done; ends by itself if nobody does.
        countdown_mixed(int(rate * (seconds + 20)), 1 - held, chunk)
        return
    with metered(meter) as read:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            countdown_mixed(int(rate * seconds / 10), 1 - held, chunk)
    print(json.dumps(read()))


def measure(meter: str, held: float, hold_s: float, seconds: float) -> float:
    """Return the share of one run; RuntimeError with the reason where there is none."""
    command = [sys.executable, *(("-m", "gil_load") if meter == "gil_load" else ())]
    command += [__file__, "--child", meter, str(held), str(hold_s), str(seconds)]
    if meter == "py-spy":
        return measure_py_spy(command, seconds)
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=20 + 4 * seconds, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {result.returncode}")
    return float(json.loads(result.stdout.strip().splitlines()[-1]))


def measure_py_spy(command: list[str], seconds: float) -> float:
    """Return the samples with the GIL that py-spy took, over all that it should have taken."""
    if shutil.which("py-spy", path=os.path.dirname(sys.executable)) is None:
        raise RuntimeError("py-spy is not installed beside this Python")
    spy = os.path.join(os.path.dirname(sys.executable), "py-spy")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(0.2)
        raw = os.path.join(folder, "raw")
        result = subprocess.run(
            [
                *(spy, "record", "--gil", "--rate", str(PY_SPY_RATE), "--format", "raw"),
                *("--duration", str(max(int(seconds), 1)), "--output", raw),
                *("--pid", str(process.pid)),
            ],
            capture_output=True,
            text=True,
            timeout=20 + 4 * seconds,
            check=False,
        )
        process.kill()
        if not os.path.exists(raw):
            held = 0 if "No stack counts" in result.stderr else None
            if held is None:
                raise RuntimeError(result.stderr.strip().splitlines()[-1])
            return 0.0
        with open(raw) as file:
            samples = sum(int(line.rsplit(" ", 1)[1]) for line in file)
    return samples / (PY_SPY_RATE * max(int(seconds), 1))


def mean_interval(values: list[float]) -> tuple[float, float]:
    """Return the mean and half of its 95 % interval."""
    if len(values) < 2:
        return statistics.fmean(values), math.nan
    exact = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447}
    t = exact.get(len(values) - 1) or student_t(len(values) - 1)
    return statistics.fmean(values), t * statistics.stdev(values) / math.sqrt(len(values))


def describe(held: float, hold_s: float) -> str:
    """Name a program."""
    if held in (0.0, 1.0):
        return f"{held:.0%}"
    return f"{held:.0%} in holds of " + (
        f"{hold_s * 1e6:.0f} µs" if hold_s < 1e-3 else f"{hold_s * 1e3:.0f} ms"
    )


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--meters", default=",".join(METERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=4, metavar=("METER", "HELD", "HOLD_S", "SECONDS"))
    options = parser.parse_args()
    if options.child:
        meter, held, hold_s, seconds = options.child
        child(meter, float(held), float(hold_s), float(seconds))
        return
    meters = options.meters.split(",")
    if unknown := [meter for meter in meters if meter not in METERS]:
        parser.error(f"there is no meter {unknown[0]!r}; there are {', '.join(METERS)}.")
    errors: dict[tuple[str, float, float], list[float]] = {}
    failures: dict[str, list[str]] = {meter: [] for meter in meters}
    order = random.Random(options.seed)
    for number in range(options.rounds):
        cells = [(meter, *program) for meter in meters for program in PROGRAMS]
        order.shuffle(cells)
        for meter, held, hold_s in cells:
            if len(failures[meter]) == MOST_FAILURES:
                continue
            try:
                share = measure(meter, held, hold_s, options.seconds)
            except (RuntimeError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
                failures[meter].append(re.sub(r"\s+", " ", str(error))[-120:])
                continue
            errors.setdefault((meter, held, hold_s), []).append(100 * (share - held))
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    print(
        f"Points read less points held, mean of {options.rounds} runs of {options.seconds:g} s and "
        f"95 % interval; CPython {platform.python_version()}, {os.cpu_count()} CPUs."
    )
    print()
    print("| GIL held | " + " | ".join(meters) + " |")
    print("| --- |" + " ---: |" * len(meters))
    for held, hold_s in PROGRAMS:
        row = [describe(held, hold_s)]
        for meter in meters:
            values = errors.get((meter, held, hold_s))
            if not values:
                row.append("unavailable")
            else:
                mean, half = mean_interval(values)
                row.append(f"{mean:+.1f} ± {half:.1f}")
        print("| " + " | ".join(row) + " |")
    for meter in meters:
        if failures[meter]:
            given_up = ", then left out" if len(failures[meter]) == MOST_FAILURES else ""
            print(f"\n{meter} failed {len(failures[meter])} times{given_up}: {failures[meter][0]}")


if __name__ == "__main__":
    main()
