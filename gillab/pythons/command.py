"""What ``--python`` takes: variables, a program with what wraps it, and Python's own options."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from gillab.errors import UsageError

_VARIABLE = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VERSION = re.compile(r"\d+\.\d+t?")
_TAKES_VALUE = ("-X", "-W")


@dataclass(frozen=True, slots=True)
class Command:
    """A Python as its user wrote it, in its parts."""

    variables: tuple[tuple[str, str], ...]
    wrapper: tuple[str, ...]
    """A program that starts the Python, with its arguments; mostly empty."""
    program: str
    """The Python: its name or path."""
    options: tuple[str, ...]
    """Python's own: ``-X gil=1``."""

    @property
    def words(self) -> tuple[str, ...]:
        """What is to be run, without the variables."""
        return (*self.wrapper, self.program, *self.options)

    @property
    def text(self) -> str:
        """The whole as a shell would take it."""
        set_ = [f"{name}={shlex.quote(value)}" for name, value in self.variables]
        return " ".join((*set_, shlex.join(self.words)))

    def describe_with(self, name: str) -> str:
        """Return ``name`` with what its user has set: ``PYTHON_JIT=1 3.14``, ``3.14t -X gil=1``."""
        set_ = [f"{variable}={value}" for variable, value in self.variables]
        return " ".join((*set_, name, *self.options))


def parse_command(text: str) -> Command:
    """Take a text apart: ``PYTHON_JIT=1 python3.14``, ``python3.14t -X gil=1``.

    The Python is the last word that is no option. UsageError where there is none.
    """
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise UsageError(f"{text!r} is no command that can be read ({error}).") from None
    words = [word.strip('"') for word in words] if os.name == "nt" else words
    variables = []
    while words and (match := _VARIABLE.fullmatch(words[0])):
        variables.append((match[1], match[2]))
        del words[0]
    end = max((at for at in range(len(words)) if not _is_option(words, at)), default=-1) + 1
    if not end:
        raise UsageError(f"{text!r} names no Python; give it a name such as python3.14.")
    *wrapper, program = words[:end]
    return Command(tuple(variables), tuple(wrapper), program, tuple(words[end:]))


def _is_option(words: list[str], at: int) -> bool:
    return words[at].startswith("-") or (at > 0 and words[at - 1] in _TAKES_VALUE)


def find_program(name: str) -> str | None:
    """Return the path of a Python of that name, or of that version; None where there is none.

    Looks on the PATH, then among pyenv's versions, then in the folders under /opt.
    """
    if os.path.dirname(name):
        path = os.path.expanduser(name)
        return path if os.access(path, os.X_OK) and os.path.isfile(path) else None
    names = [name, f"python{name}"] if _VERSION.fullmatch(name) else [name]
    return next((path for each in names for path in _list_places(each)), None)


def _list_places(name: str) -> Iterator[str]:
    found = shutil.which(name)
    # What pyenv puts on the PATH fails for a version that is not chosen in this folder.
    if found and os.path.basename(os.path.dirname(found)) != "shims":
        yield found
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for pattern in (f"{glob.escape(pyenv)}/versions/*/bin", "/opt/*/bin"):
        for folder in sorted(glob.glob(pattern), reverse=True):
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                yield path
    if found:
        yield found
