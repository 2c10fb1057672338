"""Looks in a fresh interpreter whether functions exist, and what a workload imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from gillab.errors import UsageError
from gillab.launch.interpreter import Interpreter
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import FindFunctions, Found, Imports, ListImports
from gillab.workload import Workload


def check_functions(workloads: Sequence[Workload], timeout_s: float) -> None:
    """Raise UsageError if a function that is a workload does not exist.

    If a module cannot be imported for another reason, the measuring reports that.
    """
    names = tuple(workload.name for workload in workloads if workload.kind == "function")
    if not names:
        return
    # If the launch does not start at all, the measuring reports that too.
    with Launch() as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(FindFunctions(names))
        for _ in names:
            found = launch.receive(timeout_s)
            if isinstance(found, Found) and found.reason is not None:
                raise UsageError(found.reason)


def find_imports(
    workload: Workload, timeout_s: float, interpreter: Interpreter
) -> Mapping[str, str] | None:
    """Return the files of the modules that one task of a workload imports, by their names.

    None where it does not come to its end, which the measuring reports. UsageError if the function
    does not exist.
    """
    with Launch(interpreter=interpreter) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        launch.send(ListImports(workload))
        found = launch.receive(timeout_s)
        if isinstance(found, Imports):
            if found.reason is not None:
                raise UsageError(found.reason)
            return found.files
    return None
