"""Installs this very version of gillab for another Python, in a virtual environment that is kept.

It stands under the user's cache folder. The environment is made under a temporary name and
renamed when all is done, so that one that was broken off never counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import gillab
from gillab.pythons.command import Command
from gillab.pythons.examine import Python, examine
from gillab.strategies.failure import printable

_ROOT = Path(gillab.__file__).resolve().parents[1]
_SOURCES = ("gillab", "csrc")
_FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
_LOOK = "import os, sys; sys.exit(not os.path.isdir(sys.argv[1]))"
_PATIENCE_S = 600.0
_PROGRAM = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")


def bootstrap(python: Python, tell: Callable[[str], None] = lambda text: None) -> Python:
    """Return the Python of a virtual environment that has this version of gillab.

    It is made where there is none yet, which takes up to a minute and may need the network. It
    sees the packages that are installed for ``python``. If it cannot be made, the ``reason`` of
    what is returned says why. ``tell`` is told what goes on.
    """
    cache_folder = find_cache()
    place = cache_folder / f"{python.facts['python']}-{_make_key(python)}"
    if not place.exists():
        tell(f"installing gillab for {python.command.text} in {place}")
        reason = _build(python, place)
        if reason is not None:
            return python.refuse("failed", reason)
    ready = examine(_inside(python, place))
    if ready.reason is not None:
        return python.refuse("failed", f"in {place}: {ready.reason}")
    return replace(ready, command=python.command)


def describe_install(python: Python) -> str:
    """Return the command that installs this version of gillab for a Python."""
    words = (*python.interpreter.command, "-m", "pip", "install", find_requirement())
    return shlex.join(words)


def find_cache() -> Path:
    """Return the folder of this user in which the environments are kept."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base, "gillab", "pythons")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home(), "gillab", "Cache", "pythons")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gillab" / "pythons"
    return Path.home() / ".cache" / "gillab" / "pythons"


def has_source() -> bool:
    """Whether this gillab runs from its source: a checkout, or an editable install of one."""
    return all((_ROOT / name).exists() for name in (*_SOURCES, *_FILES[:2]))


def find_requirement() -> str:
    """Return what ``pip install`` takes for this very version."""
    if has_source():
        return str(_ROOT)
    with suppress(PackageNotFoundError, OSError, ValueError, KeyError):
        origin = json.loads(distribution("gillab").read_text("direct_url.json") or "{}")
        if vcs := origin.get("vcs_info"):
            return f"gillab @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}"
        return f"gillab @ {origin['url']}"
    return f"gillab=={gillab.__version__}"


def _make_key(python: Python) -> str:
    """Return a name for this Python with this gillab: another of either has another."""
    names = ("python", "implementation", "compiler", "executable", "free_threaded_build")
    about = (
        python.command.wrapper,
        [python.facts[name] for name in names],
        python.packages,
        find_requirement(),
        _digest_source() if has_source() else gillab.__version__,
    )
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]


@cache
def _digest_source() -> str:
    digest = hashlib.sha256()
    for path in _list_source():
        digest.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _list_source() -> Iterator[Path]:
    for name in _FILES:
        if (_ROOT / name).exists():
            yield _ROOT / name
    for name in _SOURCES:
        for path in sorted((_ROOT / name).rglob("*")):
            left_out = path.suffix in (".so", ".pyd") or "__pycache__" in path.parts
            if path.is_file() and not left_out:
                yield path


def _build(python: Python, place: Path) -> str | None:
    """Make the environment; return why that failed, None where it has been made."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        return f"no environment can be made in {place.parent}: {error.strerror}"
    try:
        look = [*python.interpreter.command, "-c", _LOOK, str(folder)]
        if _run(python, look) is not None:  # it runs in a container, say
            return f"it does not see {place.parent}; set XDG_CACHE_HOME to a folder that it sees"
        made = folder / "environment"
        start = [*python.interpreter.command, "-m", "venv", "--system-site-packages", str(made)]
        if reason := _run(python, start):
            return f"its virtual environment cannot be made: {reason}"
        _show_packages(python, made)
        requirement = find_requirement()
        if has_source():
            # A build leaves files beside the source, so it has a copy of it.
            requirement = str(_copy_source(folder / "source"))
        inside = _inside(python, made)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        if reason := _run(python, [*inside.words, *install]):
            return f"gillab cannot be installed: {reason}"
        with suppress(OSError):  # another run was quicker, and its environment is as good
            made.rename(place)
        return None if place.exists() else f"{made} cannot be renamed to {place}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _inside(python: Python, place: Path) -> Command:
    """Return the command that starts the Python of an environment as ``python`` is started."""
    # What chooses a version, for the launcher of Windows, has done so.
    options = tuple(each for each in python.command.options if not re.match(r"-\d|-V:", each))
    return replace(python.command, program=str(place.joinpath(*_PROGRAM)), options=options)


def _show_packages(python: Python, place: Path) -> None:
    """Let an environment see what is installed in the one that it was made from."""
    if python.packages:
        for folder in place.rglob("site-packages"):
            (folder / "gillab-bootstrap.pth").write_text("\n".join((*python.packages, "")))


def _copy_source(to: Path) -> Path:
    for path in _list_source():
        target = to / path.relative_to(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return to


def _run(python: Python, words: list[str]) -> str | None:
    """Run a command as the Python is run; return its last words if it fails."""
    variables = {**os.environ, **python.interpreter.variables}
    # What the user imports from has no part in it, and pip is to install where it is.
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"):
        variables.pop(name, None)
    try:
        ended = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it takes longer than {_PATIENCE_S:g} s"
    except OSError as error:
        return str(error.strerror)
    if ended.returncode == 0:
        return None
    lines = [line.strip() for line in ended.stdout.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if re.match(r"(error|\w*Error)\b", line, re.IGNORECASE)]
    return printable((said or [line for line in lines if line] or ["it says nothing"])[-1])
