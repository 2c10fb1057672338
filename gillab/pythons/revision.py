"""A revision of the current git repository, as a Python that imports it in place of the files here.

A project that can be installed is, in a virtual environment that is kept: extensions are built.
Other code is imported from a checkout that is kept.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Sequence
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
from gillab.pythons.examine import Python, examine, examine_here
from gillab.strategies.failure import printable

_PATIENCE_S = 600.0
_SHORT = 12
_SOURCE, _ENVIRONMENT, _MODULES = "source", "environment", "modules"
_SET_BY_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that git sets where it runs a program: a hook, say."""
_FIND = """
import importlib.util, sys
for name in sys.argv[1:]:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    places = [found.origin or "", *(found.submodule_search_locations or ())] if found else []
    print("\\t".join([name, *places]))
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a repository."""

    name: str
    """As its user wrote it: a branch, a tag, ``HEAD~3``."""
    commit: str
    """The whole name of the commit."""
    root: Path
    """The folder of the repository's files."""


def find_revision(name: str) -> Revision:
    """Return what a name means in the repository of the current folder.

    UsageError where there is no git, no repository, or no such revision.
    """
    if name.startswith("-"):
        raise UsageError(f"there is no revision {name!r}; name a branch, a tag or a commit.")
    try:
        root = _git("rev-parse", "--show-toplevel")
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
    return Revision(name, commit, Path(root))


def prepare_revision(revision: Revision, tell: Callable[[str], None] = lambda text: None) -> Python:
    """Return this Python with a revision in place of the repository's files.

    It is built where it is not kept yet, which may take minutes and need the network. The
    ``reason`` of what is returned says why it cannot be measured. ``tell`` is told what goes on.
    """
    python = examine_here()
    if python.reason is not None:
        return python
    folder = find_cache().with_name("revisions")
    place = folder / f"{revision.commit[:_SHORT]}-{_make_key(revision, python)}"
    if not place.exists():
        tell(f"building {revision.name} ({revision.commit[:_SHORT]}) in {place}")
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
    modules = (place / _MODULES).read_text("utf-8").split()
    return _refuse_hidden(replace(ready, interpreter=interpreter), revision, modules)


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
        raise _GitError(printable(said[-1]) if said else f"git ended with {ended.returncode}")
    return ended.stdout.decode("utf-8", "surrogateescape").strip()


def _make_key(revision: Revision, python: Python) -> str:
    names = ("python", "compiler", "executable", "free_threaded_build")
    about = (
        revision.commit,
        str(revision.root),
        str(SOURCE),
        [python.facts[name] for name in names],
        python.packages,
    )
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]


def _build(revision: Revision, python: Python, place: Path) -> str | None:
    """Check the revision out and install it; return why that failed."""
    source, environment = place / _SOURCE, place / _ENVIRONMENT
    try:
        # With its history: a project may name its version after its last tag.
        _git("clone", "--quiet", "--shared", "--no-checkout", str(revision.root), str(source))
        _git("checkout", "--quiet", "--detach", revision.commit, folder=source)
        if (source / ".gitmodules").exists():
            _git("submodule", "update", "--quiet", "--init", "--recursive", folder=source)
    except _GitError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return f"git takes longer than {_PATIENCE_S:g} s"
    if (source / "gillab" / "blocks").is_dir():
        return "gillab cannot measure another revision of itself"
    if not _is_installable(source):
        return None
    if reason := make_environment(python, environment):
        return reason
    before = _list_modules(environment)
    # Its requirements are those of this environment: both versions are to have the same.
    words = ("--no-deps", str(source))
    reason = install(python, environment, *words)
    if reason and install(python, environment, "--no-build-isolation", *words):
        return reason
    new = sorted(_list_modules(environment) - before)
    (place / _MODULES).write_text("\n".join(new), "utf-8")
    add_paths(environment, [str(SOURCE)])
    return None


def _is_installable(source: Path) -> bool:
    if (source / "setup.py").is_file():
        return True
    try:
        project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return "project" in project or "build-system" in project


def _list_modules(environment: Path) -> set[str]:
    """Return the names of the modules and packages that are installed."""
    return {
        entry.name.partition(".")[0]
        for folder in environment.rglob("site-packages")
        for entry in folder.iterdir()
        if entry.suffix in ("", ".py", ".so", ".pyd") and not entry.name.startswith("_")
    }


def _move(folder: Path, root: Path, source: Path) -> str:
    """Return the folder of the checkout that stands for one of the repository, if there is one.

    What git does not know stays where it is: a virtual environment, say.
    """
    try:
        moved = source / folder.resolve().relative_to(root.resolve())
    except ValueError:
        return str(folder)
    return str(moved if moved.is_dir() else folder)


def _refuse_hidden(python: Python, revision: Revision, modules: Sequence[str]) -> Python:
    """Refuse a Python in which the repository's own files are found before the revision's."""
    if not modules or python.reason is not None:
        return python
    ended = subprocess.run(
        [*python.interpreter.command, "-P", "-c", _FIND, *modules],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": ""},
        timeout=_PATIENCE_S,
        check=False,
    )
    for line in ended.stdout.decode("utf-8", "replace").splitlines():
        name, *places = line.split("\t")
        if any(
            revision.root.resolve() in Path(place).resolve().parents for place in places if place
        ):
            return python.refuse(
                "failed",
                f"{name} of {revision.name} is hidden by the files here: an editable install puts "
                "them first; install the project in the usual way (pip install .)",
            )
    return python
