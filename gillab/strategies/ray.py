"""Actors of Ray, a process each: the next task goes to whichever is free.

``ray.util.multiprocessing.Pool`` runs its tasks in actors too. Ray is started here for the purpose,
on this machine, and ends with the last executor that uses it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from importlib.util import find_spec
from typing import Any

from gillab.strategies import Strategy
from gillab.strategies.failure import LostError
from gillab.strategies.mapping import ChunkingExecutor

_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_users: set[RayExecutor] = set()
_starting = threading.Lock()


class Worker:
    """What an actor does."""

    def __init__(self, initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
        initializer(*initargs)

    def run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function."""
        return fn(*args, **kwargs)


class RayExecutor(ChunkingExecutor):
    """Gives its actors one task at a time."""

    def __init__(
        self, workers: int, initializer: Callable[..., object], initargs: tuple[Any, ...]
    ) -> None:
        import ray

        self._ray = ray
        self._lock = threading.RLock()
        self._queue: deque[_Task] = deque()
        self._pending: set[Future[Any]] = set()
        self._lost = False
        self._closed = False
        with _starting:
            if not ray.is_initialized():
                _start(ray)
            _users.add(self)
        # Asking for no CPU, they run whatever Ray counts here.
        actor = ray.remote(num_cpus=0)(Worker)
        self._actors = [actor.remote(initializer, initargs) for _ in range(workers)]
        self._idle = deque(self._actors)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have the next actor that is free call the function. LostError if one has died."""
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._lost:
                raise LostError("a worker process was lost")
            self._pending.add(future)
            self._queue.append((future, fn, args, kwargs))
            self._hand_out()
        return future

    def _hand_out(self) -> None:
        while self._idle and self._queue:
            future, fn, args, kwargs = self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                self._pending.discard(future)
                continue
            actor = self._idle.popleft()
            answer = actor.run.remote(fn, args, kwargs).future()

            def take(done: Future[Any], actor: Any = actor, future: Future[Any] = future) -> None:
                self._take(done, actor, future)

            answer.add_done_callback(take)

    def _take(self, done: Future[Any], actor: Any, future: Future[Any]) -> None:
        """Hand an answer on, and give its actor the next task."""
        error = done.exception()
        with self._lock:
            self._idle.append(actor)
            self._lost = self._lost or isinstance(error, self._ray.exceptions.RayActorError)
            if self._lost:
                failed, self._pending = self._pending, set()
                self._queue.clear()
                for each in failed:
                    if not each.done():
                        each.set_exception(LostError("a worker process was lost"))
                return
            self._pending.discard(future)
            self._hand_out()
        if error is None:
            future.set_result(done.result())
        else:
            # Ray's own error holds the traceback as text, and what was raised as its cause.
            future.set_exception(getattr(error, "cause", None) or error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the actors, and Ray after the last executor."""
        with self._lock:
            if cancel_futures:
                for future, *_ in self._queue:
                    future.cancel()
                self._queue.clear()
            pending = list(self._pending)
            closed, self._closed = self._closed, True
        if wait:
            wait_for_all(pending)
        if closed:
            return
        for actor in self._actors:
            self._ray.kill(actor)
        with _starting:
            _users.discard(self)
            if not _users:
                self._ray.shutdown()


def _start(ray: Any) -> None:
    import logging
    import secrets
    from multiprocessing.util import get_temp_dir

    # Else Ray keeps one in the user's home.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        logging_level=logging.CRITICAL,
        _node_ip_address="127.0.0.1",
        _temp_dir=get_temp_dir(),
    )


def _find_obstacle() -> str | None:
    return None if find_spec("ray") else "needs Ray: pip install 'gillab[ray]'"


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> RayExecutor:
    return RayExecutor(workers, initializer, initargs)


RAY = Strategy("ray", _create, _find_obstacle, own_process=True, rank=5)
