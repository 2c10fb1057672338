"""Says in a line how a task, a worker or an interpreter failed."""

from __future__ import annotations

import signal


def describe_exception(error: BaseException) -> str:
    """Return its type and the first line of its message, whatever that message does."""
    try:
        if isinstance(error, SystemExit):
            return f"it called sys.exit({error.code!r})"
        lines = str(error).strip().splitlines()
    except Exception:
        lines = ["(its message cannot be shown)"]
    name = type(error).__name__
    return f"{name}: {lines[0][:300]}" if lines else name


def describe_exit(code: int) -> str:
    """Return how a process ended, by its exit code as ``subprocess`` gives it."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (by the out-of-memory killer, perhaps)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
