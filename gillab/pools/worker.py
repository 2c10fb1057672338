"""Runs inside a worker: notes when it is ready.

Imports nothing that a pool has not loaded already: whatever else a worker loads is to be the
program's own, since it is timed.
"""

from __future__ import annotations

import os
import sys
import threading
import time

_MODULE = "__mp_main__"
"""The name that multiprocessing gives a program's main module in a worker."""

_ready: dict[int, tuple[int, str | None]] = {}
"""By thread, not in a ``threading.local``: a subinterpreter gets a new thread state for every call,
and its locals would be lost with it."""


def initialize(setup: str) -> None:
    """Run the program's setup, where it is not here yet, and note the time."""
    failure = None
    if setup:
        try:
            _run(setup)
        except BaseException as error:
            from gillab.strategies.failure import describe_exception

            failure = describe_exception(error)
    _ready[threading.get_ident()] = time.monotonic_ns(), failure


def _run(setup: str) -> None:
    """Run it as a worker's main module, where its classes and functions can be found by name."""
    main = type(sys)(_MODULE)
    sys.modules[_MODULE] = main
    exec(compile(setup, "<setup>", "exec"), vars(main))


def answer(pause_s: float) -> tuple[tuple[int, int], int, str | None]:
    """Say which worker this is, by process and thread, when it was ready, and how it failed.

    The pause leaves the next call to another worker.
    """
    time.sleep(pause_s)
    nothing = (time.monotonic_ns(), "its executor did not run the initializer")
    ready_ns, failure = _ready.get(threading.get_ident(), nothing)
    return (os.getpid(), threading.get_native_id()), ready_ns, failure
