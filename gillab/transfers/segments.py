"""Segments of shared memory, of which none stays behind.

The launch removes each as soon as it is not needed. Where the launch is killed, Python's resource
tracker removes it, and where that is killed too, the parent of the launch does: it knows the names.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing.shared_memory import SharedMemory
from secrets import token_hex

from gillab.blocks.arm import ArmError
from gillab.launch.inner_threads import limit_by_environment
from gillab.launch.launch import Launch
from gillab.transfers.sizes import format_size

_STEM = "GILLAB_SEGMENTS"
"""The variable that tells a launch how the names of its segments begin."""
_FOLDER = "/dev/shm"
"""Where Linux has them, and where there may be little room for them."""
PLACED, FILLED = "placed", "filled"


class TransferLaunch(Launch):
    """A launch whose segments of shared memory end with it."""

    def __init__(self) -> None:
        # A name has at most 31 characters on macOS.
        self._stem = f"gillab-{token_hex(4)}"
        # NumPy's own threads compute nothing here, and a process with threads forks badly.
        super().__init__("gillab.transfers.child", {_STEM: self._stem, **limit_by_environment(1)})

    def close(self) -> None:
        """End the launch, and remove what it left."""
        try:
            super().close()
        finally:
            for kind in (PLACED, FILLED):
                remove_segment(f"{self._stem}-{kind}")


def name_segment(kind: str) -> str:
    """Return the name of a launch's segment of that kind, in the launch."""
    stem = os.environ.get(_STEM) or f"gillab-{os.getpid()}"
    return f"{stem}-{kind}"


def start_tracker() -> None:
    """Start the resource tracker before any worker, which then has the same and not its own.

    A tracker of its own would remove a segment that is still needed when the worker ends, and would
    warn of it.
    """
    if sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


def make_segment(kind: str, size: int) -> SharedMemory:
    """Make a segment for so many bytes. ArmError where there is no room for it."""
    free = find_room()
    if free is not None and size > free:
        # Linux says so only when the memory is written to, and then kills who writes.
        raise ArmError(
            f"{format_size(size)} do not fit into {_FOLDER}, which has {format_room(free)} free",
            "unavailable",
        )
    return SharedMemory(name_segment(kind), create=True, size=size)


def find_room() -> int | None:
    """Return the bytes that are free for shared memory; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        room = os.statvfs(_FOLDER)
    except OSError:
        return None
    return room.f_bavail * room.f_frsize


def format_room(free: int) -> str:
    """Write the bytes that are free, rounded down to three digits."""
    step = 10 ** max(0, len(str(free)) - 3)
    return format_size(free // step * step)


def remove_segment(name: str) -> None:
    """Remove a segment if it is there; on Windows it goes with those who use it."""
    if sys.platform != "win32":
        # What SharedMemory.unlink calls; to have such an object one must map the segment first.
        with suppress(OSError):
            import_module("_posixshmem").shm_unlink(f"/{name}")
