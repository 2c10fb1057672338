"""What a run yields: frozen data, and its JSON.

The file is one that pyperf's tools load (format 1.0, one pyperf run a block), with everything
that gillab shows under the key ``gillab``.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

SCHEMA = 1
OUT_OF_TIME = "the time was up"
"""Within the reason of every cell for which there was no time."""
_STREAMS = (1, 2)
"""Standard output and standard error, as ``/dev/stdout`` and ``/dev/stderr`` name them."""

Status = Literal["ok", "unavailable", "failed"]
Verdict = Literal["wins", "loses", "same", "no_gain", "inconclusive", "withheld"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its confidence interval; no interval where too few blocks were measured."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, median absolute deviation and minimum of a time, in seconds."""

    median: float
    mad: float
    min: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One workload under one strategy with one number of workers."""

    workload: str
    strategy: str
    workers: int
    python: str
    status: Status
    reason: str | None = None
    """Why the cell was not measured, or why its verdict is withheld."""
    notes: tuple[str, ...] = ()
    """What the workload did that a reader should know: moved to another folder, say."""
    blocks: int = 0
    seconds: Spread | None = None
    """The time of one task: that of the whole arm divided by its tasks."""
    speedup: Estimate | None = None
    """Tasks a second, as a multiple of the serial arm's."""
    speedup_quiet: Estimate | None = None
    """The same over those blocks alone in which nothing else was seen on the machine."""
    of_ceiling: Estimate | None = None
    of_fastest: Estimate | None = None
    """Of one that wins: its pace as a share of the fastest such one's, paired block by block."""
    cores: float | None = None
    """CPU time over wall time, that of the workers and of programs they wait for included."""
    busy: float | None = None
    """Of the serial arm: ``cores`` over those of the released C loop in the same blocks, which
    shares its CPUs and their quota. What waits keeps them less busy."""
    held: float | None = None
    """The fraction of the time that the GIL was held; None where it was not measured."""
    setup_s: float | None = None
    """From making the executor until its last worker was ready; the median over launches."""
    verdict: Verdict | None = None
    """None for the serial arm and for a cell that was not measured."""


@dataclass(frozen=True, slots=True)
class Control:
    """An arm whose answer is known beforehand."""

    workload: str
    workers: int
    speedup: Estimate | None
    passed: bool | None
    """None where there are too few blocks to tell."""
    expected: float
    """1 for the second serial arm; for the ceiling the CPUs that its workers can have."""
    reason: str | None = None
    """Why it was not measured."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the machine was seen to do; None where this system does not tell."""

    blocks: int
    quiet_blocks: int
    other_cores: float | None
    """Busy cores that were not ours: the median over blocks."""
    other_cores_max: float | None
    steal: float | None
    """The fraction of the CPU time that the hypervisor gave to others."""
    pressure: float | None
    """The fraction of the time that some runnable task waited for a CPU."""
    throttled_s: float | None
    """Seconds for which a CPU quota held us back, over the whole run."""
    involuntary_switches: int | None
    frequency_mhz: tuple[float, float] | None
    """The lowest and the highest CPU frequency seen."""


@dataclass(frozen=True, slots=True)
class Result:
    """All that one run yields."""

    command: str
    partial: bool
    seed: int
    options: Mapping[str, Any]
    environment: Mapping[str, Any]
    cells: Sequence[Cell]
    null: Sequence[Control]
    ceiling: Sequence[Control]
    noise: Noise
    summary: Sequence[str] = ()
    """What a person would say of it, one sentence or two a workload."""
    warnings: Sequence[str] = ()
    blocks: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    @property
    def failed(self) -> bool:
        """Whether a cell failed, or none was measured."""
        statuses = {cell.status for cell in self.cells}
        return "failed" in statuses or (not self.partial and "ok" not in statuses)

    @property
    def verdicts(self) -> dict[tuple[str, str, int], Verdict | None]:
        """The verdict of each cell, by workload, strategy and workers."""
        return {(c.workload, c.strategy, c.workers): c.verdict for c in self.cells}

    def cell(self, workload: str, strategy: str, workers: int | None = None) -> Cell:
        """Return one cell; the first of that strategy where ``workers`` is not given.

        KeyError where there is none.
        """
        for cell in self.cells:
            if (
                cell.workload == workload
                and cell.strategy == strategy
                and workers in (None, cell.workers)
            ):
                return cell
        raise KeyError((workload, strategy, workers))

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, just as it stands in the file."""
        return {
            "version": "1.0",
            "metadata": pyperf_metadata(self.environment),
            "benchmarks": _pyperf_benchmarks(self),
            "gillab": {
                "schema": SCHEMA,
                "command": self.command,
                "partial": self.partial,
                "seed": self.seed,
                "options": dict(self.options),
                "environment": dict(self.environment),
                "cells": [asdict(cell) for cell in self.cells],
                "controls": {
                    "null": _controls(self.null),
                    "ceiling": _controls(self.ceiling),
                },
                "noise": asdict(self.noise),
                "summary": list(self.summary),
                "warnings": list(self.warnings),
                "blocks": [dict(block) for block in self.blocks],
            },
        }

    def to_json(self) -> str:
        """Return the run as JSON text that ends with a newline."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"


def _controls(controls: Sequence[Control]) -> dict[str, Any]:
    decided = [control.passed for control in controls if control.passed is not None]
    return {
        "passed": all(decided) if decided else None,
        "of": [asdict(control) for control in controls],
    }


def pyperf_metadata(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return those facts that pyperf knows a name for; it refuses empty texts."""
    names = {
        "python_version": "python",
        "python_implementation": "implementation",
        "python_compiler": "compiler",
        "platform": "platform",
        "hostname": "hostname",
        "cpu_model_name": "cpu_model",
        "cpu_count": "cpus",
    }
    metadata = {to: environment.get(name) for to, name in names.items()}
    return {to: value for to, value in metadata.items() if value} | {"unit": "second"}


def pyperf_name(*parts: str) -> str:
    """Return a benchmark's name: on one line, since pyperf refuses any other."""
    return r"\n".join(" ".join(parts).strip().splitlines())


def _pyperf_benchmarks(result: Result) -> list[dict[str, Any]]:
    """One pyperf benchmark a sound cell, one run a block in which every such cell ran."""
    benchmarks = []
    for workload in dict.fromkeys(cell.workload for cell in result.cells):
        cells = [c for c in result.cells if c.workload == workload and c.status == "ok"]
        blocks = [
            block
            for block in result.blocks
            if block["workload"] == workload
            and all(arm_key(c.strategy, c.workers) in block["seconds"] for c in cells)
        ]
        if not blocks:
            continue
        benchmarks += [
            {
                "metadata": {"name": pyperf_name(workload, cell.strategy, str(cell.workers))},
                "runs": [
                    {"values": [block["seconds"][arm_key(cell.strategy, cell.workers)]]}
                    for block in blocks
                ],
            }
            for cell in cells
        ]
    return benchmarks


def arm_key(strategy: str, workers: int) -> str:
    """Name an arm within its workload, as in the blocks of the JSON: ``threads/2``."""
    return f"{strategy}/{workers}"


def is_special(path: Path) -> bool:
    """Whether it can be written to but not replaced: a device, a pipe, our own output."""
    if any(_is_open_as(path, descriptor) for descriptor in _STREAMS):
        return True
    return path.exists() and not path.is_file()


def _is_open_as(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole or not at all; OSError where it cannot be written."""
    for descriptor in _STREAMS:
        if _is_open_as(path, descriptor):
            with open(os.dup(descriptor), "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            return
    if is_special(path):
        path.write_text(text, encoding="utf-8", newline="")
        return
    path = path.resolve()  # what a link leads to is replaced, and not the link
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
