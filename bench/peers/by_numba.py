"""Numba, compiled ahead of the first call for the types used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.peers import Peer


def build(folder: Path) -> Peer:
    """Compile the pure Python loops; nothing is written to ``folder``."""
    import numba

    def count(n: int) -> int:
        steps = n
        while n > 0:
            n -= 1
        return max(steps, 0)

    def count_array(counts: Any) -> int:
        steps = 0
        for index in range(counts.shape[0]):
            while counts[index] > 0:
                counts[index] -= 1
                steps += 1
        return steps

    scalar, line = "int64(int64)", "int64(int64[:])"
    return Peer(
        f"Numba {numba.__version__}",
        {
            "held": numba.njit(scalar)(count),
            "nogil": numba.njit(scalar, nogil=True)(count),
            "numpy": numba.njit(line, nogil=True)(count_array),
        },
    )
