"""Virtual environments that are kept under the user's cache folder, so that they are made once.

Each is made under a temporary name and renamed when all is done, so that one that was broken off
never counts. One that nobody has used for three months is removed when another is made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from gillab.launch.process_group import end_group
from gillab.pythons.command import Command
from gillab.pythons.examine import Python
from gillab.strategies.failure import printable

_LOOK = "import os, sys; sys.exit(not os.path.isdir(sys.argv[1]))"
_PATIENCE_S = 600.0
_EMPTY_WORDS = re.compile(
    "subprocess-exited-with-error|Could not build wheels|Failed (to build|building)|"
    "^error: command .* failed with exit code|^note: |^hint: "
)
"""What pip ends with where a build fails; why stands before it."""
_COMPILER = re.compile(r"\S+:\d+(:\d+)?: (fatal )?error: ")
_UNUSED_S = 90 * 24 * 3600.0
PROGRAM = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
"""The Python of an environment, from its folder on."""


def find_cache() -> Path:
    """Return the folder of this user in which the environments are kept."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base, "gillab", "pythons").absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home(), "gillab", "Cache", "pythons")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gillab" / "pythons"
    return Path.home() / ".cache" / "gillab" / "pythons"


def keep(place: Path, make: Callable[[Path], str | None]) -> str | None:
    """Have ``make`` fill a new folder that is then kept in ``place``; return why that failed.

    ``make`` returns why it failed, or None; what it leaves beside the folder goes. What is in
    ``place`` already is used.
    """
    if place.exists():
        with suppress(OSError):  # somebody else's: as good
            os.utime(place)
        return None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(place.parent)
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        return f"no environment can be made in {place.parent}: {error.strerror}"
    try:
        made = folder / "made"
        made.mkdir()
        if reason := make(made):
            return reason
        with suppress(OSError):  # another run was quicker, and its environment is as good
            made.rename(place)
        return None if place.exists() else f"{made} cannot be renamed to {place}"
    except OSError as error:
        return f"no environment can be made in {place.parent}: {error.strerror}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unused(folder: Path) -> None:
    for place in folder.iterdir():
        with suppress(OSError):
            if place.is_dir() and time.time() - place.stat().st_mtime > _UNUSED_S:
                shutil.rmtree(place, ignore_errors=True)


def make_environment(python: Python, place: Path) -> str | None:
    """Make a virtual environment in a folder that is there or not; return why that failed.

    It sees what is installed for ``python``, whatever an environment of its own imports besides
    (editable installs, say) too.
    """
    place.mkdir(exist_ok=True)
    look = [*python.interpreter.command, "-c", _LOOK, str(place)]
    if run(python, look) is not None:  # it runs in a container, say
        return f"it does not see {find_cache().parent}; set XDG_CACHE_HOME to a folder that it sees"
    start = [*python.interpreter.command, "-m", "venv", "--system-site-packages", str(place)]
    with _temporary(place) as variables:
        reason = run(python, start, variables)
    if reason:
        return f"its virtual environment cannot be made: {reason}"
    if python.packages:
        # The empty set: pip keeps out of its builds only what is added whenever it looks.
        lines = [f"import site; site.addsitedir({folder!r}, set())" for folder in python.packages]
        add_paths(place, lines)
    return None


def add_paths(place: Path, lines: Sequence[str]) -> None:
    """Have an environment run these lines of a ``.pth`` file, or import from these folders."""
    for folder in place.rglob("site-packages"):
        with (folder / "gillab-added.pth").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def find_inside(python: Python, place: Path) -> Command:
    """Return the command that starts the Python of an environment as ``python`` is started."""
    # What chooses a version, for the launcher of Windows, has done so.
    options = tuple(each for each in python.command.options if not re.match(r"-\d|-V:", each))
    return replace(python.command, program=str(place.joinpath(*PROGRAM)), options=options)


def install(python: Python, place: Path, *words: str) -> str | None:
    """Run ``pip install`` in an environment of ``python``; return why it fails."""
    inside = find_inside(python, place)
    quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with _temporary(place) as variables:
        return run(python, [*inside.words, *quiet, *words], variables)


@contextmanager
def _temporary(place: Path) -> Iterator[Mapping[str, str]]:
    """Give the variables that have temporary files made beside an environment, where they end."""
    folder = place.parent / "tmp"
    folder.mkdir(exist_ok=True)
    try:
        yield {"TMPDIR": str(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    python: Python, words: Sequence[str], variables: Mapping[str, str] | None = None
) -> str | None:
    """Run a command as the Python is run, and end what it leaves; return why it fails."""
    environment = {**os.environ, **python.interpreter.variables, **(variables or {})}
    # What the user imports from has no part in it, and pip is to install where it is.
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"):
        environment.pop(name, None)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=os.name != "nt",
        )
    except OSError as error:
        return str(error.strerror)
    try:
        output, _ = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"it takes longer than {_PATIENCE_S:g} s"
    finally:
        if process.poll() is None:  # a compiler that pip has started would go on
            if os.name != "nt":
                end_group(process.pid)
            process.kill()
            process.communicate()
    if process.returncode == 0:
        return None
    return _find_reason(output.decode("utf-8", "replace"))


def _find_reason(text: str) -> str:
    """Return the line that says why a command failed: a compiler's first error, if there is one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not _EMPTY_WORDS.search(line)]
    first = next((line for line in told if _COMPILER.match(line)), None)
    if first is not None:
        return printable(first)
    said = [line for line in told if re.match(r"(error|fatal|\w*Error)\b", line, re.IGNORECASE)]
    return printable((said or told or lines or ["it says nothing"])[-1])
