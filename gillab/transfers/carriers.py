"""Hands the array to a worker that has started, and waits for its answer: one class for each kind.

Each call does all that a program would do: make bytes of the array, or a segment of shared memory,
send what is sent, wait, and clear up.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any, Protocol

from gillab.strategies import Strategy
from gillab.strategies.worker import read_cpu_ns
from gillab.transfers.segments import FILLED, PLACED, make_segment
from gillab.transfers.worker import (
    CPU,
    END,
    prepare,
    receive,
    send,
    serve,
    use,
    use_segment,
    view_segment,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

_CLOSING_S = 0.3
"""The wait for a worker process that has been told to end."""


class Carrier(Protocol):
    """A way that is open, with its worker."""

    pid: int
    """Of the process in which the worker is."""
    processes: set[Any]
    """The worker's process, if it has one of its own."""

    def call(self) -> Any:
        """Have the worker use the array once; return its answer."""

    def read_worker_cpu_ns(self) -> int:
        """Return the CPU time of the worker's process so far; 0 where it is ours."""

    def close(self) -> None:
        """End the worker, and remove what it was sent through."""


class Direct:
    """No worker: the function is called here."""

    def __init__(self, array: Any, returns: bool) -> None:
        self.pid = os.getpid()
        self.processes: set[Any] = set()
        self._array = array
        self._returns = returns

    def call(self) -> Any:
        """Use the array."""
        return use(self._array, self._returns)

    def read_worker_cpu_ns(self) -> int:
        """Return 0: the process is ours."""
        return 0

    def close(self) -> None:
        """Do nothing."""


class Pool:
    """A worker of an executor, to which the array goes as an argument."""

    def __init__(
        self,
        strategy: Strategy,
        start_method: str | None,
        pack: Callable[[], Any],
        returns: bool = False,
    ) -> None:
        """Start the worker; ``pack`` makes of the array what is sent."""
        others = set(multiprocessing.active_children())
        self._executor: Executor = strategy.create(1, prepare, (list(sys.path),), start_method)
        self._pack = pack
        self._returns = returns
        self.processes: set[Any] = set()
        try:
            asked = self._executor.submit(os.getpid)
            # Kept, since a broken pool forgets its processes and with them their exit codes.
            self.processes = set(multiprocessing.active_children()) - others
            self.pid: int = asked.result()
        except BaseException:
            self._end()
            raise

    def call(self) -> Any:
        """Submit the array and wait for the result."""
        return self._executor.submit(use, self._pack(), self._returns).result()

    def read_worker_cpu_ns(self) -> int:
        """Ask the worker."""
        if self.pid == os.getpid():
            return 0
        return self._executor.submit(read_cpu_ns).result()

    def close(self) -> None:
        """End the worker."""
        self._end()

    def _end(self) -> None:
        with suppress(Exception):  # a user's executor may raise anything
            self._executor.shutdown(wait=False, cancel_futures=True)
        for process in self.processes:
            with suppress(Exception):
                process.join(_CLOSING_S)


class Filled(Pool):
    """A worker that is sent the name of a segment, made and filled for each call."""

    def __init__(
        self, strategy: Strategy, start_method: str | None, array: Any, returns: bool
    ) -> None:
        super().__init__(strategy, start_method, lambda: array, returns)
        self._array = array
        self._segment: SharedMemory | None = None

    def call(self) -> Any:
        """Make a segment, fill it, have it used, and remove it."""
        self._segment = segment = _fill(FILLED, self._array)
        size = self._array.nbytes
        total = self._executor.submit(use_segment, segment.name, size).result()
        if self._returns:
            with view_segment(segment, size) as view:
                total = self._array.copy()
                memoryview(total)[:] = view
        self._remove()
        return total

    def close(self) -> None:
        """Remove the segment, if a call was cut short, and end the worker."""
        self._remove()
        self._end()

    def _remove(self) -> None:
        if self._segment is not None:
            _remove(self._segment)
            self._segment = None


class Placed(Pool):
    """A worker that is sent the name of a segment in which the array lies from the beginning."""

    def __init__(self, strategy: Strategy, start_method: str | None, array: Any) -> None:
        super().__init__(strategy, start_method, lambda: array)
        self._size = array.nbytes
        try:
            self._segment = _fill(PLACED, array)
        except BaseException:
            self._end()
            raise

    def call(self) -> Any:
        """Send the name, and wait for the result; data that come back lie there too."""
        return self._executor.submit(use_segment, self._segment.name, self._size).result()

    def close(self) -> None:
        """Remove the segment, and end the worker."""
        _remove(self._segment)
        self._end()


class Piped:
    """A process at the other end of a pipe, which is sent a pickle and apart from it its buffers.

    No executor sends buffers apart.
    """

    def __init__(self, start_method: str | None, array: Any, returns: bool) -> None:
        context: Any = multiprocessing.get_context(start_method)
        self._array = array
        self._returns = returns
        self._pipe, theirs = context.Pipe()
        with theirs:  # or the end of the worker would not be seen
            process = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
        self.processes = {process}
        self.pid: int = process.pid

    def call(self) -> Any:
        """Send the array, and wait for what comes back."""
        send(self._pipe, self._array, self._returns)
        if self._returns:
            receive(self._pipe, self._pipe.recv_bytes())
        return int(self._pipe.recv_bytes())

    def read_worker_cpu_ns(self) -> int:
        """Ask the worker."""
        self._pipe.send_bytes(CPU)
        return int(self._pipe.recv_bytes())

    def close(self) -> None:
        """End the worker."""
        with suppress(OSError):
            self._pipe.send_bytes(END)
        self._pipe.close()
        for process in self.processes:
            process.join(_CLOSING_S)


def open_carrier(
    strategy: Strategy, variant: str, array: Any, returns: bool, start_method: str | None
) -> Carrier:
    """Open a way of `gillab.transfers.ways`: its worker has started when this returns."""
    if not strategy.parallel:
        return Direct(array, returns)
    match variant:
        case "buffers":
            return Piped(start_method, array, returns)
        case "filled":
            return Filled(strategy, start_method, array, returns)
        case "placed":
            return Placed(strategy, start_method, array)
        case "bytes":
            return Pool(strategy, start_method, array.tobytes, returns)
        case "memoryview":
            # What comes back lies in the same memory.
            return Pool(strategy, start_method, lambda: memoryview(array))
    return Pool(strategy, start_method, lambda: array, returns)


def _fill(kind: str, array: Any) -> SharedMemory:
    segment = make_segment(kind, array.nbytes)
    try:
        with view_segment(segment, array.nbytes) as view:
            view[:] = memoryview(array)
    except BaseException:
        _remove(segment)
        raise
    return segment


def _remove(segment: SharedMemory) -> None:
    segment.close()
    with suppress(FileNotFoundError):
        segment.unlink()
