"""Installs this very version of gillab for another Python, in a virtual environment."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import gillab
from gillab.pythons.environments import find_cache, find_inside, install, keep, make_environment
from gillab.pythons.examine import Python, examine

SOURCE = Path(gillab.__file__).resolve().parents[1]
"""The folder that gillab is imported from."""
_SOURCES = ("gillab", "csrc")
_FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")


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
    reason = keep(place, lambda made: _build(python, made))
    if reason is not None:
        return python.refuse("failed", reason)
    ready = examine(find_inside(python, place))
    if ready.reason is not None:
        return python.refuse("failed", f"in {place}: {ready.reason}")
    return replace(ready, command=python.command)


def describe_install(python: Python) -> str:
    """Return the command that installs this version of gillab for a Python."""
    words = (*python.interpreter.command, "-m", "pip", "install", find_requirement())
    return shlex.join(words)


def has_source() -> bool:
    """Whether this gillab runs from its source: a checkout, or an editable install of one."""
    return all((SOURCE / name).exists() for name in (*_SOURCES, *_FILES[:2]))


def find_requirement() -> str:
    """Return what ``pip install`` takes for this very version."""
    if has_source():
        return str(SOURCE)
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
        digest.update(f"{path.relative_to(SOURCE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _list_source() -> Iterator[Path]:
    for name in _FILES:
        if (SOURCE / name).exists():
            yield SOURCE / name
    for name in _SOURCES:
        for path in sorted((SOURCE / name).rglob("*")):
            left_out = path.suffix in (".so", ".pyd") or "__pycache__" in path.parts
            if path.is_file() and not left_out:
                yield path


def _build(python: Python, place: Path) -> str | None:
    """Make the environment and install gillab in it; return why that failed."""
    if reason := make_environment(python, place):
        return reason
    requirement = find_requirement()
    if has_source():
        # A build leaves files beside the source, so it has a copy of it.
        requirement = str(_copy_source(place.parent / "source"))
    if reason := install(python, place, requirement):
        return f"gillab cannot be installed: {reason}"
    return None


def _copy_source(to: Path) -> Path:
    for path in _list_source():
        target = to / path.relative_to(SOURCE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return to
