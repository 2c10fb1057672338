"""A first look at a workload in a fresh interpreter: how long one step takes."""

from __future__ import annotations

from contextlib import suppress

from gillab.launch.launch import Launch, LaunchEndedError
from gillab.sweeps.messages import StepTimed, TimeStep
from gillab.workload import Workload

CHILD = "gillab.sweeps.child"


def time_step(workload: Workload, timeout_s: float) -> float | None:
    """Return the seconds of one step; None where it fails, which is left for the run to report."""
    with Launch(CHILD) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(TimeStep(workload))
        answer = launch.receive(timeout_s)
        if isinstance(answer, StepTimed):
            return answer.step_s
    return None
