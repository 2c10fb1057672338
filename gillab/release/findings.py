"""The results of check and census: what calls do with the GIL, as frozen data, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gillab.estimates import Estimate, Spread
from gillab.results import SCHEMA, Cause, Status, pyperf_metadata, pyperf_name
from gillab.results import Verdict as ScalingVerdict

Verdict = Literal["releases", "holds", "partly", "no_gil", "too_short", "undecided"]
Gate = Literal["at_least", "longest_hold", "longest_wait", "speedup"]
Handover = Literal["released", "interrupted", "between_calls", "late"]
"""How a thread that asks gets the lock. ``released``: the call lets go by itself. ``interrupted``
and ``between_calls``: at the switch interval, because the call can be interrupted, or soon ends.
``late``: far later, because the call cannot be interrupted."""

RELEASING: tuple[Verdict, ...] = ("releases", "partly", "no_gil")
"""The verdicts with which other threads can run meanwhile, at least for a part of the time."""

INTERRUPTED = "interrupted"
"""The reason of a finding that Ctrl-C left out or cut short."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The call in several threads at once, compared with serial."""

    workers: int
    """How many threads called it at once."""
    speedup: Estimate | None
    """Calls a second, as a multiple of those of one thread."""
    of_ceiling: Estimate | None
    """The share of what the machine gives to that many workers; None for a call that waits."""
    verdict: ScalingVerdict | None
    """Whether the threads gain; None if they were not measured."""
    reason: str | None = None
    """Why it was not measured, or why its verdict is withheld."""
    status: Status = "ok"
    """Whether it was measured."""
    ceiling: Estimate | None = None
    """What a loop that releases the GIL gains from as many workers: the most that this machine
    gives."""
    expected: float | None = None
    """The most that it can gain on the CPUs that this process may use."""
    busy: float | None = None
    """How busy the call alone keeps a core, as a share of that loop; below 1 if the call waits."""
    cause: Cause | None = None
    """Why threads gain nothing, as far as the figures tell."""
    proved_by: Cause | None = None
    """The proof that they gain nothing, if the interval does not show it."""
    held: float | None = None
    """The fraction of the time that the GIL was held while the threads ran."""
    trusted: bool = True
    """False if two identical serial arms differed."""


@dataclass(frozen=True, slots=True)
class Floor:
    """How long a thread that asks waits beside a loop of bytecode: the switch interval, at best.

    No call is to blame for a longer wait there.
    """

    p50_s: float
    """The median wait, in seconds."""
    p99_s: float
    """The 99th percentile, in seconds."""
    longest_s: float
    """The longest wait seen, in seconds."""
    asked: int
    """How often a thread asked."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a thread that asks for the lock waits while the call is repeated; in seconds."""

    p50_s: float
    """The median wait."""
    p99_s: float
    """The 99th percentile."""
    longest_s: Estimate
    """The longest wait seen. Its low end is the part of a wait that is surely the call's doing, and
    not the machine's. Its high end is the most that a wait which was not seen may be."""
    handover: Handover | None
    """None if the waits do not tell."""
    asked: int
    """How often a thread asked."""
    duration_s: float
    """For how long the call was repeated meanwhile."""
    switch_interval_s: float
    """``sys.getswitchinterval()`` there."""
    floor: Floor
    """The same beside a loop of bytecode, for comparison."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one call does with the GIL; fractions of its time, times in seconds."""

    workload: str
    """The call, as it was given."""
    python: str
    """The version of the Python that it ran on."""
    status: Status
    """Whether it was measured."""
    variant: str = ""
    """The value that the setup was given: ``N=1000``."""
    verdict: Verdict | None = None
    """None if it failed or is unavailable; ``undecided`` if this machine cannot tell now."""
    reason: str | None = None
    """Why it was not measured, or why it is undecided."""
    notes: tuple[str, ...] = ()
    """Side effects of the call that a reader should know: it changed the directory, say."""
    released: Estimate | None = None
    """The fraction of the call's time in which it lets other threads run."""
    held_mean: float | None = None
    """The fraction of the time that the lock was held, over all that was measured."""
    longest_hold_s: Estimate | None = None
    """The longest time for which one call was seen to hold the lock at once. A release under some
    0.15 ms may fall between two samples, and calls under some 50 µs are timed in batches. If what
    was seen may be several holds, the low end is 0, and the high end is the most that one hold
    was."""
    others_held: float = 0.0
    """The fraction of the time that other threads of the process held the lock."""
    call: Spread | None = None
    """The time of one call."""
    shortest_s: float | None = None
    """The time of the shortest call that gets a verdict, whatever it does."""
    holder: Estimate | None = None
    """The fraction released by a kernel that holds the lock. It must be 0, or nothing here is
    reliable."""
    releaser: Estimate | None = None
    """The fraction released by a kernel that releases the lock. It must be 1."""
    samples: int = 0
    """How often the lock was looked at."""
    missed: int = 0
    """Samples that were left out, since they were due before the one before was taken."""
    calls: int = 0
    """How often the call was made while the lock was looked at."""
    duration_s: float = 0.0
    """For how long the lock was looked at."""
    waits: Waits | None = None
    """Measured in separate rounds; None if there is no GIL, or if no thread asked."""
    scaling: Scaling | None = None
    """The call in several threads at once; None if that was not asked for or not reached."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a finding passed a gate: None if its interval cannot tell."""

    workload: str
    """The call."""
    variant: str
    """The value that the setup was given: ``N=1000``."""
    gate: Gate
    """What is held against the limit."""
    limit: float
    """The limit: a fraction released, seconds of a hold or wait, or a speedup."""
    passed: bool | None
    """Whether it passed; None if the interval cannot tell."""
    reason: str | None = None
    """Why it is undecided, if the finding does not say so."""


@dataclass(frozen=True, slots=True)
class Onset:
    """From which value on a call releases the lock, if a name was varied.

    Numbers are sorted. Other values stay in the order given, as they are written in Python.
    """

    workload: str
    """The call."""
    varied: str
    """The name: ``N``."""
    decided: bool
    """False if a value without an answer may be the first that releases the lock. Also false if the
    verdicts differ and not all values are numbers, since then no value is the first. All values
    below are None then."""
    holds_to: int | float | str | None
    """The last value at which it holds the lock; None if there is none."""
    releases_from: int | float | str | None
    """The next value: from there on it releases the lock, at least in part; None if there is
    none."""
    mostly_from: int | float | str | None
    """From there on it releases the lock for nearly all of its time."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole result of one run of check or census."""

    command: str
    """Which experiment it was."""
    partial: bool
    """Whether Ctrl-C or SIGTERM ended it before its end."""
    options: Mapping[str, Any]
    """What the run was asked to do, with every default filled in."""
    environment: Mapping[str, Any]
    """The machine, the Python and the build."""
    cells: Sequence[Finding]
    """One for each call, and for each value of a name that was varied."""
    gates: Sequence[GateResult] = ()
    """One for each limit that was asked for, of each call."""
    onsets: Sequence[Onset] = ()
    """One for each call of which a name was varied."""
    summary: Sequence[str] = ()
    """The summary: a sentence for each call and gate."""
    warnings: Sequence[str] = ()
    """What keeps the result from being as good as was asked for."""

    @property
    def failed(self) -> bool:
        """Whether a call failed, alone or in threads."""
        return any(
            "failed" in (cell.status, cell.scaling and cell.scaling.status) for cell in self.cells
        )

    @property
    def passed(self) -> bool | None:
        """Whether all gates passed: False if one failed, None if one cannot be decided."""
        outcomes = [gate.passed for gate in self.gates]
        if False in outcomes:
            return False
        return None if None in outcomes else True

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, exactly as in the file."""
        return {
            "version": "1.0",
            "metadata": pyperf_metadata(self.environment),
            "benchmarks": [
                {
                    "metadata": {"name": pyperf_name(cell.workload, cell.variant)},
                    "runs": [{"values": [cell.call.median]}],
                }
                for cell in self.cells
                if cell.call is not None and cell.status == "ok"
            ],
            "gillab": {
                "schema": SCHEMA,
                "command": self.command,
                "partial": self.partial,
                "options": dict(self.options),
                "environment": dict(self.environment),
                "cells": [asdict(cell) for cell in self.cells],
                "gates": [asdict(gate) for gate in self.gates],
                "onsets": [asdict(onset) for onset in self.onsets],
                "summary": list(self.summary),
                "warnings": list(self.warnings),
            },
        }

    def to_json(self) -> str:
        """Return the run as JSON text that ends with a newline."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from gillab.notebook import show_result

        return show_result(self)
