"""A fresh interpreter that measures, seen from its parent."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from gillab.errors import GillabError
from gillab.launch.interpreter import Interpreter, list_user_folders
from gillab.launch.messages import End, Message, Paths, Started, decode, encode
from gillab.launch.process_group import end_group
from gillab.launch.temporary import make_folder, remove_folder
from gillab.strategies.failure import describe_exit, printable

# On Windows Ctrl-C is noticed only between two waits; and no system allows a wait of any length.
_LONGEST_WAIT_S = 0.5 if sys.platform == "win32" else threading.TIMEOUT_MAX
_START_S = 60.0
"""A launch may take at least this long to start, even if the timeout is shorter."""
_POLITE_S = 0.5
"""The time that a launch has to end by itself. If it does, it waits for its own workers. If it is
killed, they are left to the system, and it is not known how soon they are gone."""
_TAIL_BYTES = 8192
"""How much of the launch's standard error is kept, to say why it ended."""


class LaunchEndedError(GillabError):
    """The launch died, or was given up because it hung; the text says how it ended."""


class Launch:
    """A fresh interpreter that runs a ``module``, with everything that it starts.

    It leads a process group of its own: Ctrl-C in the terminal does not reach it, and leaving
    the ``with`` block ends the whole group at once.
    """

    def __init__(
        self,
        module: str = "gillab.launch.child",
        environment: Mapping[str, str] | None = None,
        interpreter: Interpreter | None = None,
    ) -> None:
        """Start it; ``environment`` holds variables that are added to the user's.

        ``interpreter`` is another Python to start; this one where it is None.
        """
        self.stderr_bytes = 0
        """How much the launch and its workers have written to standard error."""
        self._stderr_tail = b""
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._readers: list[threading.Thread] = []
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        # Absolute, since a workload may change the working directory.
        path = []
        if interpreter is None:
            flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
            command = (sys.executable, *flags)
            for entry in sys.path:
                # A path relative to a folder that has been removed leads nowhere.
                with contextlib.suppress(FileNotFoundError):
                    path.append(os.path.abspath(entry))
            variables: Mapping[str, str] = {}
        else:
            # It must not find the gillab of the working directory, which is not built for it.
            command = (*interpreter.command, "-P")
            own = interpreter.path
            path = list_user_folders() if own is None else list(own)
            variables = interpreter.variables
        # Set the environment's path too: a subinterpreter starts from it. The launch gives its
        # own children back the one that is set here, since they may be another Python.
        variables = {
            **os.environ,
            **(environment or {}),
            **variables,
            "PYTHONPATH": os.pathsep.join(path),
        }
        self._folder = make_folder()
        try:
            self._process = subprocess.Popen(
                [*command, "-m", module, self._folder or ""],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=variables,
                **group,
            )
        except BaseException:
            remove_folder(self._folder)
            raise
        try:
            self._readers = [
                threading.Thread(target=read, daemon=True)
                for read in (self._read_messages, self._read_stderr, self._await_end)
            ]
            for reader in self._readers:
                reader.start()
            pythonpath = os.environ.get("PYTHONPATH")
            last = () if interpreter is None else interpreter.last
            self.send(Paths(tuple(path), pythonpath, whole=interpreter is None, last=last))
        except BaseException:  # Ctrl-C came before anything else could close it
            self.close()
            raise

    def send(self, message: Message) -> None:
        """Send the launch a message; if it is gone, `receive` says so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(encode(message))
            self._process.stdin.flush()

    def await_start(self, timeout_s: float, budget_s: float = math.inf) -> None:
        """Wait until it has started; it has `_START_S` for that, or the timeout if that is longer.

        LaunchEndedError if it takes longer, TimeoutError if the budget is up before.
        """
        start_s = max(timeout_s, _START_S)
        try:
            started = self.receive(min(start_s, budget_s))
        except TimeoutError:
            if budget_s <= start_s:
                raise
            raise LaunchEndedError(f"did not start within {start_s:g} s") from None
        assert isinstance(started, Started)

    def receive(self, timeout_s: float) -> Message:
        """Return the next message. TimeoutError when none comes, LaunchEndedError at the end."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            try:
                message = self._messages.get(timeout=min(left_s, _LONGEST_WAIT_S))
            except queue.Empty:
                if left_s <= _LONGEST_WAIT_S:
                    raise TimeoutError from None
                continue
            if message is None:
                raise LaunchEndedError(self._describe_end())
            return message

    def close(self) -> None:
        """End the launch and all that it started: ask it to end, and after a while kill it."""
        self.send(End())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_POLITE_S)
        if self._process.poll() is None:
            self._end_group()
        self._process.wait()
        # The process that guards the group holds the other pipes until this one is closed.
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        for reader in self._readers:  # among them the one that ends what outlived its launch
            if reader.ident is not None:
                reader.join(timeout=2)
        remove_folder(self._folder)

    def __enter__(self) -> Launch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    self._messages.put(decode(line))
                except ValueError:
                    break  # cut short by the launch's death
        self._messages.put(None)

    def _read_stderr(self) -> None:
        """Keep reading, and cheaply, so that a workload that prints much never has to wait."""
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while piece := os.read(stream.fileno(), 1 << 16):
                self.stderr_bytes += len(piece)
                self._stderr_tail = (self._stderr_tail + piece)[-_TAIL_BYTES:]

    def _await_end(self) -> None:
        """End the workers with their launch: forked ones would keep its pipes open."""
        self._process.wait()
        self._end_group()

    def _end_group(self) -> None:
        if sys.platform != "win32":
            end_group(self._process.pid)  # which outlives its leader for as long as a worker does
        elif self._process.poll() is None:
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(self._process.pid)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed the pipe to its parent"
        self._readers[1].join(timeout=1)
        words = self._find_last_words()
        # A death by a signal says it all, unless Python itself gave up.
        if words and (code > 0 or words.startswith("Fatal Python error")):
            return f"its process {describe_exit(code)}; its last words: {words}"
        return f"its process {describe_exit(code)}"

    def _find_last_words(self) -> str:
        text = self._stderr_tail.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        return printable((fatal or lines or [""])[-1])
