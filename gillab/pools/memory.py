"""The memory of processes that share pages: the proportional set size (PSS), on Linux.

A page that several processes share counts for each of them in part, so that the sum over processes
is the memory that they take together. The resident set size of other systems counts it for each in
full, and its sum tells nothing of forked processes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_HELPERS = (
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
)
"""Where multiprocessing keeps the processes that it starts for itself: module, object, number."""


def read_pss(pids: Iterable[int], proc: Path = _PROC) -> int | None:
    """Return the bytes that these processes take together; None where the system does not tell."""
    total = 0
    for pid in pids:
        try:
            text = (proc / str(pid) / "smaps_rollup").read_text()
        except OSError:
            return None
        pss = _find_pss(text)
        if pss is None:
            return None
        total += pss
    return total


def _find_pss(text: str) -> int | None:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return 1024 * int(value.split()[0])
    return None


def list_helpers() -> set[int]:
    """Return the processes that multiprocessing has started for itself, as far as is known."""
    found = set()
    for module, name, attribute in _HELPERS:
        pid = getattr(getattr(sys.modules.get(module), name, None), attribute, None)
        if isinstance(pid, int):
            found.add(pid)
    return found
