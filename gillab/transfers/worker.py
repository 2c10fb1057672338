"""What the worker does with the data: it reads a byte of each page, whichever way they came.

It runs in processes and in subinterpreters, where NumPy may not load: it imports nothing large.
"""

from __future__ import annotations

import pickle
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.shared_memory import SharedMemory

PAGE = 4096
"""Bytes of a page of memory, or of several: no page can be touched without being there."""
DATA, CPU, END = b"D", b"C", b""
"""How a message to `serve` begins; an empty one ends it."""


def prepare(path: list[str]) -> None:
    """Give the worker the import path of its parent."""
    sys.path[:] = path


def touch(data: Any) -> int:
    """Return the sum of one byte of each page."""
    with memoryview(data) as view, view[::PAGE] as part:
        return sum(part)


def use(data: Any, returns: bool) -> Any:
    """Touch the data; return the sum, or the data themselves."""
    total = touch(data)
    return data if returns else total


def use_segment(name: str, size: int) -> int:
    """Touch the data in a segment of shared memory; what comes back lies there as well."""
    segment = attach(name)
    try:
        with view_segment(segment, size) as view:
            return touch(view)
    finally:
        segment.close()


def attach(name: str) -> SharedMemory:
    """Open a segment that another process has made, and will remove.

    Before Python 3.13 it is registered with the resource tracker here too. The tracker is the
    parent's, and knows the segment already: see `gillab.transfers.segments.start_tracker`.
    """
    from multiprocessing.shared_memory import SharedMemory

    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    return SharedMemory(name)


def view_segment(segment: SharedMemory, size: int) -> memoryview[int]:
    """Return the first bytes of a segment, which may be longer: it ends with a page."""
    view = segment.buf
    assert view is not None, "a segment that is open has a view"
    return view[:size]


def serve(connection: Connection) -> None:
    """Use what comes over a pipe as a pickle and its buffers, until a message is empty."""
    while head := connection.recv_bytes():
        if head[:1] == CPU:
            # Of the process, as `gillab.strategies.worker.read_cpu_ns` has it.
            connection.send_bytes(str(time.process_time_ns()).encode())
            continue
        data, returns = receive(connection, head)
        total = touch(data)
        if returns:
            send(connection, data, returns)
        connection.send_bytes(str(total).encode())


def send(connection: Connection, data: Any, returns: bool) -> None:
    """Send the data with their buffers apart, which pickle then need not copy."""
    buffers: list[pickle.PickleBuffer] = []
    packed = pickle.dumps((data, returns), protocol=5, buffer_callback=buffers.append)
    connection.send_bytes(DATA + len(buffers).to_bytes(4, "big") + packed)
    for buffer in buffers:
        with buffer.raw() as view:
            connection.send_bytes(view)


def receive(connection: Connection, head: bytes) -> tuple[Any, bool]:
    """Return what `send` sent, of which ``head`` is the first message."""
    buffers = [connection.recv_bytes() for _ in range(int.from_bytes(head[1:5], "big"))]
    data, returns = pickle.loads(memoryview(head)[5:], buffers=buffers)
    return data, returns
