"""What a launch that looks at a job and its parent tell each other."""

from __future__ import annotations

from dataclasses import dataclass

from gillab.launch.messages import Message
from gillab.workload import Workload


@dataclass(frozen=True, slots=True)
class LookAtJob(Message):
    """Load the job as a program would; answer with `JobSeen` and `JobTimed`, or `Refused`."""

    workload: Workload
    start_method: str | None


@dataclass(frozen=True, slots=True)
class JobSeen(Message):
    """How many items there are; None where the program's own code failed before they were made."""

    items: int | None


@dataclass(frozen=True, slots=True)
class JobTimed(Message):
    """How long the loop takes, told from some items; None where they fail."""

    loop_s: float | None
