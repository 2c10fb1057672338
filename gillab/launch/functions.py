"""Looks in a fresh interpreter whether the functions that are workloads exist."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gillab.errors import UsageError
from gillab.launch.interpreter import Interpreter
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import FindFunctions, Found
from gillab.workload import Workload


def check_functions(
    workloads: Sequence[Workload], timeout_s: float, interpreter: Interpreter | None = None
) -> None:
    """Raise UsageError if a function that is a workload does not exist.

    It is looked for in this Python, or in that of ``interpreter``. If a module cannot be imported
    for another reason, the measuring reports that.
    """
    names = tuple(workload.name for workload in workloads if workload.kind == "function")
    if not names:
        return
    # If the launch does not start at all, the measuring reports that too.
    with Launch(interpreter=interpreter) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(FindFunctions(names))
        for _ in names:
            found = launch.receive(timeout_s)
            if isinstance(found, Found) and found.reason is not None:
                raise UsageError(found.reason)
