"""How to measure: the presets, and the limits of a run's options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict, TypeVar

from gillab.blocks.plan import Experiment
from gillab.errors import UsageError
from gillab.limits import check_ranges

_Number = TypeVar("_Number", int, float)

PresetName = Literal["default", "fast", "rigorous"]


class Preset(NamedTuple):
    """How thorough a run is; times in seconds, the target a relative half-width."""

    task_time_s: float
    min_blocks: int
    max_blocks: int
    time_budget_s: float
    """The budget for `_USUAL_ARMS`, the arms of three workloads by default; more arms get more."""
    target_error: float
    launches: int


PRESETS: dict[str, Preset] = {
    "default": Preset(0.040, 12, 62, 57.0, 0.03, launches=3),
    "fast": Preset(0.020, 9, 27, 14.0, 0.05, launches=2),
    # Only more launches average out what lasts for a whole interpreter (memory layout, caches).
    "rigorous": Preset(0.080, 30, 300, 600.0, 0.01, launches=6),
}
_USUAL_ARMS = 21
"""Three workloads: serial twice, threads, processes, interpreters, and two controls."""


class How(TypedDict, total=False):
    """How long and how well an experiment measures; what is left out or None is the preset's.

    Every experiment with blocks takes these by name.
    """

    min_blocks: int | None
    """The fewest blocks of a workload, unless its time is up."""
    max_blocks: int | None
    time_budget_s: float | None
    """Seconds for the whole run."""
    target_error: float | None
    """The relative half-width of an interval that is narrow enough."""
    confidence: float
    """Of all intervals together; 0.95 by default."""
    seed: int | None
    """Of the order within blocks."""
    timeout_s: float | None
    """An arm that takes longer has hung."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How to measure; all times in seconds."""

    task_time_s: float
    """How long one task of an arm takes, about."""
    min_blocks: int
    """The fewest blocks of a workload, unless its time is up."""
    max_blocks: int
    """The most blocks of a workload."""
    time_budget_s: float
    """How long the whole run may take."""
    target_error: float
    """An interval with this relative half-width is narrow enough."""
    confidence: float
    """Of all intervals together."""
    timeout_s: float
    """How long one arm may take before it counts as hung."""
    seed: int
    """Of the order within the blocks."""
    launches: int = 3
    """How many fresh interpreters the blocks are spread over."""
    steps: int | None = None
    """Steps of one task; None to calibrate them to the task time."""
    start_method: str | None = None
    """How processes are started; None: as Python does by default."""
    inner_threads: int | None = None
    """The most threads that a library may start in a worker; None: no limit."""
    until_decided: bool = True
    """Whether the run ends as soon as every verdict is decided."""
    limit: float | None = None
    """A speedup to decide about in place of the verdicts: whether it is reached."""
    thins: bool = False
    """Whether arms that are much slower than serial run in few blocks."""
    block_s: float = 0.0
    """The arms of a block take turns for so long, in short tasks; 0: each has one task in it."""


def make_protocol(
    experiments: Sequence[Experiment],
    preset: str,
    *,
    steps: int | None = None,
    start_method: str | None = None,
    inner_threads: int | None = None,
    task_time_s: float | None = None,
    min_blocks: int | None = None,
    max_blocks: int | None = None,
    time_budget_s: float | None = None,
    target_error: float | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    timeout_s: float | None = None,
) -> Protocol:
    """Return a preset, with the given options in place of its own; None keeps the preset's.

    The preset's time grows with the number of arms. UsageError if the protocol cannot be followed.
    """
    if preset not in PRESETS:
        raise UsageError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    base = PRESETS[preset]
    arms = sum(len(experiment.arms) for experiment in experiments)
    budget_s = _given(time_budget_s, base.time_budget_s * max(1.0, arms / _USUAL_ARMS))
    protocol = Protocol(
        task_time_s=_given(task_time_s, base.task_time_s),
        min_blocks=_given(min_blocks, min(base.min_blocks, _given(max_blocks, base.min_blocks))),
        max_blocks=_given(max_blocks, max(base.max_blocks, _given(min_blocks, 0))),
        time_budget_s=budget_s,
        target_error=_given(target_error, base.target_error),
        confidence=confidence,
        # An arm that takes so long leaves no time for a block; one that hangs, for the others.
        timeout_s=_given(timeout_s, min(30.0, max(5.0, budget_s / 4))),
        seed=int.from_bytes(os.urandom(4), "big") if seed is None else seed,
        launches=base.launches,
        steps=steps,
        start_method=start_method,
        inner_threads=inner_threads,
        # A rigorous run, or one with a target error, goes on when every verdict is decided.
        until_decided=preset != "rigorous" and target_error is None,
    )
    _check(protocol)
    return protocol


def _given(value: _Number | None, otherwise: _Number) -> _Number:
    return otherwise if value is None else value


def _check(protocol: Protocol) -> None:
    """Refuse a protocol that cannot be followed."""
    if not 0 < protocol.confidence < 1:
        raise UsageError(f"confidence is a fraction between 0 and 1, not {protocol.confidence}.")
    names = ("task_time_s", "time_budget_s", "timeout_s", "target_error", "min_blocks")
    check_ranges((), **{name: getattr(protocol, name) for name in names})
    for name in ("steps", "inner_threads"):
        value = getattr(protocol, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} must be a number from 1 on, not {value}.")
    if protocol.min_blocks > protocol.max_blocks:
        raise UsageError(
            f"--min-blocks {protocol.min_blocks} is more than --max-blocks {protocol.max_blocks}."
        )
    if protocol.start_method is not None:
        import multiprocessing

        here = multiprocessing.get_all_start_methods()
        if protocol.start_method not in here:
            raise UsageError(
                f"processes cannot be started by {protocol.start_method!r} here; "
                f"there is {', '.join(here)}."
            )
