"""A first look at a job in a fresh interpreter: whether there is one, and how large it is."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import NamedTuple

from gillab.blocks.messages import Refused
from gillab.errors import UsageError
from gillab.jobs.messages import JobSeen, JobTimed, LookAtJob
from gillab.jobs.program import Job
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.workload import Workload

CHILD = "gillab.jobs.child"
_SAMPLE_S = 0.3
_SAMPLE = 64


class Look(NamedTuple):
    """What is known of a job before it is measured."""

    items: int | None = None
    """None where that is left for the measuring to report."""
    loop_s: float | None = None
    """How long the plain loop takes, roughly; None where that could not be told."""


def look_at_job(workload: Workload, start_method: str | None, timeout_s: float) -> Look:
    """Return the number of items, and roughly how long the loop takes.

    UsageError for a function that does not exist, or items that cannot be made.
    """
    look = Look()
    with Launch(CHILD) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(LookAtJob(workload, start_method))
        answer = launch.receive(timeout_s)
        if isinstance(answer, Refused):
            raise UsageError(answer.reason)
        if isinstance(answer, JobSeen) and answer.items is not None:
            look = Look(answer.items)
            answer = launch.receive(timeout_s)
            if isinstance(answer, JobTimed):
                look = look._replace(loop_s=answer.loop_s)
    return look


def estimate_loop(job: Job) -> float | None:
    """Return how long the loop would take, told from a few items; None where one fails.

    The first item may load what the others need, so it counts only where it is alone.
    """
    count = len(job.items)
    chosen = random.Random(count).sample(range(count), min(count, _SAMPLE))
    clock = time.monotonic
    taken_s = []
    ends = clock() + _SAMPLE_S
    try:
        for place in chosen:
            begun = clock()
            job.work(job.items[place])
            taken_s.append(clock() - begun)
            if clock() > ends and len(taken_s) > 1:
                break
    except Exception:
        return None
    rest = taken_s[1:] or taken_s
    return sum(rest) / len(rest) * count
