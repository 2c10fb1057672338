"""The files that a command writes its result to: checked before the run, and written whole."""

from __future__ import annotations

import argparse
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gillab.errors import UsageError
from gillab.report.forms import FORMS, find_form

if TYPE_CHECKING:
    from gillab.release.findings import Findings
    from gillab.results import Result


def add_export_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Add an option, ``--export-json`` say, for each form that the command's result has."""
    group = parser.add_argument_group("exports")
    for form in FORMS:
        if form.find_renderer(command):
            group.add_argument(
                form.option, dest=form.dest, type=Path, metavar="FILE", help=form.help
            )


def find_exports(arguments: argparse.Namespace) -> dict[str, Path]:
    """Return the files that were asked for, by form.

    Called before anything is measured: UsageError if a file is seen not to be writable.
    """
    from gillab.files import is_special

    exports: dict[str, Path] = {}
    options = {form.name: form.option for form in FORMS}
    for form in FORMS:
        path: Path | None = getattr(arguments, form.dest, None)
        if path is not None:
            # Resolved now: a workload may change the working directory.
            form.check(path)
            path = _make_absolute(path, form.option)
            _check_writable(path, form.option)
            for other, taken in exports.items():
                if path.resolve() == taken.resolve() and not is_special(path):
                    raise UsageError(
                        f"{options[other]} and {form.option} name the same file, {path}; "
                        "name another."
                    )
            exports[form.name] = path
    return exports


def _make_absolute(path: Path, option: str) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:
        raise UsageError(
            f"{option}: {path} cannot be written (the current folder has been removed); "
            "name a file in another."
        ) from None


def _check_writable(path: Path, option: str) -> None:
    from gillab.files import is_special

    try:
        mode = _find_mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"{option}: {path} is a folder; name a file in it.")
        if mode is not None and not os.access(path, os.W_OK):
            raise UsageError(f"{option}: {path} cannot be written; name another file.")
        if not is_special(path):
            _try_file(path.resolve())
    except OSError as error:
        raise UsageError(
            f"{option}: {path} cannot be written ({error.strerror}); name another file."
        ) from None


def _find_mode(path: Path) -> int | None:
    """Return the kind of the file, None if there is none; OSError if there can be none."""
    try:
        # Path.is_dir() and its like raise or return False, depending on the version; this raises.
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _try_file(path: Path) -> None:
    """Make a file beside it for a moment, with as long a name as that of the first file written."""
    import tempfile

    # The file gets content: a full disk still takes an empty file, or a part of one.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as probe:
        probe.write(b"\0" * 4096)
        probe.flush()


def write_exports(result: Result | Findings, exports: dict[str, Path]) -> list[str]:
    """Write the files, each whole or not at all; return a sentence for each that failed.

    A file that cannot be written to its place is saved in the folder for temporary files.
    """
    from gillab.files import write_whole

    complaints = []
    for form, path in exports.items():
        content = find_form(form).render(result, path)
        try:
            write_whole(path, content)
        except OSError as error:
            complaint = f"{path} could not be written ({error.strerror})"
            other = _save_elsewhere(path.name, content)
            if other is None:
                complaints.append(f"{complaint}, nor could a copy be saved elsewhere.")
            else:
                complaints.append(f"{complaint}; it was saved as {other}.")
    return complaints


def _save_elsewhere(name: str, content: str | bytes) -> Path | None:
    """Write the file in a new folder for temporary files; None, and no folder, where it fails."""
    import tempfile

    from gillab.files import write_whole

    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="gillab-"))
        write_whole(folder / name, content)
    except OSError:
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()
        return None
    return folder / name
