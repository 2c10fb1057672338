"""Two versions of one thing in two places: in two installs, or in two revisions of a repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gillab.errors import UsageError
from gillab.launch.interpreter import list_user_folders
from gillab.pythons.examine import Python, examine_here
from gillab.pythons.prepare import prepare_pythons
from gillab.pythons.revision import Revision, find_revision, prepare_revision


@dataclass(frozen=True, slots=True)
class Place:
    """Where one version is: in another Python, in a revision, or here where both are None."""

    python: str | None = None
    """A command that starts a Python, or the folder of a virtual environment."""
    revision: str | None = None


def prepare_places(
    old: Place,
    new: Place,
    *,
    install: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Python, Python]:
    """Return the Pythons in which old and new run, with labels that say so.

    Where gillab is not installed, it is installed in a virtual environment if ``install`` is set.
    What cannot be measured says so in its ``reason``. ``tell`` is told what goes on. UsageError for
    a text that cannot be read, a revision that there is not, and two places that are one.
    """
    for name, place in (("old", old), ("new", new)):
        if place.python is not None and place.revision is not None:
            raise UsageError(f"give either --{name}-python or --{name}-rev, not both.")
    # A wrong name is told before anything is built.
    revisions = [
        None if place.revision is None else find_revision(place.revision) for place in (old, new)
    ]
    if revisions[0] is not None and revisions[0] == revisions[1]:
        raise UsageError(f"old and new are both {old.revision}; name two revisions.")
    if old.python is not None and old.python == new.python:
        raise UsageError(f"old and new are both in {old.python}; name two installs.")
    pythons = [
        _label(_prepare(place, revision, install, tell), label)
        for label, place, revision in zip(("old", "new"), (old, new), revisions, strict=True)
    ]
    return pythons[0], pythons[1]


def _prepare(
    place: Place, revision: Revision | None, install: bool, tell: Callable[[str], None]
) -> Python:
    if revision is not None:
        return prepare_revision(revision, tell)
    if place.python is None:
        return examine_here()
    (python,) = prepare_pythons([_find_program(place.python)], install=install, tell=tell)
    # What is installed is compared: it goes before what lies in the current folder.
    last = tuple(list_user_folders())
    return replace(python, interpreter=replace(python.interpreter, path=(), last=last))


def _find_program(text: str) -> str:
    """Return the Python of a virtual environment where the text is its folder."""
    folder = Path(text).expanduser()
    if not folder.is_dir():
        return text
    name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    path = folder.joinpath(*name)
    return f'"{path}"' if " " in str(path) else str(path)


def _label(python: Python, label: str) -> Python:
    return replace(python, interpreter=replace(python.interpreter, label=label))
