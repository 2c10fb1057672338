"""What a launch that tries sizes and its parent tell each other."""

from __future__ import annotations

from dataclasses import dataclass

from gillab.launch.messages import Message
from gillab.workload import Workload


@dataclass(frozen=True, slots=True)
class TimeStep(Message):
    """Time one step of the workload, and answer with `StepTimed`."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class StepTimed(Message):
    """What a step takes in seconds; None where it failed."""

    step_s: float | None
