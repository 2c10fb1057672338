"""Says in a line how a task, a worker or an interpreter failed."""

from __future__ import annotations

import re
import signal

from gillab.errors import GillabError

REFUSAL = "does not support loading in subinterpreters"
"""CPython's words for a module that cannot be imported in a subinterpreter."""

_REFUSED = re.compile(rf"module ([\w.]+) {REFUSAL}")
_LONGEST = 300
_DEEPEST = 20
"""How many causes of causes are looked at: a chain may be a ring."""


class UnavailableError(GillabError):
    """A strategy's workers cannot be had; the text is the reason, as that of an obstacle is."""


class LostError(GillabError):
    """Workers that there were cannot go on; the text says which, and how that came about."""


def describe_exception(error: BaseException) -> str:
    """Return its type and the first line of its message, whatever that message does.

    If a module refused to load in a subinterpreter, name that module: packages wrap this error in
    advice of their own.
    """
    try:
        if isinstance(error, SystemExit):
            return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
        if refusal := _find_refusal(error):
            return refusal
        lines = str(error).strip().splitlines()
    except Exception:
        lines = ["(its message cannot be shown)"]
    name = type(error).__name__
    return f"{name}: {printable(lines[0])}" if lines else name


def _find_refusal(error: BaseException) -> str | None:
    cause: BaseException | None = error
    for _ in range(_DEEPEST):
        if cause is None:
            break
        if match := _REFUSED.search(str(cause)):
            return f"{match[1].partition('.')[0]}: {match[0]}"
        cause = cause.__cause__ or cause.__context__
    return None


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


def printable(text: str) -> str:
    """Return the beginning of a text, without characters that a file or a terminal cannot take."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST])
