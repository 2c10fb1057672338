"""The result of a run: frozen data, and its JSON.

pyperf's tools load the file (format 1.0, one pyperf run for each block). The key ``gillab`` holds
everything that gillab shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gillab.charts import Chart
from gillab.estimates import Bracket, Estimate, Spread

SCHEMA = 1
OUT_OF_TIME = "the time was up"
"""Part of the reason of every cell for which there was no time."""

Status = Literal["ok", "unavailable", "failed"]
Verdict = Literal["wins", "loses", "same", "no_gain", "inconclusive", "withheld"]

Cause = Literal[
    "gil",
    "gil_unmetered",
    "gil_in_part",
    "other_lock",
    "contention",
    "one_cpu",
    "inner_threads",
    "no_gil",
]
"""What keeps a strategy from gaining, as far as the figures tell: see `gillab.blocks.evidence`."""

Data = Literal["shared", "own"]
"""Whether the workers share what the setup made, or each has a setup of its own."""

Relation = Literal["as_fast", "no_faster", "open"]

Shortfall = Literal["dearer", "idle_cores"]
"""Why a winner does not reach the ceiling: a task takes more CPU time, or not all cores are
busy."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the worker-seconds of a whole job went, as fractions that add up to one.

    Measured in runs of their own, in which every step leaves the time, and of these in those that
    took about as long as the runs that were only timed.
    """

    start: float
    """Until a worker was ready, and the pool's end."""
    send: float
    """Pickling items, unpickling them, and waiting for items that were not there yet."""
    compute: float
    """In the function; in threads of one GIL, waiting for it there included."""
    receive: float
    """Pickling results, and reading them in the parent once all is computed."""
    idle: float
    """The rest: waiting for others that still computed, or for the GIL."""
    without_cpu: float = 0.0
    """That part of ``compute`` in which the worker had no CPU: it waited for one, or slept."""
    of_median: float = 1.0
    """What all parts take together, as a multiple of the median of the runs only timed."""


@dataclass(frozen=True, slots=True)
class PaysFrom:
    """From where on a strategy is faster than the loop, by the overhead that was measured."""

    items: Bracket
    """How many items, at the time an item of today."""
    item_s: Bracket
    """How long an item, at the number of items of today."""


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
    data: Data = "shared"
    """Whether its workers share what the setup made; ``own`` only where they could share it."""
    chunksize: int | None = None
    """Of a whole job: so many items travel to a worker at once; None where they do not travel."""
    variant: str = ""
    """Which of several ways the strategy works in, where an experiment compares such ways."""
    interpreter: str = ""
    """The label of the other interpreter in which it ran; empty for the one that measured."""
    notes: tuple[str, ...] = ()
    """Side effects of the workload that a reader should know: it changed the directory, say."""
    blocks: int = 0
    seconds: Spread | None = None
    """The time of one task: the time of the whole arm divided by the number of its tasks."""
    speedup: Estimate | None = None
    """Tasks a second, as a multiple of the serial arm's."""
    speedup_later: Estimate | None = None
    """The same, with an interval for the minutes after the run, since what the machine gives
    drifts."""
    speedup_quiet: Estimate | None = None
    """The same over the quiet blocks only: those in which nothing else was seen on the machine."""
    of_ceiling: Estimate | None = None
    """The share of the ceiling, which is what the machine gives. None for work that waits, and if
    that control failed."""
    of_shared: Estimate | None = None
    """For an arm with data of its own: its throughput as a multiple of that with shared data."""
    of_fastest: Estimate | None = None
    """For a winner: its throughput as a share of the fastest winner's, paired block by block.

    Winners of this interpreter are compared with each other, and those of the others likewise."""
    of_own_serial: Estimate | None = None
    """In another interpreter: its throughput as a multiple of that interpreter's serial arm's."""
    cores: float | None = None
    """CPU time over wall time; it includes the workers and the programs that they wait for."""
    busy: float | None = None
    """For the serial arm: ``cores`` as a share of those of the released C loop in the same blocks,
    under the same CPUs and quota. It is low for work that waits."""
    idle_cores: float | None = None
    """For the serial arm: cores that the workload's own threads keep busy between tasks."""
    cpu_cost: float | None = None
    """CPU time of a task, as a multiple of a serial task's."""
    held: float | None = None
    """The fraction of the time that the GIL was held; None if it was not measured."""
    held_interval: tuple[float, float] | None = None
    setup_s: float | None = None
    """Time from making the executor until its last worker was ready; the median over launches."""
    verdict: Verdict | None = None
    """None for the serial arm and for a cell that was not measured."""
    proved_by: Cause | None = None
    """The proof that decides the verdict, if the interval of the speedup does not."""
    cause: Cause | None = None
    """Why it gains nothing; None if it gains, or if no figure tells."""
    shortfall: tuple[Shortfall, ...] = ()
    """Of a winner that does not reach the ceiling: where the rest is, as far as figures tell."""
    parts: Parts | None = None
    """Of a whole job: where the time went; None where that was not measured."""
    pays_from: PaysFrom | None = None
    """Of a whole job: from where on the strategy would pay; None for one that was not measured."""
    results_equal: bool | None = None
    """Of a whole job: whether its results are those of the loop; None where nobody looked."""

    @property
    def key(self) -> str:
        """The arm's name within its workload."""
        return arm_key(
            self.strategy,
            self.workers,
            self.data,
            self.chunksize,
            self.variant,
            self.interpreter,
        )


@dataclass(frozen=True, slots=True)
class Control:
    """A control: an arm whose result is known beforehand."""

    workload: str
    workers: int
    speedup: Estimate | None
    passed: bool | None
    """None if there are too few blocks to tell."""
    expected: float
    """1 for the second serial arm; for the ceiling, the number of CPUs that its workers can
    have."""
    reason: str | None = None
    """Why it was not measured."""
    cores: float | None = None
    """How many cores its workers kept busy."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A winner that was not chosen."""

    strategy: str
    workers: int
    relation: Relation
    """Within 5 % of the chosen one; not more than 5 % faster; whether it is faster is open."""
    data: Data = "shared"
    chunksize: int | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What to use in another interpreter, and whether that is better than what is chosen here."""

    interpreter: str
    strategy: str
    workers: int
    data: Data
    ratio: Estimate
    """Its throughput as a multiple of that of the choice here, or of serial."""
    relation: Literal["faster", "no_faster", "open"]
    """Faster by more than 5 %, surely not, or undecided."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to use for one workload."""

    workload: str
    advice: Literal["use", "stay_serial", "open", "withheld", "none"]
    """``open`` if an undecided strategy may gain, ``none`` if there is nothing to compare."""
    strategy: str | None = None
    """The simplest strategy that is not shown to be slower than the fastest."""
    workers: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    because: Literal["one_cpu", "one_worker", "inner_threads"] | None = None
    """Why nothing else could gain, where that is known."""
    doubts: tuple[Literal["null", "ceiling", "ceiling_missing"], ...] = ()
    """The controls that failed."""
    data: Data = "shared"
    """Whether its threads share what the setup made."""
    chunksize: int | None = None
    elsewhere: Elsewhere | None = None
    """The best of what other interpreters do; None where nothing there beats serial here."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the machine did meanwhile; None where this system does not tell."""

    blocks: int
    quiet_blocks: int
    other_cores: float | None
    """Cores that other programs kept busy: the median over blocks."""
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
    idle_cores: float | None = None
    """Cores kept busy by the workload's own threads between tasks: the median over blocks."""


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
    choices: Sequence[Choice] = ()
    """What to use, for each workload."""
    summary: Sequence[str] = ()
    """The summary: one sentence or two for each workload."""
    charts: Sequence[Chart] = ()
    """What an experiment of the lab found along an axis: sizes, workers and the like."""
    warnings: Sequence[str] = ()
    blocks: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    @property
    def failed(self) -> bool:
        """Whether a cell failed, or none was measured."""
        statuses = {cell.status for cell in self.cells}
        return "failed" in statuses or (not self.partial and "ok" not in statuses)

    @property
    def verdicts(self) -> dict[tuple[str, str, int], Verdict | None]:
        """The verdict of each cell, by workload, strategy and workers.

        If both kinds of data were measured, that with shared data. None of another interpreter.
        """
        here = [cell for cell in self.cells if not cell.interpreter]
        ordered = sorted(here, key=lambda cell: cell.data)  # own before shared
        return {(c.workload, c.strategy, c.workers): c.verdict for c in ordered}

    def cell(
        self,
        workload: str,
        strategy: str,
        workers: int | None = None,
        data: Data | None = None,
        interpreter: str = "",
    ) -> Cell:
        """Return one cell; without ``workers`` and ``data``, the first of that strategy.

        ``interpreter`` is the label of another interpreter. KeyError if there is none.
        """
        for cell in self.cells:
            if (
                cell.workload == workload
                and cell.strategy == strategy
                and workers in (None, cell.workers)
                and data in (None, cell.data)
                and cell.interpreter == interpreter
            ):
                return cell
        raise KeyError((workload, strategy, workers, data))

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, exactly as in the file."""
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
                "choices": [asdict(choice) for choice in self.choices],
                "charts": [asdict(chart) for chart in self.charts],
                "summary": list(self.summary),
                "warnings": list(self.warnings),
                "blocks": [dict(block) for block in self.blocks],
            },
        }

    def to_json(self) -> str:
        """Return the run as JSON text that ends with a newline."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from gillab.notebook import show_result

        return show_result(self)


def _controls(controls: Sequence[Control]) -> dict[str, Any]:
    decided = [control.passed for control in controls if control.passed is not None]
    return {
        "passed": all(decided) if decided else None,
        "of": [asdict(control) for control in controls],
    }


def pyperf_metadata(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that pyperf has a name for; pyperf refuses empty texts."""
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
    """Return a benchmark's name on one line, since pyperf refuses any other."""
    return r"\n".join(" ".join(parts).strip().splitlines())


def _pyperf_benchmarks(result: Result) -> list[dict[str, Any]]:
    """One pyperf benchmark for each sound cell; one run for each block in which all of them ran."""
    benchmarks = []
    for workload in dict.fromkeys(cell.workload for cell in result.cells):
        cells = [c for c in result.cells if c.workload == workload and c.status == "ok"]
        blocks = [
            block
            for block in result.blocks
            if block["workload"] == workload and all(cell.key in block["seconds"] for cell in cells)
        ]
        if not blocks:
            continue
        benchmarks += [
            {
                "metadata": {"name": pyperf_name(workload, *cell.key.split("/"))},
                "runs": [{"values": [block["seconds"][cell.key]]} for block in blocks],
            }
            for cell in cells
        ]
    return benchmarks


def arm_key(
    strategy: str,
    workers: int,
    data: Data = "shared",
    chunksize: int | None = None,
    variant: str = "",
    interpreter: str = "",
) -> str:
    """Name an arm within its workload, as in the blocks of the JSON: ``threads/2``.

    ``threads/2/own`` where each thread has data of its own, though it could share them;
    ``processes/2/1000`` where so many items travel at once; ``processes/1/pickled`` where a
    strategy works in several ways; ``threads/2/3.14t`` in another interpreter.
    """
    chunk = "" if chunksize is None else f"/{chunksize}"
    way = f"/{variant}" if variant else ""
    where = f"/{interpreter}" if interpreter else ""
    return f"{strategy}/{workers}{'/own' if data == 'own' else ''}{chunk}{way}{where}"
