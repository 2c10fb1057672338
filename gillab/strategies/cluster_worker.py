"""Runs in a worker of a Dask scheduler: the initializer before its first task, then the tasks."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from gillab.strategies.failure import describe_exception
from gillab.strategies.worker import forget, initialize


class Initial:
    """What a worker does before its first task; each worker has a copy while its executor lives."""

    def __init__(self, initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
        self._initializer = initializer
        self._initargs = initargs
        self._ready: set[int] = set()

    def prepare(self) -> None:
        """Run the initializer, unless this thread has."""
        thread = threading.get_ident()
        if thread not in self._ready:
            self._initializer(*self._initargs)
            self._ready.add(thread)
            # The worker lives on when its executor has ended.
            if self._initializer is initialize:
                weakref.finalize(self, forget, self._initargs[0])


class LoadError(Exception):
    """The worker cannot unpickle what it is to call: it lacks a module, for one."""


def run_task(initial: Initial, payload: bytes) -> bytes:
    """Run a pickled call, and return its pickled result. LoadError."""
    from distributed.protocol.pickle import dumps, loads

    initial.prepare()
    try:
        function, args, kwargs = loads(payload)
    except Exception as error:
        raise LoadError(describe_exception(error)) from None
    result: bytes = dumps(function(*args, **kwargs))
    return result


def explain_load(payload: bytes) -> str | None:
    """Return why this worker cannot load a call; None where it can."""
    from distributed.protocol.pickle import loads

    try:
        loads(payload)
    except Exception as error:
        return describe_exception(error)
    return None
