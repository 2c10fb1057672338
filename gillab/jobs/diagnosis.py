"""Why a job failed in a pool, and what to do about it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import IO, Any

from gillab.blocks.arm import ArmError, describe_deaths
from gillab.jobs.program import Job, ProgramError
from gillab.strategies import Strategy
from gillab.strategies.failure import (
    REFUSAL,
    LostError,
    UnavailableError,
    describe_exception,
    printable,
)

_SEARCH_S = 5.0
"""So long at most results are computed to find the one that cannot be pickled."""
_BOOTSTRAPPING = "bootstrapping phase"
"""In what multiprocessing says where a module starts processes while it is imported in a worker."""
GUARD = (
    "a module starts processes while it is imported, which its workers would do again; put that "
    'under `if __name__ == "__main__":`'
)

FORKED = (
    "it had forked processes, which wait for the lock of a module that starts them while it is "
    'imported; put that under `if __name__ == "__main__":`'
)


def explain(
    error: Exception,
    strategy: Strategy,
    job: Job,
    start_method: str | None,
    processes: Iterable[Any],
) -> ArmError:
    """Return the reason for a failure, with the cure where one is known.

    ``processes`` are those of the pool, which tell how they ended.
    """
    if isinstance(error, (LostError, UnavailableError)):
        lost = isinstance(error, LostError)
        return ArmError(str(error), "failed" if lost else "unavailable")
    reason = describe_exception(error)
    if _BOOTSTRAPPING in str(error):
        return ArmError(f"RuntimeError: {GUARD}")
    if isinstance(error, BrokenProcessPool):
        words = _hear_last_words(start_method)
        if _BOOTSTRAPPING in words:
            return ArmError(f"RuntimeError: {GUARD}")
        reason = describe_deaths(processes) or reason
        return ArmError(f"{reason}; a worker's last words: {words}" if words else reason)
    if not strategy.shares_gil:
        culprit = find_unpicklable(job)
        if culprit is not None:
            return ArmError(culprit)
    return ArmError(reason, "unavailable" if REFUSAL in reason else "failed")


def describe_program_error(error: ProgramError) -> str:
    """Return how the program's own code failed, with the cure where one is known."""
    cause = error.__cause__
    if _BOOTSTRAPPING in str(cause) or isinstance(cause, BrokenProcessPool):
        return f"{type(cause).__name__}: {GUARD}"
    return str(error)


def find_unpicklable(job: Job) -> str | None:
    """Say what cannot travel to a worker or back, and the cure; None where all can."""
    reason = _try_to_pickle(job.work)
    if reason:
        return (
            f"the function cannot be pickled ({reason}): define it at the top level of a module, "
            "or use threads"
        )
    for place, item in enumerate(job.items):
        reason = _try_to_pickle(item)
        if reason:
            return (
                f"item {place} cannot be pickled ({reason}): send what the function can make it "
                "from, or use threads"
            )
    deadline = time.monotonic() + _SEARCH_S
    for place, item in enumerate(job.items):
        if time.monotonic() > deadline:
            break
        with suppress(Exception):
            reason = _try_to_pickle(job.work(item))
        if reason:
            return (
                f"the result of item {place} cannot be pickled ({reason}): return plain data, or "
                "use threads"
            )
    return None


def _try_to_pickle(thing: Any) -> str | None:
    try:
        pickle.loads(pickle.dumps(thing))
    except Exception as error:
        return describe_exception(error)
    return None


def _hear_last_words(start_method: str | None) -> str:
    """Start one worker more, and return the last line that it writes to standard error.

    Where it is forked it has no import to fail in, and a fork server writes to where it was
    started, so such are spawned: their imports are the same.
    """
    method = start_method or multiprocessing.get_start_method()
    if method == "fork":
        return ""
    with tempfile.TemporaryFile() as file, _lead_errors_to(file):
        with (
            suppress(Exception),
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            pool.submit(int).result()
        file.seek(0)
        lines = file.read().decode("utf-8", "replace").splitlines()
    text = " ".join(line.strip() for line in lines)
    if _BOOTSTRAPPING in text:
        return _BOOTSTRAPPING
    telling = [line.strip() for line in lines if line.strip()]
    return printable(telling[-1]) if telling else ""


@contextmanager
def _lead_errors_to(file: IO[bytes]) -> Iterator[None]:
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
