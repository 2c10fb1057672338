"""``joblib.Parallel`` as it is by default: loky's processes, which get items in batches.

Its map differs from loky's own: it finds the size of the batches by itself, and large arrays travel
as files that are mapped into memory. A task that is submitted alone runs in loky's processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from importlib.util import find_spec
from typing import Any

from gillab.strategies import Strategy


class JoblibExecutor(Executor):
    """Has `map` done by ``joblib.Parallel``."""

    def __init__(
        self, workers: int, initializer: Callable[..., object], initargs: tuple[Any, ...]
    ) -> None:
        self._workers = workers
        self._initial = (initializer, initargs)
        self._executor: Any = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a process call the function, after the initializer."""
        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            initializer, initargs = self._initial
            self._executor = ProcessPoolExecutor(
                self._workers, initializer=initializer, initargs=initargs
            )
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **named: Any) -> Iterator[Any]:
        """Return the results in order; the batches are joblib's, and no initializer runs."""
        from joblib import Parallel, delayed

        parallel = Parallel(self._workers, backend="loky")
        calls = (delayed(fn)(*arguments) for arguments in zip(*iterables, strict=False))
        return iter(parallel(calls))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, those too that joblib would keep for its next call."""
        from joblib.externals.loky import reusable_executor

        kept = reusable_executor._executor
        for executor in (self._executor, kept):
            if executor is not None:
                executor.shutdown(wait=wait, kill_workers=cancel_futures)


def _find_obstacle() -> str | None:
    return None if find_spec("joblib") else "needs joblib: pip install 'gillab[cluster]'"


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> JoblibExecutor:
    return JoblibExecutor(workers, initializer, initargs)


JOBLIB = Strategy(
    "joblib", _create, _find_obstacle, own_process=True, takes_chunksize=False, rank=3
)
