"""The folder in which ``multiprocessing`` keeps a launch's sockets, removed with the launch.

``multiprocessing`` removes its files only at a normal end, and a launch is killed. The temporary
files of the workload are not removed: they stay where it put them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_PREFIX = "pymp-"
"""As ``multiprocessing`` names it, which keeps a socket's whole name as short."""
_LONGEST_NAME = 103
"""A socket's name has at most so many bytes on macOS, and four more on Linux."""
_NAME = f"/{_PREFIX}12345678/listener-12345678"
"""What a socket is called in the folder for temporary files."""


def make_folder() -> str | None:
    """Make the folder; None if that is not possible, and ``multiprocessing`` must make its own."""
    if sys.platform == "win32":
        return None  # pipes have no files there
    import tempfile  # which a launch need not load

    with suppress(OSError):
        base = os.path.abspath(tempfile.gettempdir())
        if len(os.fsencode(base + _NAME)) > _LONGEST_NAME:
            base = "/tmp"
        return tempfile.mkdtemp(prefix=_PREFIX, dir=base)
    return None


def adopt_folder() -> str | None:
    """Have ``multiprocessing`` use the folder that this program was started with; return it.

    What this process starts by ``multiprocessing`` uses it too. None if this process does not see
    the folder, as one in a container may not: ``multiprocessing`` then makes its own.
    """
    import multiprocessing

    folder: str | None = sys.argv.pop()
    if not folder or not os.path.isdir(folder):
        return None
    vars(multiprocessing.current_process())["_config"]["tempdir"] = folder
    return folder


def remove_folder(folder: str | None) -> None:
    """Remove the folder with all that is left in it."""
    if folder is not None:
        import shutil  # which a launch need not load, only what watches over it

        shutil.rmtree(folder, ignore_errors=True)
