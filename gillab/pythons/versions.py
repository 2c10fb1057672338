"""Two versions of one thing in two places: in two installs, or in two revisions of a repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gillab.errors import UsageError
from gillab.launch.interpreter import PACKAGES, list_user_folders
from gillab.pythons.command import Command, parse_command
from gillab.pythons.environments import PROGRAM, find_cache
from gillab.pythons.examine import Python, examine_here
from gillab.pythons.prepare import prepare_command
from gillab.pythons.revision import (
    Revision,
    find_kept,
    find_revision,
    prepare_revision,
    shorten_commit,
)

_OWN = "gillab"
_NO_DIFFERENCE = ("-B", "-P")
"""Options that change nothing about how fast a Python is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one version is: in another Python, in a revision, or here where both are None."""

    python: str | None = None
    """A command that starts a Python, or the folder of a virtual environment."""
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version, ready to be measured."""

    python: Python
    """Labelled old or new."""
    revision: Revision | None
    is_here: bool
    """Whether it is what this Python imports."""


def prepare_versions(
    old: Place,
    new: Place,
    *,
    install: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Version, Version]:
    """Return the two versions.

    Where gillab is not installed, it is installed in a virtual environment if ``install`` is set.
    ``tell`` is told what goes on. UsageError for a text that cannot be read, a revision that there
    is not, a version that cannot be measured, and two places that are one.
    """
    for name, place in (("old", old), ("new", new)):
        if place.python is not None and place.revision is not None:
            raise UsageError(f"give either --{name}-python or --{name}-rev, not both.")
    # What is wrong with a text is told before anything is built.
    commands = [
        None if place.python is None else find_command(place.python) for place in (old, new)
    ]
    revisions = [
        None if place.revision is None else find_revision(place.revision) for place in (old, new)
    ]
    first, second = revisions
    if first is not None and second is not None and first.commit == second.commit:
        raise UsageError(
            f"old and new are both commit {shorten_commit(first.commit)}; name two revisions."
        )
    own = examine_here() if None in commands else None
    versions = []
    for label, command, revision in zip(("old", "new"), commands, revisions, strict=True):
        if command is not None:
            python = _prepare(command, install, tell)
        else:
            assert own is not None
            python = own if revision is None else prepare_revision(revision, own, tell)
        if python.reason is not None:
            raise UsageError(f"{label} cannot be measured: {python.reason}.")
        python = replace(python, interpreter=replace(python.interpreter, label=label))
        here = command is None and revision is None
        versions.append(Version(python, revision, here))
    if revisions == [None, None] and _are_one(versions[0].python, versions[1].python):
        raise UsageError(
            f"old and new are both in {versions[0].python.facts['executable']}; name two installs."
        )
    return versions[0], versions[1]


def _prepare(command: Command, install: bool, tell: Callable[[str], None]) -> Python:
    python = prepare_command(command, install=install, tell=tell)
    # What is installed is compared: it goes before what lies in the current folder.
    last = tuple(list_user_folders())
    return replace(python, interpreter=replace(python.interpreter, path=(), last=last))


def find_command(text: str) -> Command:
    """Return the command of a text; a file or a folder may have any name."""
    path = Path(text).expanduser()
    if text and path.is_dir():
        return Command((), (), str(path.joinpath(*PROGRAM)), ())
    if path.is_file():
        return Command((), (), str(path.absolute()), ())
    return parse_command(text)


def _are_one(old: Python, new: Python) -> bool:
    first, second = (
        (
            each.facts["executable"],
            [option for option in each.command.options if option not in _NO_DIFFERENCE],
            each.command.variables,
        )
        for each in (old, new)
    )
    return first == second


def check_imports(
    versions: tuple[Version, Version],
    imports: tuple[Mapping[str, str] | None, Mapping[str, str] | None],
) -> None:
    """Raise UsageError where what was imported, the files by module, is not what was meant.

    None stands for what is not known.
    """
    for version, files in zip(versions, imports, strict=True):
        if files is not None:
            _check_own(version, files)
    old, new = imports
    if old is None or new is None:
        return
    for version, files, others in ((versions[0], old, new), (versions[1], new, old)):
        if version.is_here:
            _check_here(versions, files, others)
    same = [name for name in old if old[name] == new.get(name)]
    if same and len(same) == len(old) and _run_alike(versions):
        raise UsageError(
            f"old and new import the same files ({same[-1]} from {old[same[-1]]}); see that what "
            "is compared is installed in both."
        )


def _run_alike(versions: tuple[Version, Version]) -> bool:
    """Whether both have the same kind of Python, started in the same way."""
    old, new = (
        (facts["python"], facts["compiler"], command.options, command.variables)
        for facts, command in ((each.python.facts, each.python.command) for each in versions)
    )
    return old == new


def _check_own(version: Version, files: Mapping[str, str]) -> None:
    label, revision = version.python.label, version.revision
    for name, file in files.items():
        if _is_in(file, find_cache()) and name.partition(".")[0] != _OWN and not version.is_here:
            raise UsageError(
                f"{label}: {name} would be the copy that gillab needs, in {file}; install gillab "
                "in that environment, and leave --bootstrap out."
            )
        if revision is not None and _is_file_here(file, revision):
            raise UsageError(
                f"{label}: {name} would come from the files here, {file}, not from "
                f"{revision.name}, which lacks it, or where an install or a setup hides it."
            )
    if revision is not None and not any(_is_in(file, find_kept()) for file in files.values()):
        raise UsageError(
            f"{label}: nothing that is imported comes from {revision.name}; name a function of it, "
            "or import it in the setup."
        )


def _check_here(
    versions: tuple[Version, Version], files: Mapping[str, str], others: Mapping[str, str]
) -> None:
    """Refuse a module that is in the other version's revision, and is an install here."""
    revision = next((each.revision for each in versions if each.revision is not None), None)
    for name, file in files.items():
        moved = name in others and _is_in(others[name], find_kept())
        if revision is not None and moved and not _is_file_here(file, revision):
            raise UsageError(
                f"{name} here would be the one that is installed, {file}, not the files of this "
                "repository; install these with pip install -e, or name two revisions."
            )


def _is_in(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(folder.resolve())


def _is_file_here(file: str, revision: Revision) -> bool:
    """Whether a file is one of the repository's, or was built beside them; no installed package."""
    root = revision.root.resolve()
    if not Path(file).is_relative_to(root) or _is_in(file, find_kept()):
        return False
    return not set(PACKAGES) & set(Path(file).relative_to(root).parts)
