"""Keeps threads or processes busy with the workload while a probe runs beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gillab.release.call import Call
from gillab.strategies.failure import describe_exception
from gillab.strategies.worker import run


class BusyError(Exception):
    """The workload failed beside the probe; the text is the reason."""


@contextmanager
def keep_threads_busy(calls: Sequence[Call]) -> Iterator[None]:
    """Repeat each call in a thread of its own, from before the block until after it.

    BusyError at the end if one of them raised.
    """
    threads = [_Busy(call) for call in calls]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.begun.wait()
        yield
    finally:
        for thread in threads:
            thread.stopped = True
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    for thread in threads:
        if thread.failure is not None:
            raise BusyError(thread.failure)


class _Busy(threading.Thread):
    def __init__(self, call: Call) -> None:
        super().__init__(name="gillab-busy", daemon=True)
        self._call = call
        self.begun = threading.Event()
        self.stopped = False
        self.failure: str | None = None

    def run(self) -> None:
        function, arguments, named = self._call.function, self._call.arguments, self._call.named
        self.begun.set()
        try:
            # In Python, as a program would: see `gillab.release.waits`.
            while not self.stopped:
                function(*arguments, **named)
        except BaseException as error:
            self.failure = describe_exception(error)


def repeat(pool: str, steps: int, seconds: float) -> tuple[int, str | None]:
    """Take steps of the workload for so long, in a worker process.

    Returns the CPU time that it took, in nanoseconds, and how it failed, if it did.
    """
    until = time.monotonic() + seconds
    cpu_ns = 0
    while time.monotonic() < until:
        outcome = run(pool, steps)
        cpu_ns += outcome.cpu_ns
        if outcome.failure is not None:
            return cpu_ns, outcome.failure
    return cpu_ns, None
