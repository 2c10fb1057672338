"""Runs an experiment, briefly, as a command in a child."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from typing import Any

import pytest
from compare_run import LIMIT_S

MODULES = {
    "compare": ["nogil", "--max-blocks", "1", "-n", "1000"],
    "scaling": ["nogil", "-j", "1", "--strategies", "threads", "--max-blocks", "1"],
    "crossover": ["nogil", "--sizes", "1ms", "--strategies", "threads", "--max-blocks", "1"],
    "versus": ["pass", "pass", "--max-blocks", "1"],
    "transfer": ["--sizes", "1kB", "--strategies", "threads,processes", "--max-blocks", "1"],
    "latency": ["--probes", "loop", "-j", "1", "--rounds", "1", "--round-time", "10ms"],
    "check": ["nogil", "--no-scaling", "--time", "50ms"],
    "startup": ["--strategies", "threads", "-j", "1", "--max-blocks", "1"],
    "census": ["time.sleep", "--time", "50ms"],
}
commands = pytest.mark.parametrize("command", MODULES)


def run(command: str, *options: str, **named: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"gillab.{command}", *MODULES[command], *options],
        stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False, **named,
    )  # fmt: skip


def run_here(command: str, *options: str) -> int:
    """Run it in this process, as is enough where nothing is measured; return the exit code."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        code: int = importlib.import_module(f"gillab.{command}").main([*MODULES[command], *options])
    finally:
        signal.signal(signal.SIGTERM, handler)
    return code
