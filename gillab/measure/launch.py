"""A fresh interpreter that measures, seen from its parent."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from types import TracebackType
from typing import Any

from gillab.errors import GillabError
from gillab.strategies.failure import describe_exit

_STDERR_LINES = 40
"""So much of the launch's standard error is kept, to say why it ended."""


class LaunchEndedError(GillabError):
    """The launch died, or was given up because it hung; the text says how it ended."""


class Launch:
    """A running ``gillab.measure.child``, with everything that it starts.

    It leads a process group of its own: Ctrl-C in the terminal does not reach it, and leaving
    the ``with`` block ends the whole group at once.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        path = [entry or os.getcwd() for entry in sys.path]
        # The environment's path too: a subinterpreter starts from that one.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        self._process = subprocess.Popen(
            [sys.executable, *flags, "-m", "gillab.measure.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
            **group,
        )
        self._readers = [
            threading.Thread(target=read, daemon=True)
            for read in (self._read_events, self._read_stderr, self._await_end)
        ]
        for reader in self._readers:
            reader.start()
        self.send({**plan, "path": path})

    def send(self, message: dict[str, Any]) -> None:
        """Tell the launch something; where it is gone, `receive` says so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """Return the next event. TimeoutError when none comes, LaunchEndedError at the end."""
        try:
            event = self._events.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise TimeoutError from None
        if event is None:
            raise LaunchEndedError(self._describe_end())
        return event

    def close(self) -> None:
        """End the launch and all that it started."""
        self._end_group()
        self._process.wait()
        for reader in self._readers:
            reader.join(timeout=1)
        if any(reader.is_alive() for reader in self._readers):
            return  # a process that left the group holds a pipe: closing it here would wait
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> Launch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self._events.put(json.loads(line))
            except ValueError:
                break  # cut short by the launch's death
        self._events.put(None)

    def _read_stderr(self) -> None:
        """Keep reading, so that a workload that prints much is never held up."""
        assert self._process.stderr is not None
        while piece := self._process.stderr.readline(10_000):
            self._stderr.append(piece)

    def _await_end(self) -> None:
        """End the workers with their launch: forked ones would keep its pipes open."""
        self._process.wait()
        self._end_group()

    def _end_group(self) -> None:
        if sys.platform == "win32":
            if self._process.poll() is None:
                subprocess.run(
                    ["taskkill", "/T", "/F", "/PID", str(self._process.pid)],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
        else:
            # The group outlives its leader for as long as a worker does.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its line to the parent"
        self._readers[1].join(timeout=1)
        last = next((line.strip() for line in reversed(self._stderr) if line.strip()), "")
        detail = f"; its last words: {last[:200]}" if last and code > 0 else ""
        return f"its process {describe_exit(code)}{detail}"
