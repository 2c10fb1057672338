"""What threads gain by a call of this process: compare's blocks, arms and verdict, run here.

For calls that only this process has, a test's say. The ceiling is the released C loop in as many
threads, since a process with a test in it is not one to fork.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from gillab.blocks.analysis import analyze, correct, find_widest, read_scaling
from gillab.blocks.plan import NULL, REFERENCE, SERIAL, Experiment, plan_arms
from gillab.blocks.record import Block, Record
from gillab.environment import find_capacity
from gillab.kernels import countdown_nogil
from gillab.release.findings import Scaling
from gillab.strategies.worker import read_cpu_ns
from gillab.workload import Workload

_TASK_S = 0.03
_MIN_BLOCKS = 9
_MAX_BLOCKS = 27
_CONFIDENCE = 0.95
_TARGET = 0.05
_TIME_S = 6.0
_PATIENCE = 10
_RANDOM = random.Random()
"""Not the module's own, which a test may have seeded and counts on."""


def measure_scaling_here(name: str, call: Callable[[], object], workers: int) -> Scaling:
    """Measure ``call`` in so many threads against serial; whatever the call raises."""
    arms = plan_arms(("threads",), (workers,))
    record = Record(Experiment(Workload(name, "statement"), arms), steps=None)
    steps = _calibrate(lambda n: _repeat(call, n))
    control_steps = _calibrate(countdown_nogil)
    tasks: dict[str, Callable[[], object]] = {
        SERIAL.key: lambda: _repeat(call, steps),
        NULL.key: lambda: _repeat(call, steps),
        REFERENCE.key: lambda: countdown_nogil(control_steps),
    }
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        for arm in arms:
            if arm.workers == workers and arm.key not in tasks:
                task = tasks[REFERENCE.key if arm.role == "ceiling" else SERIAL.key]
                tasks[arm.key] = _in_threads(pool, task, workers)
        _run_block(record, tasks)  # a warm-up
        record.blocks.clear()
        while not _is_enough(record, time.monotonic() - began):
            _run_block(record, tasks)
    return read_scaling(analyze([record], _CONFIDENCE, find_capacity(), ""), workers)


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in repeat(None, times):
        call()


def _in_threads(
    pool: ThreadPoolExecutor, task: Callable[[], object], workers: int
) -> Callable[[], object]:
    def run() -> None:
        for future in [pool.submit(task) for _ in range(workers)]:
            future.result()

    return run


def _calibrate(run: Callable[[int], object]) -> int:
    """Return the steps that reach the task time in two runs one after the other."""
    steps, reached = 1, 0
    while True:
        begun = time.perf_counter()
        run(steps)
        elapsed_s = time.perf_counter() - begun
        if elapsed_s >= _TASK_S:
            reached += 1
            if reached == 2:
                return steps
            continue
        reached = 0
        steps = max(steps + 1, int(steps * min(10.0, 1.1 * _TASK_S / max(elapsed_s, 1e-9))))


def _run_block(record: Record, tasks: dict[str, Callable[[], object]]) -> None:
    order = _RANDOM.sample(sorted(tasks), len(tasks))
    workers = {arm.key: arm.workers for arm in record.experiment.arms}
    seconds, cores = {}, {}
    for key in order:
        cpu_ns, begun = read_cpu_ns(), time.perf_counter()
        tasks[key]()
        elapsed_s = time.perf_counter() - begun
        seconds[key] = elapsed_s / workers[key]
        cores[key] = (read_cpu_ns() - cpu_ns) / 1e9 / elapsed_s
    name = record.experiment.workload.name
    record.blocks.append(Block(name, os.getpid(), tuple(order), seconds, cores, {}))


def _is_enough(record: Record, elapsed_s: float) -> bool:
    blocks = len(record.blocks)
    if blocks < _MIN_BLOCKS:
        # Long calls get longer, since fewer blocks have no interval.
        return blocks >= 3 and elapsed_s >= _PATIENCE * _TIME_S
    if blocks >= _MAX_BLOCKS or elapsed_s >= _TIME_S:
        return True
    return find_widest(record, correct([record], _CONFIDENCE)) <= _TARGET
