"""The meter: when it samples, what it has counted, and the names of the threads it saw."""

from __future__ import annotations

import atexit
import itertools
import os
import platform
import sys
import threading
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING

from gillab.errors import GillabError, UsageError
from gillab.meter import _sampler, thread_names
from gillab.meter.counters import (
    Counts,
    Function,
    KnockCounts,
    RawReading,
    StateCounts,
    Use,
    WaitCounts,
)
from gillab.meter.reading import Reading, read
from gillab.meter.states import ATTACHED, STOPPED, WAITING
from gillab.meter.timeline import Span, Thread, Timeline, count_held

if TYPE_CHECKING:
    from gillab.meter.other_process import Target

INTERVAL_S = 100e-6
_KNOCK_INTERVAL_S = 0.01
_PROFILE_INTERVAL_S = 0.001
_MOST_SPANS = 100_000
"""Of a timeline, in some 3 MB; the oldest go. A trace of so many takes some 30 MB."""
_KNOCKING = "gillab-knock"
UNKNOWN = "unknown"
"""The name for threads that could not be identified."""

_STATES = ("detached", ATTACHED, STOPPED, "untold")
"""By their numbers in csrc/thread_states.h; those after them stand for what is waited for."""

_numbers = itertools.count()
_running: weakref.WeakSet[GilMeter] = weakref.WeakSet()
_at_exit: list[object] = []


class MeterUnavailableError(GillabError):
    """The GIL's state cannot be read here; the message says why."""


class GilMeter:
    """A meter of this interpreter's GIL: a thread of its own counts samples of the lock.

    ``interval_s`` is the mean time between samples in seconds, from 10 µs to 1 s, else 100 µs; each
    gap is uniformly random, from a half to three halves of it, so that no periodic program falls in
    step. A service that is metered all the time gives a ``budget`` instead: the share of a CPU that
    the sampling thread may use, from 0.0001 to 0.5 (0.005 is half a percent). The meter then sets
    the interval once a second, from 100 µs to 1 s, by the CPU time that its samples took.
    With ``knock`` the meter also takes the lock some hundred times a second and records how long
    that took, which disturbs the program. With ``profile`` it also reads, some thousand times a
    second, in which Python function the thread is that holds the lock; and, where a free-threaded
    build runs without a lock, what each thread does and for which object it waits. With
    ``timeline`` it reads that at each sample, and keeps who held the lock and when, for the last
    100,000 stretches. `why_no_functions` says where neither can be.

    UsageError for an interval or a budget outside its range, for both, and for a budget with
    ``knock``, whose cost is the program's; MeterUnavailableError if the lock's state cannot
    be read. A new meter does not run yet: ``start()`` starts it, or ``with``.
    """

    _other: Target | None = None
    """The process that is metered, where it is another one."""

    def __init__(
        self,
        interval_s: float | None = None,
        *,
        budget: float | None = None,
        knock: bool = False,
        profile: bool = False,
        timeline: bool = False,
    ) -> None:
        if budget is not None:
            _check_budget(budget, interval_s, knock)
        elif interval_s is None:
            interval_s = INTERVAL_S
        elif not 10e-6 <= interval_s <= 1.0:
            raise UsageError(f"interval_s is from 10e-6 to 1 second, not {interval_s}.")
        self.interval_s = interval_s
        self.budget = budget
        # With a budget few samples are taken: all tell the function.
        every = 1 if interval_s is None else max(round(_PROFILE_INTERVAL_S / interval_s), 1)
        try:
            self._sampler = _sampler.new(
                round((interval_s or 0.0) * 1e9),
                int.from_bytes(os.urandom(8), "little"),
                1 if timeline else every if profile else 0,
                _MOST_SPANS if timeline else 0,
                budget=budget or 0.0,
                states_every=every,
                other=self._other,
            )
        except RuntimeError as error:
            raise MeterUnavailableError(f"The GIL cannot be read: {error}.") from None
        if timeline and not _sampler.profiles(self._sampler):
            reason = _sampler.why_no_functions()
            raise MeterUnavailableError(f"There is no timeline here: {reason}.")
        self._keeps_spans = timeline
        self._began_ns: int | None = None
        self._ended_ns: int | None = None
        self._number = next(_numbers)
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._named: dict[int, weakref.ref[threading.Thread]] = {}
        self._functions: list[Function] = []
        self._knocker = _Knocker() if knock else None

    def __enter__(self) -> GilMeter:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __del__(self) -> None:
        if hasattr(self, "_knocker"):  # else it was never made
            self.stop()

    def start(self) -> None:
        """Start sampling, or resume it; the time in between is not counted.

        GillabError where the meter runs already, came here by a fork, or the system gives no
        thread.
        """
        self._refuse_fork()  # before the lock, whose holder is not in the fork
        with self._lock:
            if _sampler.running(self._sampler):
                raise GillabError("This meter runs already: stop it first, or make another.")
            thread_names.watch()
            try:
                began_ns = _sampler.now()
                _sampler.start(self._sampler)
                self._began_ns, self._ended_ns = self._began_ns or began_ns, None
                _stop_at_exit(self)
                if self._knocker is not None:
                    self._knocker.start()
            except BaseException as error:  # an interrupt, too, leaves nothing half started
                _sampler.stop(self._sampler)
                thread_names.unwatch()
                if isinstance(error, OSError | RuntimeError):
                    raise GillabError(f"The meter could not start: {error}.") from None
                raise

    def stop(self) -> None:
        """Stop sampling, if the meter runs in this process. Earlier readings stay valid."""
        if _sampler.forked(self._sampler):
            return
        with self._lock:
            if self._knocker is not None:
                self._knocker.stop()
            if _sampler.running(self._sampler):
                _sampler.stop(self._sampler)
                self._ended_ns = _sampler.now()
                thread_names.unwatch()
        _running.discard(self)

    @property
    def running(self) -> bool:
        """Whether the meter samples, in this process."""
        return _sampler.running(self._sampler)

    def read(self) -> Reading:
        """Return what was counted since the meter was made; from any thread, without waiting.

        GillabError in a process forked from the one that started the meter.
        """
        self._refuse_fork()
        waits = _sampler.waits(self._sampler)
        states = self._read_states()
        shares = _sampler.shares(self._sampler)  # after the others, whose threads are among them
        counts = Counts(**_sampler.counts(self._sampler))
        names = self._find_names([share[:4] for share in shares])
        return read(
            RawReading(
                meter=self._number,
                counts=counts,
                sees_waiters=_sampler.sees_waiters(self._sampler),
                threads={share[0]: (names[share[0]], share[4]) for share in shares},
                knocks=None if self._knocker is None else self._knocker.read(),
                uses=self._read_uses() if _sampler.profiles(self._sampler) else None,
                waits=None if waits is None else WaitCounts(waits[0], _count_pairs(waits[1])),
                states=states,
            )
        )

    def _read_uses(self) -> dict[tuple[int, Function | None], Use]:
        rows = _sampler.uses(self._sampler)
        known = self._list_functions()
        uses: dict[tuple[int, Function | None], Use] = {}
        for place, number, doubled_held, longest in rows:
            # A function whose code was made again is known under several numbers.
            key = (place, known[number] if number else None)
            before = uses.get(key, Use(0, 0))
            uses[key] = Use(before.doubled_held + doubled_held, max(before.longest or 0, longest))
        return uses

    def _read_states(self) -> StateCounts | None:
        told = _sampler.states(self._sampler)
        if told is None:
            return None
        covered, stopped, longest, objects_told, kinds, rows = told
        known = self._list_functions()
        times: dict[tuple[int, str, str | None, Function | None], int] = {}
        for place, what, number, time_ in rows:
            waits_for = what - len(_STATES)
            row = (
                place,
                WAITING if waits_for >= 0 else _STATES[what],
                kinds[waits_for] if waits_for > 0 else None,
                known[number] if number else None,
            )
            times[row] = times.get(row, 0) + time_
        return StateCounts(covered, stopped, longest, objects_told, times)

    def _list_functions(self) -> list[Function]:
        """Return the functions by their numbers; the first stands for none."""
        known = self._functions
        # Another thread may read too: both find the same.
        more = _sampler.functions(self._sampler, len(known))
        if more:
            known = self._functions = [*known, *(Function(*each) for each in more)]
        return known

    def timeline(self) -> Timeline:
        """Return who held the lock and when, since the meter first started.

        While the meter runs, the hold that lasts is not in it yet. GillabError for a meter that was
        made without ``timeline``, one that never ran, and in a forked process.
        """
        self._refuse_fork()
        if not self._keeps_spans or self._began_ns is None:
            raise GillabError("This meter keeps no timeline: make it with timeline=True, start it.")
        dropped, rows = _sampler.spans(self._sampler, _MOST_SPANS)
        functions = self._list_functions()
        counts = _sampler.counts(self._sampler)
        now_ns = _sampler.now()
        ended_ns = self._ended_ns or now_ns
        spans = [
            Span(thread, "wait" if waits else "hold", function or None, begin, end, holder)
            for thread, waits, function, begin, end, holder in rows
        ]
        spans.sort(key=lambda span: span.begin_ns)
        # What came before the first that is kept is not known.
        known_ns = spans[0].begin_ns if dropped and spans else self._began_ns
        shares = _sampler.shares(self._sampler)
        names = self._find_names([share[:4] for share in shares])
        seen = {span.thread for span in spans} | {span.holder for span in spans}
        return Timeline(
            threads={
                place: Thread(names[place], native_id)
                for place, _, native_id, *_ in shares
                if place in seen
            },
            functions={number: each for number, each in enumerate(functions) if number},
            spans=tuple(spans),
            held=count_held(spans, known_ns, ended_ns),
            began_ns=self._began_ns,
            ended_ns=ended_ns,
            began_at=time.time() - (now_ns - self._began_ns) / 1e9,
            dropped=dropped,
            interval_s=self.interval_s or counts["covered"] / max(counts["samples"], 1) / 1e9,
            process=os.getpid() if self._other is None else self._other.pid,
            python=self.python,
            program=tuple(sys.argv) if self._other is None else self._other.command,
        )

    @property
    def python(self) -> str:
        """What runs the program: ``CPython 3.13.0``."""
        if self._other is not None:
            return self._other.python
        return f"{platform.python_implementation()} {platform.python_version()}"

    def _refuse_fork(self) -> None:
        if _sampler.forked(self._sampler):
            raise GillabError(
                "This meter runs in the process that this one was forked from: make a new one here."
            )

    def _find_names(self, shares: list[tuple[int, int, int, str]]) -> dict[int, str]:
        by_native_id, by_ident = thread_names.collect_names()
        for place, ident, native_id, system_name in shares:
            named = by_native_id.get(native_id) if native_id else by_ident.get(ident)
            # On Linux and macOS a place is one native id. Elsewhere it is one state of a thread
            # (gil_sampler.c says why), whose id another thread soon has: once a thread is found
            # under it, however late, the place has that thread's name and no other's, and follows
            # it where it is renamed. A place that is first read after its thread has ended and
            # another has taken its id has that one's name: nothing here tells them apart.
            if named is not None and self._named.setdefault(place, named.thread) is named.thread:
                self._names[place] = named.name
            elif place not in self._names:
                self._names[place] = system_name or (
                    f"thread {native_id or ident}" if native_id or ident else UNKNOWN
                )
        return dict(self._names)


def _check_budget(budget: float, interval_s: float | None, knock: bool) -> None:
    if interval_s is not None:
        raise UsageError("A budget sets the interval: give either interval_s or budget.")
    if knock:
        raise UsageError("A budget does not cover knocks: give either knock or budget.")
    if not 0.0001 <= budget <= 0.5:
        raise UsageError(
            f"budget is a share of a CPU from 0.0001 to 0.5 (0.005: 0.5 %), not {budget}."
        )


def _count_pairs(rows: list[tuple[int, int | None, int]]) -> dict[tuple[int, int | None], int]:
    return {(place, holder): time for place, holder, time in rows}


class _Knocker:
    """A thread that takes the GIL now and then and records how long that took."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._longest = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        try:
            thread = self._make_thread()
            thread.start()
        except RuntimeError as error:
            raise GillabError(f"The meter cannot knock on the lock here: {error}.") from None
        self._thread = thread

    def _make_thread(self) -> threading.Thread:
        try:
            return threading.Thread(target=self._run, name=_KNOCKING, daemon=True)
        except RuntimeError:
            # An interpreter with a GIL of its own has no daemons: its end waits for every thread,
            # before atexit's functions run, but after these.
            threading._register_atexit(self._stop.set)  # type: ignore[attr-defined]
            return threading.Thread(target=self._run, name=_KNOCKING, daemon=False)

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def read(self) -> KnockCounts:
        return KnockCounts(self._buckets.copy(), self._longest)

    def _run(self) -> None:
        state = int.from_bytes(os.urandom(4), "little")
        while not self._stop.is_set():
            # Numerical Recipes' quick generator: from a half to three halves of the interval.
            state = (1664525 * state + 1013904223) % 2**32
            took = _sampler.knock(_KNOCK_INTERVAL_S * (0.5 + state / 2**32))
            bucket = _sampler.bucket(took)
            self._longest = max(self._longest, took)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1


def _stop_at_exit(meter: GilMeter) -> None:
    """Ensure that no sampler outlives the interpreter whose lock it reads."""
    _running.add(meter)
    if not _at_exit:
        _at_exit.append(atexit.register(_stop_all))


def _stop_all() -> None:
    for meter in list(_running):
        meter.stop()
