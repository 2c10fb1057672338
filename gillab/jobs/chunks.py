"""Which chunk sizes are worth a try."""

from __future__ import annotations

_RUNGS = 4
_CHUNKS_A_WORKER = 4
"""The largest chunks leave each worker so many, as those of ``multiprocessing.Pool.map`` do."""
_CHUNK_S = 100e-6
"""So long a chunk of one item takes at most on its way, on a slow machine."""


def list_chunksizes(items: int, workers: int) -> tuple[int, ...]:
    """Return sizes from 1 to the largest that keeps all workers busy, each as many times larger."""
    most = max(1, items // (_CHUNKS_A_WORKER * workers))
    rungs = (round(most ** (rung / (_RUNGS - 1))) for rung in range(_RUNGS))
    return tuple(dict.fromkeys(rungs))


def takes_too_long(items: int, chunksize: int, timeout_s: float) -> bool:
    """Whether chunks so small may take longer on their way than an arm may take."""
    return items / chunksize * _CHUNK_S > timeout_s / 4
