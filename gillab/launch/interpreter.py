"""Another Python than this one, as a launch needs it: the command that starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("site-packages", "dist-packages")
"""Folders of installed packages."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A command that starts a Python in which this version of gillab is installed."""

    label: str
    """What rows and sentences call it: ``3.14t``."""
    command: tuple[str, ...]
    """The program and its own options; several words where a wrapper starts it."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it gets besides the user's."""
    path: tuple[str, ...] | None = None
    """The folders that it imports from before its own; None: `list_user_folders`."""
    last: tuple[str, ...] = ()
    """The folders that it imports from after its own."""


def list_user_folders() -> list[str]:
    """Return the folders from which this process imports, but for those of its own Python.

    They hold the user's modules, which another Python can import too. The standard library, what is
    installed and gillab itself are built for one Python, and each has its own.
    """
    library = Path(os.__file__).parent
    ours = Path(__file__).resolve().parents[2]
    found = []
    for entry in sys.path:
        try:
            folder = Path(os.path.abspath(entry))
        except FileNotFoundError:  # relative to a folder that has been removed
            continue
        own = folder == library or library in folder.parents or folder.resolve() == ours
        if folder.is_dir() and not own and not set(PACKAGES) & set(folder.parts):
            found.append(str(folder))
    return list(dict.fromkeys(found))
