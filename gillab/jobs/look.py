"""A first look at a job in a fresh interpreter: whether there is one, and how many items it has."""

from __future__ import annotations

from contextlib import suppress

from gillab.blocks.messages import Refused
from gillab.errors import UsageError
from gillab.jobs.messages import JobSeen, LookAtJob
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.workload import Workload

CHILD = "gillab.jobs.child"


def count_items(workload: Workload, start_method: str | None, timeout_s: float) -> int | None:
    """Return the number of items; None where that is left for the measuring to report.

    UsageError for a function that does not exist, or items that cannot be made.
    """
    with Launch(CHILD) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(LookAtJob(workload, start_method))
        answer = launch.receive(timeout_s)
        if isinstance(answer, Refused):
            raise UsageError(answer.reason)
        if isinstance(answer, JobSeen):
            return answer.items
    return None
