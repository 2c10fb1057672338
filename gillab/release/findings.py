"""What check and census yield: what calls do with the GIL, as frozen data, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gillab.results import SCHEMA, Cause, Estimate, Spread, Status, pyperf_metadata, pyperf_name
from gillab.results import Verdict as ScalingVerdict

Verdict = Literal["releases", "holds", "partly", "no_gil", "too_short", "undecided"]
Gate = Literal["at_least", "longest_hold", "longest_wait", "speedup"]
Handover = Literal["released", "interrupted", "between_calls", "late"]
"""How a thread that asks gets the lock: because the call lets go by itself; at the switch interval,
because it can be interrupted or soon ends; or far later, because it cannot be interrupted."""

RELEASING: tuple[Verdict, ...] = ("releases", "partly", "no_gil")
"""Other threads run meanwhile, for a part of the time at least."""

INTERRUPTED = "interrupted"
"""The reason of a finding that Ctrl-C left out, or cut short."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The call in several threads at once, against serial."""

    workers: int
    speedup: Estimate | None
    of_ceiling: Estimate | None
    verdict: ScalingVerdict | None
    reason: str | None = None
    """Why it was not measured, or why its verdict is withheld."""
    status: Status = "ok"
    ceiling: Estimate | None = None
    """What a loop that releases the GIL gains from as many workers: what this machine gives."""
    expected: float | None = None
    """The most that it can gain on the CPUs that this process may use."""
    busy: float | None = None
    """How busy the call alone keeps a core, beside that loop: what waits, less than one."""
    cause: Cause | None = None
    """Why threads gain nothing, as far as the figures tell."""
    proved_by: Cause | None = None
    """What proves that they gain nothing, where the interval does not."""
    held: float | None = None
    """The fraction of the time that the GIL was held while the threads ran."""
    trusted: bool = True
    """False where two identical serial arms differed."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What a thread that asks waits beside a loop of bytecode: the switch interval, if all is well.

    What it waits longer, no call is to blame for.
    """

    p50_s: float
    p99_s: float
    longest_s: float
    asked: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a thread that asks for the lock waits while the call is repeated; in seconds."""

    p50_s: float
    p99_s: float
    longest_s: Estimate
    """The longest wait seen; at least what of one is the call's doing for sure, and not the
    machine's; at most what a wait that was not seen may be."""
    handover: Handover | None
    """None where the waits do not tell."""
    asked: int
    duration_s: float
    switch_interval_s: float
    floor: Floor


@dataclass(frozen=True, slots=True)
class Finding:
    """What one call does with the GIL; fractions of its time, times in seconds."""

    workload: str
    python: str
    status: Status
    variant: str = ""
    """The value that the setup was given: ``N=1000``."""
    verdict: Verdict | None = None
    """None where it failed or is unavailable; undecided where this machine cannot tell it now."""
    reason: str | None = None
    """Why it was not measured, or why it is undecided."""
    notes: tuple[str, ...] = ()
    released: Estimate | None = None
    """The fraction of the call's time in which it lets other threads run."""
    held_mean: float | None = None
    """The fraction held, over all that was measured."""
    longest_hold_s: Estimate | None = None
    """The longest that one call was seen to hold the lock at once. A release under some 0.15 ms may
    fall between two samples, and calls of under some 50 µs are timed in batches: where what was
    seen may be several holds its low end is 0, and its high end the most that one was."""
    others_held: float = 0.0
    """The fraction of the time that other threads of the process held the lock."""
    call: Spread | None = None
    """The time of one call."""
    shortest_s: float | None = None
    """The shortest call that can be told, whatever it does."""
    holder: Estimate | None = None
    """Released by a kernel that holds the lock: 0, or nothing here can be trusted."""
    releaser: Estimate | None = None
    """Released by a kernel that releases it: 1."""
    samples: int = 0
    missed: int = 0
    calls: int = 0
    duration_s: float = 0.0
    waits: Waits | None = None
    """From rounds of their own; None where there is no GIL, or nobody asked."""
    scaling: Scaling | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a finding is as was asked for: None where its interval cannot tell."""

    workload: str
    variant: str
    gate: Gate
    limit: float
    passed: bool | None
    reason: str | None = None
    """Why it is undecided, where the finding does not tell."""


@dataclass(frozen=True, slots=True)
class Onset:
    """From which value on a call releases the lock, where a name was varied.

    Numbers are in their order, other values in the order given, as they are written in Python.
    """

    workload: str
    varied: str
    """The name: ``N``."""
    decided: bool
    """False where a value whose verdict is open may be the first that releases, and where verdicts
    differ and not all values are numbers, since then no value is the first: all are None."""
    holds_to: int | float | str | None
    """The last value at which it holds the lock; None where it does at none."""
    releases_from: int | float | str | None
    """The next value: from there on it releases the lock, in part at least; None where there is
    none."""
    mostly_from: int | float | str | None
    """From there on it releases the lock for nearly all of its time."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one run of check or census yields."""

    command: str
    partial: bool
    options: Mapping[str, Any]
    environment: Mapping[str, Any]
    cells: Sequence[Finding]
    gates: Sequence[GateResult] = ()
    onsets: Sequence[Onset] = ()
    """One a call of which a name was varied."""
    summary: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        """Whether a call failed, alone or in threads."""
        return any(
            "failed" in (cell.status, cell.scaling and cell.scaling.status) for cell in self.cells
        )

    @property
    def passed(self) -> bool | None:
        """Whether all gates passed: False where one failed, None where one cannot be decided."""
        outcomes = [gate.passed for gate in self.gates]
        if False in outcomes:
            return False
        return None if None in outcomes else True

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, just as it stands in the file."""
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
