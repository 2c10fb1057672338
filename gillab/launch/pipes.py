"""The pipes between a launch and its parent, as the launch holds them: messages in and out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from gillab.launch.messages import Message, decode, encode

_HIGH = 200
"""From here on a workload that closes what it inherited, as a daemon does, is seldom expected."""


class ParentPipes:
    """Standard input and output, kept for the parent; the workload gets the null device instead."""

    def __init__(self) -> None:
        # Never closed by us: the numbers may be a workload's by then, and the process ends soon.
        self._commands = os.fdopen(_duplicate(0), encoding="utf-8", closefd=False)
        self._answers = os.fdopen(_duplicate(1), "wb", closefd=False)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        self.descriptors = (self._commands.fileno(), self._answers.fileno())
        """Where the commands come in, and where the answers go out."""
        self._pipes = self._identify()

    def say(self, message: Message) -> None:
        """Send the parent a message; ConnectionError where the workload has closed the pipes.

        The workload may have opened other files under the same numbers since then: nothing is
        written to those.
        """
        if self._identify() != self._pipes:
            raise ConnectionError("the workload closed the pipes between gillab and its process")
        self._answers.write(encode(message))
        self._answers.flush()

    def read(self) -> Message:
        """Return the parent's next message."""
        return decode(self._commands.readline())

    def __iter__(self) -> Iterator[Message]:
        return map(decode, self._commands)

    def _identify(self) -> list[tuple[int, int, int]] | None:
        try:
            found = [os.fstat(descriptor) for descriptor in self.descriptors]
        except OSError:
            return None
        return [(status.st_mode, status.st_dev, status.st_ino) for status in found]


def _duplicate(descriptor: int) -> int:
    if sys.platform == "win32":
        return os.dup(descriptor)
    import fcntl
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    high = _HIGH if limit == resource.RLIM_INFINITY else min(_HIGH, limit - 8)
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(high, 3))
