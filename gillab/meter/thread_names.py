"""The names of threads, ended ones too: what the system tells of a thread is a number."""

from __future__ import annotations

import os
import threading
from collections import deque

_KEPT = 4096

_lock = threading.RLock()  # a meter may be collected, and unwatch, while this is held
_watchers = 0
_threads: deque[threading.Thread] = deque(maxlen=_KEPT)
_ended: dict[int, str] = {}


def watch() -> None:
    """Note the name of every thread made from here on, until ``unwatch()`` as often.

    A ``threading.Thread`` is often dropped as soon as it has ended, and its name with it.
    threading adds each to a set of its own as it is made: while anybody watches, that set's
    ``add`` also keeps it, until it has ended.
    """
    global _watchers  # noqa: PLW0603 - one set in threading, one count of who watches it
    with _lock:
        _watchers += 1
        known = getattr(threading, "_dangling", None)
        if _watchers == 1 and known is not None:
            known.add = _add


def unwatch() -> None:
    """End what one ``watch()`` began; names that were noted stay."""
    global _watchers  # noqa: PLW0603
    with _lock:
        _watchers -= 1
        if _watchers == 0:
            _unhook()
            _note_ended()
            _threads.clear()


def _unhook() -> None:
    known = getattr(threading, "_dangling", None)
    if known is not None:
        vars(known).pop("add", None)


def _forget() -> None:
    global _lock, _watchers  # noqa: PLW0603
    _lock = threading.RLock()  # its holder is not in the fork
    _watchers = 0
    _unhook()
    _threads.clear()
    # The one thread of a fork has a new native id, which threading knows of from 3.13 on.
    _ended[threading.get_native_id()] = threading.current_thread().name


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _add(thread: threading.Thread) -> None:
    known = threading._dangling  # type: ignore[attr-defined]
    type(known).add(known, thread)
    _threads.append(thread)
    if len(_threads) % 64 == 0:
        _note_ended()


def _note_ended() -> None:
    for _ in range(len(_threads)):
        try:
            thread = _threads.popleft()
        except IndexError:  # another thread does the same
            return
        if thread.native_id is None or thread.is_alive():
            _threads.append(thread)
        else:
            _ended[thread.native_id] = thread.name
    while len(_ended) > _KEPT:
        _ended.pop(next(iter(_ended)), None)


def collect_names() -> tuple[dict[int, str], dict[int, str]]:
    """Return the names by native id, and those of living threads by ident; takes no lock."""
    by_native_id = _ended.copy()
    by_ident = {}
    for thread in (*_copy(getattr(threading, "_dangling", ())), *_copy(_threads)):
        if thread.native_id is not None:
            by_native_id[thread.native_id] = thread.name
        if thread.ident is not None and thread.is_alive():
            by_ident[thread.ident] = thread.name
    return by_native_id, by_ident


def _copy(threads: object) -> list[threading.Thread]:
    for _ in range(10):
        try:
            return list(threads)  # type: ignore[call-overload, no-any-return]
        except RuntimeError:  # another thread was made meanwhile
            continue
    return []
