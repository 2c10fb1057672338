"""How often gillab decides, how long that takes, and whether it is right.

``python -m bench.verdicts`` runs ``python -m gillab.compare`` and its ``--fast`` several times, as
a user would, and holds their verdicts against what is known of the three kernels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gillab.environment import collect_machine, find_capacity, is_gil_enabled

GAINS = ("wins",)
GAINS_NOTHING = ("same", "no_gain", "loses")
_LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the command said."""

    seconds: float
    verdicts: dict[tuple[str, str], str]
    """By workload and strategy."""

    @property
    def decided(self) -> dict[tuple[str, str], str]:
        """Those verdicts that answer whether it helps."""
        return {k: v for k, v in self.verdicts.items() if v in (*GAINS, *GAINS_NOTHING)}

    @property
    def false(self) -> list[str]:
        """The verdicts that contradict what is known."""
        return [
            f"{workload} {strategy}: {verdict}"
            for (workload, strategy), verdict in self.decided.items()
            if (verdict in GAINS) != is_known_to_gain(workload, strategy)
        ]


def is_known_to_gain(workload: str, strategy: str) -> bool:
    """Whether the kernel gains: on two CPUs all do but threads that the GIL holds up."""
    if find_capacity() < 1.5:
        return False
    return strategy != "threads" or not is_gil_enabled() or workload == "countdown_nogil"


def run(options: Sequence[str]) -> Run:
    """Run the command once, as a user would."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        begun = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "gillab.compare", "-q", "--export-json", str(file), *options],
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=_LIMIT_S,
        )
        seconds = time.monotonic() - begun
        cells: list[dict[str, Any]] = json.loads(file.read_text())["gillab"]["cells"]
    verdicts = {
        (cell["workload"], cell["strategy"]): str(cell["verdict"])
        for cell in cells
        if cell["strategy"] != "serial" and cell["status"] == "ok"
    }
    return Run(seconds, verdicts)


def describe(name: str, runs: Sequence[Run], goal: float) -> Iterator[str]:
    """Yield the lines about one way to run it."""
    cells = sum(len(each.verdicts) for each in runs)
    decided = sum(len(each.decided) for each in runs)
    false = [text for each in runs for text in each.false]
    times = [each.seconds for each in runs]
    share = decided / cells
    met = "met" if share >= goal else "missed"
    yield f"{name}: {len(runs)} runs"
    yield f"  decided  {decided} of {cells} cells, {share:.0%} (goal {goal:.0%}: {met})"
    yield f"  false    {len(false)}{': ' if false else ''}{'; '.join(false)}"
    yield f"  seconds  {min(times):.1f} to {max(times):.1f}, median {median(times):.1f}"
    open_ = [f"{w} {s}" for each in runs for w, s in each.verdicts.keys() - each.decided.keys()]
    for text in sorted(set(open_)):
        yield f"  open     {text}, {open_.count(text)} times"


def main() -> None:
    """Run both and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each; default: 5")
    count = parser.parse_args().runs
    machine = collect_machine()
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"CPython {python}, {machine['cpus_usable']} CPUs, {machine['cpu_model']}")
    for name, options, goal in (("default", [], 0.95), ("--fast", ["--fast"], 0.80)):
        for line in describe(name, [run(options) for _ in range(count)], goal):
            print(line, flush=True)


if __name__ == "__main__":
    main()
