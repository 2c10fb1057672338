"""What threads do on a free-threaded Python: run, wait for an object, stand still, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gillab.meter.counters import StateCounts

ATTACHED, WAITING, STOPPED = "attached", "waiting", "stopped"
_NAMES = {
    "_thread.lock": "threading.Lock",
    "_thread.RLock": "threading.RLock",
    "_queue.SimpleQueue": "queue.SimpleQueue",
    "interpreter": "lock of the interpreter",
    "runtime": "lock of the runtime",
    "CPython": "lock of CPython",
    "object": "object of an unknown type",
}
_SIGNALS = ("threading.py", "Condition.wait")


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What a thread did, for how long, and under which Python function."""

    thread: str
    """The thread's name."""

    state: str
    """"attached": it ran Python, or would have with a CPU. "waiting": it waited for an object, a
    lock or a signal. "stopped": it waited for the end of a stop of all threads, as a garbage
    collection needs. "detached": it slept or ran outside of Python. "untold": it went on while it
    was looked at."""

    kind: str | None
    """What it waited for: the type of the object; None for what belongs to no object, such as the
    end of a thread, and for the other states."""

    file: str | None
    """The file of the function's code; None if the function could not be told."""
    line: int | None
    """The line of its definition."""
    name: str | None
    """Its qualified name."""

    share: float
    """The fraction of the time. The rows of a thread add up to the time that it was there."""

    @property
    def is_contention(self) -> bool:
        """Whether the thread wanted to go on, and another had what it needed.

        A thread that waits for a signal only waits for work: the end of a thread, an item of a
        ``queue.SimpleQueue``, or whatever ``threading`` makes of a ``Condition`` (events,
        semaphores and ``queue.Queue``).
        """
        return (
            self.state == WAITING
            and self.kind not in (None, "queue.SimpleQueue")
            and not ((self.file or "").endswith(_SIGNALS[0]) and self.name == _SIGNALS[1])
        )


@dataclass(frozen=True, slots=True)
class Stops:
    """How long all threads were stopped, or being stopped, since one needed them to stand still."""

    share: float
    """The fraction of the time."""
    longest_s: float | None
    """The longest stretch in which every look saw a stop; several in a row count as one. None if
    only an earlier one, before the first of two readings, was longer."""


@dataclass(frozen=True, slots=True)
class Contention:
    """For which kind of object threads waited, and where the longest."""

    kind: str
    share: float
    """Of the time that threads ran Python or wanted to."""
    longest: ThreadState


def list_states(counts: StateCounts, names: Mapping[int, str]) -> tuple[ThreadState, ...]:
    """Return the rows of all threads, greatest first."""
    found = [
        ThreadState(
            thread=names[place],
            state=state,
            kind=None if kind is None else _NAMES.get(kind, kind),
            file=None if function is None else function.file,
            line=None if function is None else function.line,
            name=None if function is None else function.name,
            share=min(time / max(counts.covered, 1), 1.0),
        )
        for (place, state, kind, function), time in counts.rows.items()
        if place in names
    ]
    return tuple(sorted(found, key=lambda each: -each.share))


def read_stops(counts: StateCounts) -> Stops:
    """Return how long threads were stopped."""
    return Stops(
        share=min(counts.stopped / max(counts.covered, 1), 1.0),
        longest_s=None if counts.longest_stop is None else counts.longest_stop / 1e9,
    )


def find_contention(states: Iterable[ThreadState]) -> list[Contention]:
    """Return the kinds of objects that threads fought over, the greatest first."""
    rows = list(states)
    waits = [row for row in rows if row.is_contention]
    wanted = sum(row.share for row in rows if row.state in (ATTACHED, STOPPED) or row in waits)
    kinds = {row.kind for row in waits if row.kind is not None}
    found = []
    for kind in kinds:
        same = [row for row in waits if row.kind == kind]
        share = sum(row.share for row in same) / wanted
        found.append(Contention(kind, share, max(same, key=lambda row: row.share)))
    return sorted(found, key=lambda each: (-each.share, each.kind))
