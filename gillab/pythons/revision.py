"""A revision of the current git repository, as a Python that imports it in place of the files here.

A project that can be installed is, in a virtual environment that is kept: extensions are built.
Other code is imported from a checkout that is kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from gillab.errors import UsageError
from gillab.launch.interpreter import list_user_folders
from gillab.pythons.bootstrap import SOURCE
from gillab.pythons.environments import (
    add_paths,
    find_cache,
    find_inside,
    install,
    keep,
    make_environment,
)
from gillab.pythons.examine import Python, examine
from gillab.strategies.failure import printable

_PATIENCE_S = 600.0
_SOURCE, _ENVIRONMENT = "source", "environment"
_BUILD = re.compile("CC|CXX|[A-Z]*FLAGS|PIP_.*|SETUPTOOLS_.*")
"""Variables that change what a build makes."""
_SET_BY_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that git sets where it runs a program: a hook, say."""


def shorten_commit(commit: str) -> str:
    """Return so much of a commit's name as people are shown."""
    return commit[:12]


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a repository."""

    name: str
    """As its user wrote it: a branch, a tag, ``HEAD~3``."""
    commit: str
    """The whole name of the commit."""
    root: Path
    """The folder of the repository's files."""
    folder: Path
    """The current folder, from there on."""


def find_revision(name: str) -> Revision:
    """Return what a name means in the repository of the current folder.

    UsageError where there is no git, no repository, or no such revision.
    """
    if name.startswith("-"):
        raise UsageError(f"there is no revision {name!r}; name a branch, a tag or a commit.")
    try:
        root = Path(_git("rev-parse", "--show-toplevel"))
    except OSError as error:
        raise UsageError(f"git cannot be run ({error.strerror}); revisions need it.") from None
    except _GitError as error:
        raise UsageError(
            f"the current folder is in no git repository that can be read ({error}); run this in "
            f"the one that has the revision {name}."
        ) from None
    try:
        commit = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except _GitError:
        raise UsageError(
            f"there is no revision {name!r} in {root}; git branch -a and git tag list some."
        ) from None
    return Revision(name, commit, root, Path(_git("rev-parse", "--show-prefix") or "."))


def find_kept() -> Path:
    """Return the folder in which built revisions are kept."""
    return find_cache().with_name("revisions")


def prepare_revision(
    revision: Revision, python: Python, tell: Callable[[str], None] = lambda text: None
) -> Python:
    """Return ``python``, which is this one, with a revision in place of the repository's files.

    It is built where it is not kept yet, which may take minutes and need the network. The
    ``reason`` of what is returned says why it cannot be measured. ``tell`` is told what goes on.
    """
    if python.reason is not None:
        return python
    commit = shorten_commit(revision.commit)
    place = find_kept() / f"{commit}-{_make_key(revision, python)}"
    if not place.exists():
        tell(f"building {revision.name} ({commit}) in {place}")
    reason = keep(place, lambda made: _build(revision, python, made))
    if reason is not None:
        return python.refuse("failed", f"{revision.name} cannot be built: {reason}")
    ready = _find_built(revision, python, place)
    facts = {**ready.facts, "revision": revision.name, "commit": revision.commit}
    return replace(ready, command=python.command, facts=facts)


def _find_built(revision: Revision, python: Python, place: Path) -> Python:
    def move(folders: Iterable[str]) -> tuple[str, ...]:
        """Name the folders of the checkout in place of those of the repository."""
        return tuple(_move(Path(each), revision.root, place / _SOURCE) for each in folders)

    if not (place / _ENVIRONMENT).exists():
        path = move(python.interpreter.path or ())
        return replace(python, interpreter=replace(python.interpreter, path=path))
    ready = examine(find_inside(python, place / _ENVIRONMENT))
    # What is installed goes before the source that it was made from, which lacks what was built.
    # Beside it may lie what is not installed: benchmarks, say.
    interpreter = replace(ready.interpreter, path=(), last=move(list_user_folders()))
    return replace(ready, interpreter=interpreter)


class _GitError(Exception):
    """What git said."""


def _git(*words: str, folder: Path | None = None) -> str:
    ended = subprocess.run(
        ["git", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in _SET_BY_GIT},
        timeout=_PATIENCE_S,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        fatal = [line for line in said if line.startswith("fatal: ")] or said[-1:]
        raise _GitError(printable(fatal[0] if fatal else f"git ended with {ended.returncode}"))
    return ended.stdout.decode("utf-8", "surrogateescape").strip()


def _make_key(revision: Revision, python: Python) -> str:
    names = ("python", "compiler", "executable", "free_threaded_build")
    about = (
        revision.commit,
        str(revision.root),
        str(revision.folder),
        str(SOURCE),
        [python.facts[name] for name in names],
        python.packages,
        sorted(each for each in os.environ.items() if _BUILD.fullmatch(each[0])),
    )
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]


def _build(revision: Revision, python: Python, place: Path) -> str | None:
    """Check the revision out and install it; return why that failed."""
    source, environment = place / _SOURCE, place / _ENVIRONMENT
    try:
        _check_out(revision, source)
        project = _find_project(source, revision.folder)
    except _GitError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return f"git takes longer than {_PATIENCE_S:g} s"
    except tomllib.TOMLDecodeError as error:
        return f"its pyproject.toml cannot be read: {error}"
    if (source / "gillab" / "blocks").is_dir():
        return "gillab cannot measure another revision of itself"
    if project is None:
        return None
    if reason := make_environment(python, environment):
        return reason
    # Its requirements are those of this environment: both versions are to have the same.
    words = ("--no-deps", str(project))
    reason = install(python, environment, *words)
    if reason and install(python, environment, "--no-build-isolation", *words):
        return reason
    add_paths(environment, [str(SOURCE)])
    return None


def _check_out(revision: Revision, source: Path) -> None:
    # With its history: a project may name its version after its last tag.
    _git("clone", "--quiet", "--shared", "--no-checkout", str(revision.root), str(source))
    _git("checkout", "--quiet", "--detach", revision.commit, folder=source)
    if (source / ".gitmodules").exists():
        try:
            # Where a submodule is may be told from there on.
            origin = _git("remote", "get-url", "origin", folder=revision.root)
            _git("remote", "set-url", "origin", origin, folder=source)
        except _GitError:
            pass
        _git("submodule", "update", "--quiet", "--init", "--recursive", folder=source)


def _find_project(source: Path, folder: Path) -> Path | None:
    """Return the nearest folder, from the current one upwards, that pip can install."""
    within = source / folder
    for place in (within, *within.parents):
        if _is_installable(place):
            return place
        if place == source:
            break
    return None


def _is_installable(folder: Path) -> bool:
    if (folder / "setup.py").is_file():
        return True
    try:
        text = (folder / "pyproject.toml").read_text("utf-8")
    except OSError:
        return False
    project = tomllib.loads(text)
    # Without these two, it has settings of tools alone, unless what is older stands beside it.
    return "project" in project or "build-system" in project or (folder / "setup.cfg").is_file()


def _move(folder: Path, root: Path, source: Path) -> str:
    """Return the folder of the checkout that stands for one of the repository, if there is one.

    What git does not know stays where it is: a virtual environment, say.
    """
    try:
        moved = source / folder.resolve().relative_to(root.resolve())
    except ValueError:
        return str(folder)
    return str(moved if moved.is_dir() else folder)
