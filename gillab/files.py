"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_STREAMS = (1, 2)
"""Standard output and standard error: ``/dev/stdout`` and ``/dev/stderr`` lead to them."""


def is_special(path: Path) -> bool:
    """Whether the file can be written to but not replaced: a device, a pipe, our own output."""
    if any(_is_open_as(path, descriptor) for descriptor in _STREAMS):
        return True
    return path.exists() and not path.is_file()


def _is_open_as(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def write_whole(path: Path, content: str | bytes | Iterable[str]) -> None:
    """Write a file whole or not at all, text in UTF-8; OSError where it cannot be written.

    A text can come in pieces, so that it never needs memory as a whole.
    """
    for descriptor in _STREAMS:
        if _is_open_as(path, descriptor):
            with open(os.dup(descriptor), "wb") as stream:
                _write(stream, content)
            return
    if is_special(path):
        with open(path, "wb") as stream:
            _write(stream, content)
        return
    path = path.resolve()  # replace the file that a link leads to, and not the link
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write(stream: IO[bytes], content: str | bytes | Iterable[str]) -> None:
    for piece in [content] if isinstance(content, (str, bytes)) else content:
        stream.write(piece.encode("utf-8") if isinstance(piece, str) else piece)
