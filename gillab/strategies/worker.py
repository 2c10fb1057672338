"""Runs inside a worker, of whatever strategy: it returns plain data and raises nothing.

The user's exceptions may not unpickle elsewhere, and the results may not pickle. So what happened
is sent as text, and results stay in the worker.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NamedTuple

from gillab.results import Data
from gillab.strategies.failure import describe_exception
from gillab.workload import Setup, Task, Workload, make_task, run_setup

try:
    import resource
except ImportError:  # on Windows, and in interpreters that it does not support
    resource = None  # type: ignore[assignment]


class Ready(NamedTuple):
    """A worker's answer to the roll call."""

    worker: tuple[int, int]
    """Process and thread, which tell one worker from the other."""
    ready_ns: int
    """When its setup had ended, on the machine's monotonic clock."""
    failure: str | None


class Outcome(NamedTuple):
    """The outcome of one task."""

    pid: int
    cpu_ns: int
    """CPU time that the worker's whole process used meanwhile, see ``read_cpu_ns``."""
    failure: str | None


class _Pool(NamedTuple):
    task: Task | None
    ready_ns: int
    failure: str | None


_pools: dict[tuple[int, str], _Pool] = {}
"""By thread and pool: in threads too, every worker has a task of its own.

Not a ``threading.local``: a subinterpreter gets a new thread state for every call, and its locals
would be lost with it.
"""


_shared: dict[Workload, Setup] = {}
"""What the setup of a workload made in this process and interpreter."""
_sharing = threading.Lock()


def read_cpu_ns() -> int:
    """Return the CPU time of this process and of the programs that it started and waited for.

    If the system does not tell, the programs are not included.
    """
    own_ns = time.process_time_ns()
    if resource is None:
        return own_ns
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own_ns + round((children.ru_utime + children.ru_stime) * 1e9)


def initialize(
    pool: str,
    workload: Workload | Task,
    path: list[str] | None,
    inner_threads: int | None,
    data: Data = "shared",
) -> None:
    """Set this worker up: the caller's import path, unless None, then the workload's setup.

    The workers of one process and interpreter share what the setup made, unless their ``data`` is
    their own. A task that is already prepared is used as it is. ``inner_threads`` is the most
    threads that a library may use.
    """
    if path is not None:
        sys.path[:] = path
    task, failure = None, None
    try:
        task = _prepare(workload, data) if isinstance(workload, Workload) else workload
        if inner_threads is not None:
            limit_inner_threads(inner_threads)
    except BaseException as error:
        failure = describe_exception(error)
    _pools[threading.get_ident(), pool] = _Pool(task, time.monotonic_ns(), failure)


def _prepare(workload: Workload, data: Data) -> Task:
    if data == "own":
        return make_task(run_setup(workload))
    with _sharing:
        if workload not in _shared:
            _shared[workload] = run_setup(workload)
    return make_task(_shared[workload])


def forget(pool: str) -> None:
    """Release the tasks that a pool's workers in this process have set up."""
    for key in [key for key in _pools if key[1] == pool]:
        del _pools[key]


def limit_inner_threads(most: int) -> None:
    """Limit the thread pools of the libraries that are loaded here (BLAS, OpenMP)."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(most)


def answer(pool: str, pause_s: float) -> Ready:
    """Say which worker this is; the pause leaves the next call to another worker."""
    time.sleep(pause_s)
    nothing = _Pool(None, time.monotonic_ns(), "its executor did not run the initializer")
    state = _pools.get((threading.get_ident(), pool), nothing)
    return Ready((os.getpid(), threading.get_native_id()), state.ready_ns, state.failure)


def run_plainly(pool: str, steps: int) -> str | None:
    """Take so many steps, and nothing besides that takes time; return how it failed, if it did."""
    try:
        _pools[threading.get_ident(), pool].task(steps)  # type: ignore[misc]
    except BaseException as error:
        return describe_exception(error)
    return None


def run(pool: str, steps: int) -> Outcome:
    """Take so many steps of the workload."""
    failure = None
    before_ns = read_cpu_ns()
    try:
        task = _pools[threading.get_ident(), pool].task
        assert task is not None, "a pool whose setup failed is given up"
        task(steps)
    except BaseException as error:
        failure = describe_exception(error)
    return Outcome(os.getpid(), read_cpu_ns() - before_ns, failure)
