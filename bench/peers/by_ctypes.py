"""ctypes: PyDLL keeps the GIL, CDLL releases it."""

from __future__ import annotations

import ctypes
from array import array
from pathlib import Path

from bench.compiling import COUNTDOWN, compile_sources
from bench.peers import SOURCES, Peer


def build(folder: Path) -> Peer:
    """Compile the plain C functions into a shared library and load it both ways."""
    path = compile_sources(folder / "libplain.so", [SOURCES / "plain.c", *COUNTDOWN])
    held = ctypes.PyDLL(str(path)).plain_countdown
    library = ctypes.CDLL(str(path))
    released, count_line = library.plain_countdown, library.plain_countdown_array
    for function in (held, released):
        function.argtypes = [ctypes.c_int64]
        function.restype = ctypes.c_int64
    count_line.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    count_line.restype = ctypes.c_int64
    element = ctypes.c_int64

    def count_array(counts: array[int]) -> int:
        length = len(counts)
        line = (element * length).from_buffer(counts)
        return int(count_line(ctypes.addressof(line), length))

    return Peer("ctypes", {"held": held, "nogil": released, "array": count_array})
