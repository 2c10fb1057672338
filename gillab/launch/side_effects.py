"""Records side effects of a workload that the report should mention: leftover threads, say."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gillab.environment import is_gil_enabled

_LIBRARIES = ("concurrent.futures", "multiprocessing")


class SideEffects:
    """The state of a process before the workload ran, and what has changed since."""

    def __init__(self) -> None:
        self._folder = _find_folder()
        self._gil = is_gil_enabled()
        self._gil_warning = "by an import."
        self._expected = {threading.main_thread()}
        show = warnings.showwarning

        def notice(message: Warning | str, *rest: Any, **named: Any) -> None:
            if "global interpreter lock" in str(message):
                self._gil_warning = str(message).partition(" To override")[0]
            show(message, *rest, **named)

        warnings.showwarning = notice

    @contextmanager
    def expecting_threads(self) -> Iterator[None]:
        """Count the threads that start meanwhile as the executor's own."""
        before = set(threading.enumerate())
        try:
            yield
        finally:  # an executor whose setup failed has threads too
            self._expected |= set(threading.enumerate()) - before

    def explain_gil(self) -> str | None:
        """Return what turned the GIL back on, None if nothing did."""
        return None if self._gil or not is_gil_enabled() else self._gil_warning

    def list_notes(self) -> list[str]:
        """Return the side effects of the workload, a clause for each."""
        notes = []
        if _find_folder() != self._folder:
            notes.append("changes the working directory")
        if any(self._is_strange(thread) for thread in threading.enumerate()):
            notes.append("leaves threads of its own running")
        if _has_zombies():
            notes.append("leaves child processes that it never waits for")
        if self.explain_gil():
            notes.append(f"turns the GIL back on{self._name_culprit()}")
        return notes

    def _name_culprit(self) -> str:
        module = re.search("load module '(.+?)'", self._gil_warning)
        return f", to load module {module[1]}" if module else ""

    def _is_strange(self, thread: threading.Thread) -> bool:
        return thread not in self._expected and not type(thread).__module__.startswith(_LIBRARIES)


def _find_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it has been removed


def _has_zombies() -> bool:
    """Whether a child of this process has ended and nobody waited for it, if /proc tells."""
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread or a child may end while we look
            for pid in children.read_text().split():
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    return True
    return False
