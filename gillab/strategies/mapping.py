"""An executor whose ``map`` sends its items to the workers in chunks, as that of processes does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any


class ChunkingExecutor(Executor):
    """The base of executors whose workers are other processes."""

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **named: Any,
    ) -> Iterator[Any]:
        """Return the results in the order of the items, of which so many travel at once."""
        works, chunks = itertools.repeat(fn), _cut(zip(*iterables, strict=False), chunksize)
        mapped = super().map(run_chunk, works, chunks, timeout=timeout, **named)
        return itertools.chain.from_iterable(mapped)


def _cut(items: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def run_chunk(work: Callable[..., Any], chunk: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return the results of a chunk of arguments, in a worker."""
    return [work(*arguments) for arguments in chunk]
