"""A step of ``countdown_nogil`` against the same loop in a C program, and against a cycle."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.blocks import Arm, measure_blocks
from bench.compiling import COUNTDOWN, BuildError, compile_sources
from bench.rows import CONFIDENCE, Goal, Row, compare_ratio
from gillab.kernels import BARRIER, countdown_nogil
from gillab.statistics import ratio

STEPS = 1 << 21  # most of a millisecond: long beside a call, short beside a time slice
GOAL_C = Goal(1.02)
GOAL_CYCLE = Goal(0.98, least=True)
SUBJECT = "A step of countdown_nogil"
SOURCE = Path(__file__).with_name("peers") / "step.c"


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this process and its children on one CPU, where the system can: its speed for all."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def step_in_gillab() -> float:
    """Seconds of one step of ``countdown_nogil``."""
    start = time.perf_counter_ns()
    countdown_nogil(STEPS)
    return (time.perf_counter_ns() - start) / STEPS * 1e-9


def asking(program: subprocess.Popen[str], request: str) -> Arm:
    """Make an arm that sends the C program a line and reads what one step took it."""
    assert program.stdin is not None
    assert program.stdout is not None
    stdin, stdout = program.stdin, program.stdout

    def ask() -> float:
        stdin.write(f"{request}\n")
        stdin.flush()
        return int(stdout.readline()) / STEPS * 1e-9

    return ask


def measure(fast: bool, generator: random.Random) -> list[Row]:
    """Rows of this section."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = compile_sources(Path(folder) / "step", [SOURCE, *COUNTDOWN], shared=False)
        except BuildError as error:
            return [Row(SUBJECT, "C program", goal=GOAL_C, note=str(error))]
        with (
            one_cpu(),
            subprocess.Popen(
                [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as program,
        ):
            arms = {
                "gillab": step_in_gillab,
                "C": asking(program, str(STEPS)),
                "cycle": asking(program, f"add {STEPS}"),
            }
            seconds = measure_blocks(arms, 200 if fast else 1000, generator)
            assert program.stdin is not None
            program.stdin.close()
    rows = [compare_ratio(SUBJECT, "C program", seconds["gillab"], seconds["C"], GOAL_C, reason())]
    if min(seconds["cycle"]) < 0:
        note = "how long a cycle lasts is not known for this processor."
        return [*rows, Row(f"{SUBJECT}, in cycles", "cycle", goal=GOAL_CYCLE, note=note)]
    return [
        *rows,
        Row(
            f"{SUBJECT}, in cycles",
            "dependent addition",
            median(seconds["gillab"]),
            median(seconds["cycle"]),
            "steps",
            ratio(seconds["cycle"], seconds["gillab"], CONFIDENCE),
            GOAL_CYCLE,
            "A cycle is what a dependent register addition takes in the same block; cycles "
            "themselves were not counted.",
        ),
    ]


def reason() -> str:
    """Why a step may be slow whatever the machine does."""
    if BARRIER == "volatile":
        return "Without inline assembly the counter is volatile: a step stores and loads it."
    return ""
