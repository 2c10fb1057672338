"""Python's C API, by hand."""

from __future__ import annotations

from pathlib import Path

from bench.compiling import COUNTDOWN, SUFFIX, compile_sources
from bench.peers import SOURCES, Peer, load_extension


def build(folder: Path) -> Peer:
    """Compile and import the extension written in C."""
    path = compile_sources(folder / f"by_hand{SUFFIX}", [SOURCES / "by_hand.c", *COUNTDOWN])
    module = load_extension("by_hand", path)
    return Peer("C API, by hand", {"held": module.countdown_held, "nogil": module.countdown_nogil})
