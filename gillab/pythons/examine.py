"""Asks a Python what it is, and whether this version of gillab works in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gillab import __version__
from gillab.launch.interpreter import Interpreter, list_user_folders
from gillab.pythons.command import Command, find_program
from gillab.results import Status
from gillab.strategies.failure import describe_exit, printable

_PATIENCE_S = 20.0
_OLDEST = (3, 11)
_MARK = "gillab-python:"
_SCRIPT = f"""
import json, platform, sys, sysconfig
sys.path = [folder for folder in sys.path if folder]
check = getattr(sys, "_is_gil_enabled", None)
jit = getattr(sys, "_jit", None)
facts = dict(
    python=platform.python_version(),
    implementation=platform.python_implementation().lower(),
    compiler=platform.python_compiler(),
    executable=sys.executable,
    free_threaded_build=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    gil_enabled=check() if check else True,
    jit_enabled=jit.is_enabled() if jit else False,
)
where = dict(
    version=list(sys.version_info[:3]),
    environment=sys.prefix != getattr(sys, "base_prefix", sys.prefix),
    packages=sorted({{sysconfig.get_path(name) for name in ("purelib", "platlib")}}),
)
found, reason = None, None
try:
    import gillab
    found = gillab.__version__
    import gillab.blocks.child
except Exception as error:
    reason = type(error).__name__ + ": " + (str(error).splitlines() or [""])[0]
print("")
print({_MARK!r} + json.dumps([facts, where, found, reason]))
"""


@dataclass(frozen=True, slots=True)
class Python:
    """A Python that is to be measured: how it starts, what it is, and why it cannot be measured."""

    command: Command
    interpreter: Interpreter
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As of this Python in the JSON: ``python``, ``implementation``, ``gil_enabled`` ..."""
    version: tuple[int, ...] = ()
    packages: tuple[str, ...] = ()
    """Where it imports installed packages from, if it is a virtual environment."""
    status: Status = "ok"
    reason: str | None = None
    """Why nothing can be measured in it."""
    lacks_gillab: bool = False
    """Whether it would do if this version of gillab were installed there."""

    @property
    def label(self) -> str:
        """What rows and sentences call it."""
        return self.interpreter.label

    def refuse(self, status: Status, reason: str) -> Python:
        """Return it with the reason why nothing can be measured in it."""
        return replace(self, status=status, reason=reason)


def describe_python(python: Python) -> dict[str, Any]:
    """Return what is known of it, as in the JSON."""
    return {
        "label": python.label,
        "command": python.command.text,
        **python.facts,
        "status": python.status,
        "reason": python.reason,
    }


def examine(command: Command) -> Python:
    """Start a Python once, and return what it says of itself; its ``reason`` says what is wrong."""
    python = Python(command, Interpreter(command.text, command.words, dict(command.variables)))
    first = command.wrapper[0] if command.wrapper else command.program
    path = find_program(first)
    if path is None:
        by_path = bool(os.path.dirname(first))
        where = "; correct its path" if by_path else " on the PATH, in pyenv or under /opt"
        return python.refuse("unavailable", f"there is no {first}{where}")
    words = (path, *command.words[1:])
    python = replace(python, interpreter=replace(python.interpreter, command=words))
    try:
        ended = subprocess.run(
            [*words, "-c", _SCRIPT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={
                **os.environ,
                **python.interpreter.variables,
                "PYTHONPATH": os.pathsep.join(list_user_folders()),
            },
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return python.refuse("failed", f"it did not answer within {_PATIENCE_S:g} s")
    except OSError as error:
        return python.refuse("failed", f"it cannot be started: {error.strerror}")
    return _read(python, ended)


def examine_here() -> Python:
    """Return this Python, which imports what this process does."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    python = examine(Command((), (), sys.executable, tuple(flags)))
    path = tuple(os.path.abspath(folder) for folder in sys.path)
    python = replace(python, interpreter=replace(python.interpreter, path=path))
    # gillab is here, however this process came to import it.
    return replace(python, status="ok", reason=None, lacks_gillab=False) if python.facts else python


def _read(python: Python, ended: subprocess.CompletedProcess[bytes]) -> Python:
    answer = ended.stdout.decode("utf-8", "replace").rpartition(_MARK)[2]
    try:
        facts, where, found, reason = json.loads(answer)
    except (ValueError, TypeError):
        said = ended.stderr.decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in said if line.strip()]
        last = f"; its last words: {printable(words[-1])}" if words else ""
        how = describe_exit(ended.returncode) if ended.returncode else "did not answer as Python"
        return python.refuse("failed", f"it {how}{last}")
    packages = tuple(where["packages"]) if where["environment"] else ()
    python = replace(python, facts=facts, version=tuple(where["version"]), packages=packages)
    if python.version < _OLDEST:
        needs = ".".join(map(str, _OLDEST))
        return python.refuse("unavailable", f"gillab needs Python {needs}, not {facts['python']}")
    if found == __version__ and reason is None:
        return python
    python = replace(python, lacks_gillab=True)
    if found is None:
        return python.refuse("unavailable", f"gillab {__version__} is not installed there")
    if found != __version__:
        return python.refuse("unavailable", f"gillab {found} is there, not {__version__}")
    return python.refuse("failed", f"gillab is there, but cannot be imported: {reason}")
