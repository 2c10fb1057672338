"""Profilers of the GIL on a program that knows who held it, in which function, and who waited.

    python -m bench.profilers [--rounds 5] [--seconds 4] [--profilers gillab,py-spy,tachyon]

In the program, thread "a" holds the lock in ``sixty`` for about 60 % of its time and in ``twenty``
for about 20 %, and releases it for the rest. Thread "b" works without the lock and then asks for
it. The program times each hold and each wait itself. Of a wait it takes off the time for which the
thread was ready and had no CPU, where the system tells that (Linux). Every round runs it under
every profiler, each in a process of its own, in a random order. The table has the mean over rounds
of what each profiler reads less what the program says, in points, with a 95 % interval (Student's t
over rounds), and the CPU time that the profiler took.

py-spy: ``pip install py-spy``. Tachyon is ``profiling.sampling``, in CPython from 3.15 on. Both
need the right to read other processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from bench.meter_error import mean_interval
from gillab.kernels import countdown_held, countdown_nogil
from gillab.meter import GilMeter

RATE = 1000
LEAD_S = 0.5
"""An outside profiler begins so long after the program."""
FIGURES = ("sixty", "twenty", "b waited")


class Program:
    """The program, and what it says of itself, in seconds."""

    def __init__(self, seconds: float) -> None:
        """Find how many steps a millisecond are."""
        steps = 20_000_000
        begun = time.perf_counter()
        countdown_nogil(steps)
        self.steps = int(steps / (time.perf_counter() - begun) / 1000)
        self.seconds = seconds
        self.told = dict.fromkeys(FIGURES, 0.0)
        self.cpu_s = 0.0
        self.wall_s = 0.0

    def run(self) -> None:
        """Run both threads for so many seconds."""
        threads = [threading.Thread(target=each, name=each.__name__) for each in (self.a, self.b)]
        cpu_s = time.thread_time()
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.wall_s = time.perf_counter() - begun
        self.cpu_s += time.thread_time() - cpu_s

    def a(self) -> None:
        """Hold the lock in two functions, and release it."""
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            self.told["sixty"] += sixty(6 * self.steps)
            self.told["twenty"] += twenty(2 * self.steps)
            countdown_nogil(2 * self.steps)
        self.cpu_s += time.thread_time()

    def b(self) -> None:
        """Work without the lock, then ask for it."""
        until = time.perf_counter() + self.seconds
        with open_delays() as read_delay_s:
            while (begun := time.perf_counter()) < until:
                busy_s = time.thread_time() + read_delay_s()
                countdown_nogil(self.steps)
                busy_s = time.thread_time() + read_delay_s() - busy_s
                self.told["b waited"] += max(time.perf_counter() - begun - busy_s, 0.0)
        self.cpu_s += time.thread_time()


@contextmanager
def open_delays() -> Iterator[Callable[[], float]]:
    """Give what returns how long this thread was ready to run and had no CPU, in seconds.

    Where the system does not tell, that is 0.
    """
    path = "/proc/thread-self/schedstat"
    if not os.path.exists(path):
        yield lambda: 0.0
        return
    with open(path, "rb", buffering=0) as file:

        def read() -> float:
            file.seek(0)
            return int(file.read().split()[1]) / 1e9

        yield read


def sixty(steps: int) -> float:
    """Hold the lock for so many steps; return how long."""
    begun = time.perf_counter()
    countdown_held(steps)
    return time.perf_counter() - begun


def twenty(steps: int) -> float:
    """Do the same under another name."""
    begun = time.perf_counter()
    countdown_held(steps)
    return time.perf_counter() - begun


def child(profiler: str, seconds: float) -> None:
    """Run the program and print what it and, if that is gillab, the profiler say."""
    program = Program(seconds)
    read: dict[str, float] = {}
    cpu_s = time.process_time()
    with ExitStack() as stack:
        if profiler == "gillab":
            meter = stack.enter_context(GilMeter(profile=True))
            before = meter.read()
            program.run()
            reading = meter.read() - before
            for each in reading.functions or ():
                read[each.name] = read.get(each.name, 0.0) + each.held
            read["b waited"] = sum(w.share for w in reading.waits or () if w.thread == "b")
        else:
            print("ready", flush=True)
            program.run()
    read["cost"] = (time.process_time() - cpu_s - program.cpu_s) / program.wall_s
    told = {name: value / program.wall_s for name, value in program.told.items()}
    print(json.dumps({"told": told, "read": read}))


def run_gillab(seconds: float) -> dict[str, Any]:
    """Return what the program and gillab say."""
    command = [sys.executable, "-m", "bench.profilers", "--child", "gillab", str(seconds)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds, check=True)
    answer: dict[str, Any] = json.loads(out.stdout)
    return answer


def run_beside(seconds: float, command: Callable[[int, str], list[str]]) -> dict[str, Any]:
    """Return what the program says, and a profiler from outside that writes collapsed stacks."""
    program = [sys.executable, "-m", "bench.profilers", "--child", "none"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*program, str(seconds + 2 * LEAD_S)], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(LEAD_S)
        stacks = os.path.join(folder, "stacks")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command(process.pid, stacks), capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer: dict[str, Any] = json.loads(process.stdout.read())
        if not os.path.exists(stacks):
            raise RuntimeError((done.stderr.strip() or "it wrote nothing").splitlines()[-1])
        counts = dict.fromkeys(("sixty", "twenty"), 0)
        with open(stacks, encoding="utf-8") as lines:
            for line in lines:
                stack, count = line.rsplit(" ", 1)
                for name in counts:
                    if name in stack.rsplit(";", 1)[-1]:
                        counts[name] += int(count)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer["read"] = {name: count / (RATE * seconds) for name, count in counts.items()}
    answer["read"]["cost"] = spent / seconds
    return answer


def run_py_spy(seconds: float) -> dict[str, Any]:
    """Return what the program and py-spy say."""
    spy = os.path.join(os.path.dirname(sys.executable), "py-spy")
    if not os.path.exists(spy):
        raise RuntimeError("py-spy is not installed beside this Python")
    options = ["record", "--gil", "--rate", str(RATE), "--format", "raw"]
    return run_beside(
        seconds,
        lambda pid, file: [
            *(spy, *options, "--duration", str(int(seconds)), "--output", file, "--pid", str(pid))
        ],
    )


def run_tachyon(seconds: float) -> dict[str, Any]:
    """Return what the program and CPython's own sampling profiler say."""
    if find_spec("profiling") is None:
        raise RuntimeError("it comes with CPython 3.15")
    options = ["-a", "--mode", "gil", "-r", str(RATE), "--collapsed"]
    return run_beside(
        seconds,
        lambda pid, file: [
            *(sys.executable, "-m", "profiling.sampling", "attach", *options),
            *("-d", str(int(seconds)), "-o", file, str(pid)),
        ],
    )


PROFILERS: dict[str, Callable[[float], dict[str, Any]]] = {
    "gillab": run_gillab,
    "py-spy": run_py_spy,
    "tachyon": run_tachyon,
}


def format_error(values: list[float]) -> str:
    """Return a mean with half of its interval; "not told" for none."""
    if not values:
        return "not told"
    mean, half = mean_interval(values)
    return f"{mean:+.1f} ± {half:.1f}"


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--profilers", default=",".join(PROFILERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=2, metavar=("PROFILER", "SECONDS"))
    options = parser.parse_args()
    if options.child:
        child(options.child[0], float(options.child[1]))
        return
    names = options.profilers.split(",")
    if unknown := [name for name in names if name not in PROFILERS]:
        parser.error(f"there is no profiler {unknown[0]!r}; there are {', '.join(PROFILERS)}.")
    errors: dict[tuple[str, str], list[float]] = {}
    failures: dict[str, str] = {}
    order = random.Random(options.seed)
    for _ in range(options.rounds):
        for name in order.sample(names, len(names)):
            try:
                answer = PROFILERS[name](options.seconds)
            except (RuntimeError, ValueError, subprocess.SubprocessError) as error:
                failures[name] = " ".join(str(error).split())[-120:]
                continue
            read = answer["read"]
            for figure in FIGURES:
                if figure in read:
                    error_points = 100 * (read[figure] - answer["told"][figure])
                    errors.setdefault((name, figure), []).append(error_points)
            errors.setdefault((name, "cost"), []).append(100 * read["cost"])
    print(
        f"Points read less points told, mean of {options.rounds} runs of {options.seconds:g} s and "
        f"95 % interval; CPython {platform.python_version()}, {os.cpu_count()} CPUs.\n"
    )
    print("| profiler | sixty | twenty | b waited | its CPU time |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in names:
        if (name, "cost") not in errors:
            print(f"| {name} | unavailable: {failures.get(name, '')} | | | |")
            continue
        cells = [format_error(errors.get((name, figure), [])) for figure in FIGURES]
        cost = mean_interval(errors[name, "cost"])
        print(f"| {name} | {' | '.join(cells)} | {cost[0]:.1f} % ± {cost[1]:.1f} |")


if __name__ == "__main__":
    main()
