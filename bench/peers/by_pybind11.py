"""pybind11, in its own idiom."""

from __future__ import annotations

from pathlib import Path

from bench.compiling import COUNTDOWN, SUFFIX, compile_sources
from bench.peers import SOURCES, Peer, load_extension


def build(folder: Path) -> Peer:
    """Compile the C part as C and the bindings as C++, and import the module."""
    import pybind11

    countdown = compile_sources(folder / "countdown.o", COUNTDOWN, ["-c"], shared=False)
    path = compile_sources(
        folder / f"by_pybind11{SUFFIX}",
        [SOURCES / "by_pybind11.cpp"],
        ["-std=c++17", "-fvisibility=hidden", f"-I{pybind11.get_include()}", str(countdown)],
    )
    module = load_extension("by_pybind11", path)
    return Peer(
        f"pybind11 {pybind11.__version__}",
        {
            "held": module.countdown_held,
            "nogil": module.countdown_nogil,
            "mixed": module.countdown_mixed,
            "array": module.countdown_array,
            "numpy": module.countdown_numpy,
        },
    )
