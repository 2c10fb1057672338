"""The process group of a launch, with all that the workload starts, and how it ends."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

from gillab.launch.temporary import remove_folder

_LOOK_AGAIN_MS = 1000
_FEW = 64
"""No launch has more descriptors when it has just started."""
_POLITE_S = 0.5
"""The time a group has between being told to end and being killed."""


def guard_group(lifeline: int, folder: str | None = None) -> None:
    """Have this process group end as soon as nobody holds the other end of ``lifeline``, a pipe.

    The ``folder`` is removed then. The parent holds the pipe, so the launch ends when its parent
    does, even if the parent is killed. A process watches the pipe, since a thread could not while
    the workload keeps the GIL. It is forked before there are threads. It is forked twice, so that a
    workload that waits for its children never waits for it. On a system without fork, a launch
    whose parent was killed ends after the arm that it is running.
    """
    if sys.platform == "win32" or os.getpgrp() != os.getpid():
        return
    group = os.getpgrp()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            os.setpgid(0, 0)
            # The other pipes tell their readers when the launch has ended, so do not keep them open
            # here.
            for first, end in ((0, lifeline), (lifeline + 1, lifeline + _FEW)):
                if first < end:  # where it is to close none below 0, Linux closes all there are
                    os.closerange(first, end)
            pipe = select.poll()
            # Nothing but its end: what comes down it is not for us. macOS looks for that only
            # where it is asked to, and but once a call: what was written before may hide it.
            pipe.register(lifeline, select.POLLHUP)
            while not pipe.poll(_LOOK_AGAIN_MS):
                pass
            end_group(group)
            remove_folder(folder)
    finally:
        os._exit(0)


def end_group(group: int) -> None:
    """End every process of the group within half a second or so.

    They are asked to end before they are killed. The resource tracker of ``multiprocessing``
    ignores the request, and so has time to remove the named semaphores that the others leave in the
    system.
    """
    if sys.platform != "win32" and _ask_to_end(group):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _ask_to_end(group: int) -> bool:
    """Tell the group to end, and wait; return whether any process of it is left."""
    if sys.platform == "win32":
        return False
    try:
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + _POLITE_S
        while time.monotonic() < deadline:
            time.sleep(0.005)
            os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False  # where all that is left are zombies, macOS refuses
    return True
