"""What an import and a ``--help`` add to a bare interpreter, as whole processes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from statistics import median

from bench.blocks import Arm, measure_blocks
from bench.rows import Goal, Row, compare_difference

AGAINST = "python -c pass"
BARE = ["-c", "pass"]
COMMANDS = {
    "python -c 'import gillab.kernels'": (["-c", "import gillab.kernels"], Goal(10)),
    "python -m gillab.compare --help": (["-m", "gillab.compare", "--help"], Goal(100)),
}


def running(arguments: list[str]) -> Arm:
    """Make an arm that returns the seconds from a process's start to its end."""
    command = [sys.executable, *arguments]

    def run() -> float:
        start = time.perf_counter_ns()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return (time.perf_counter_ns() - start) * 1e-9

    return run


def find_failure(arguments: list[str]) -> str | None:
    """Run a command once and return what it says last where it fails."""
    run = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    if run.returncode == 0:
        return None
    return (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]


def measure(fast: bool, generator: random.Random) -> list[Row]:
    """Rows of this section."""
    failures = {name: find_failure(arguments) for name, (arguments, _) in COMMANDS.items()}
    arms = {AGAINST: running(BARE)}
    for name, (arguments, _) in COMMANDS.items():
        if failures[name] is None:
            arms[name] = running(arguments)
    seconds = measure_blocks(arms, 25 if fast else 100, generator)
    reason = (
        "Milliseconds are this machine's, and grow with whatever else it does: a bare interpreter "
        f"took {min(seconds[AGAINST]) * 1e3:.0f} ms at best and "
        f"{median(seconds[AGAINST]) * 1e3:.0f} ms by the median."
    )
    return [
        compare_difference(name, AGAINST, seconds[name], seconds[AGAINST], goal).explained(reason)
        if name in seconds
        else Row(name, AGAINST, unit="ms", goal=goal, note=failures[name] or "")
        for name, (_, goal) in COMMANDS.items()
    ]
