"""The names of threads, ended ones too, since the system knows a thread only by a number."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from typing import NamedTuple

_KEPT = 4096


class Named(NamedTuple):
    """A thread's name as it is now, and which thread that is."""

    name: str
    thread: weakref.ref[threading.Thread]
    """The same object for as long as it is kept anywhere, even when the thread is gone; no other
    thread has it."""


_lock = threading.RLock()  # a meter may be collected, and unwatch, while this is held
_watchers = 0
_threads: deque[threading.Thread] = deque(maxlen=_KEPT)
_ended: dict[int, Named] = {}


def watch() -> None:
    """Record the name of every thread made from now on, until ``unwatch()`` is called as often.

    A ``threading.Thread`` is often dropped as soon as it has ended, and its name with it.
    threading adds each new thread to a set of its own. While anybody watches, that set's ``add``
    also keeps the thread until it has ended.
    """
    global _watchers  # noqa: PLW0603 - one set in threading, one count of who watches it
    with _lock:
        _watchers += 1
        known = getattr(threading, "_dangling", None)
        if _watchers == 1 and known is not None:
            known.add = _add


def unwatch() -> None:
    """End one ``watch()``; the recorded names stay."""
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
    _ended[threading.get_native_id()] = _name(threading.current_thread())


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
        if thread.native_id is None or _is_alive(thread):
            _threads.append(thread)
        else:
            _ended[thread.native_id] = _name(thread)
    while len(_ended) > _KEPT:
        _ended.pop(next(iter(_ended)), None)


def _is_alive(thread: threading.Thread) -> bool:
    try:
        return thread.is_alive()
    except (AssertionError, RuntimeError):
        # In a fork threading's stand-in for a thread that it did not start: it cannot say no.
        return False


def _name(thread: threading.Thread) -> Named:
    return Named(thread.name, weakref.ref(thread))


def collect_names() -> tuple[dict[int, Named], dict[int, Named]]:
    """Return the names by native id, and those of living threads by ident; takes no lock."""
    by_native_id = _ended.copy()
    by_ident = {}
    threads = (*_copy(getattr(threading, "_dangling", ())), *_copy(_threads))
    # The living last: an id that is given again is theirs.
    for thread in sorted(threads, key=_is_alive):
        if thread.native_id is not None:
            by_native_id[thread.native_id] = _name(thread)
        if thread.ident is not None and _is_alive(thread):
            by_ident[thread.ident] = _name(thread)
    return by_native_id, by_ident


def _copy(threads: object) -> list[threading.Thread]:
    for _ in range(10):
        try:
            return list(threads)  # type: ignore[call-overload, no-any-return]
        except RuntimeError:  # another thread was made meanwhile
            continue
    return []
