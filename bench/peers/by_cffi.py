"""cffi in API mode, which releases the GIL around every call."""

from __future__ import annotations

from array import array
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from bench.compiling import COUNTDOWN, SUFFIX, compile_sources
from bench.peers import SOURCES, Peer, load_extension

DECLARATIONS = """
int64_t plain_countdown(int64_t n);
int64_t plain_countdown_array(int64_t *counts, int64_t length);
"""


def build(folder: Path) -> Peer:
    """Generate, compile and import the module that cffi writes."""
    import cffi

    builder = cffi.FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source("by_cffi", '#include "plain.h"')
    generated = folder / "by_cffi.c"
    with redirect_stdout(StringIO()):  # it tells of each file it writes
        builder.emit_c_code(str(generated))
    path = compile_sources(
        folder / f"by_cffi{SUFFIX}",
        [generated, SOURCES / "plain.c", *COUNTDOWN],
        [f"-I{SOURCES}"],
    )
    module = load_extension("by_cffi", path)
    count_line, from_buffer = module.lib.plain_countdown_array, module.ffi.from_buffer

    def count_array(counts: array[int]) -> int:
        line = from_buffer("int64_t[]", counts, require_writable=True)
        return int(count_line(line, len(counts)))

    return Peer(
        f"cffi {cffi.__version__}", {"nogil": module.lib.plain_countdown, "array": count_array}
    )
