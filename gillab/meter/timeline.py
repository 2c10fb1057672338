"""What happened to the GIL and when: the holds and waits of each thread, and the functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gillab.meter.counters import Function

Kind = Literal["hold", "wait"]


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread that was seen to hold the lock or to wait for it."""

    name: str
    native_id: int
    """The system's number for it; 0 if the system tells none."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which every sample saw one thread hold the lock, or wait for it, alike.

    The times are those of the monotonic clock, in nanoseconds.
    """

    thread: int
    """A key of `Timeline.threads`."""
    kind: Kind
    function: int | None
    """A key of `Timeline.functions`: what the thread ran; None where that could not be told."""
    begin_ns: int
    end_ns: int
    holder: int | None = None
    """Of a wait: the thread that held the lock at its end, if that is known."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a meter saw between two moments, in the order in which the spans began."""

    threads: Mapping[int, Thread]
    functions: Mapping[int, Function]
    spans: Sequence[Span]
    held: Sequence[tuple[int, float]]
    """Moments, and the fraction of the time from one to the next in which the lock was held; the
    last fraction is the one before it."""
    began_ns: int
    ended_ns: int
    began_at: float
    """When it began by the wall clock, in seconds since 1970."""
    dropped: int
    """How many spans are lost, since the memory for them was full: the oldest ones."""
    interval_s: float
    """The mean time between samples: what is shorter may be missing."""
    process: int
    """The system's number for the process."""
    python: str
    """What ran it: ``CPython 3.13.0``."""
    program: Sequence[str]
    """The words of its command line."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Spans of one thread, each of which begins where the one before it ends: one hold."""

    spans: Sequence[Span]

    @property
    def thread(self) -> int:
        """The thread that held the lock."""
        return self.spans[0].thread

    @property
    def begin_ns(self) -> int:
        """When the first span begins."""
        return self.spans[0].begin_ns

    @property
    def end_ns(self) -> int:
        """When the last span ends."""
        return self.spans[-1].end_ns

    @property
    def length_ns(self) -> int:
        """How long the lock was held."""
        return self.end_ns - self.begin_ns

    @property
    def functions(self) -> dict[int | None, int]:
        """How long each function ran in it, in nanoseconds."""
        lengths: dict[int | None, int] = {}
        for span in self.spans:
            length = span.end_ns - span.begin_ns
            lengths[span.function] = lengths.get(span.function, 0) + length
        return lengths

    @property
    def function(self) -> int | None:
        """The function that ran for the longest part of it, if any is known."""
        lengths = self.functions
        known = (function for function in lengths if function is not None)
        return max(known, key=lambda each: lengths[each], default=None)


def join_holds(spans: Sequence[Span]) -> Iterator[Hold]:
    """Yield the holds: where only the function changes, a hold goes on."""
    joined: list[Span] = []
    for span in spans:
        if span.kind != "hold":
            continue
        if joined and (joined[-1].thread, joined[-1].end_ns) != (span.thread, span.begin_ns):
            yield Hold(tuple(joined))
            joined = []
        joined.append(span)
    if joined:
        yield Hold(tuple(joined))


def count_held(
    spans: Sequence[Span], began_ns: int, ended_ns: int, steps: int = 200
) -> tuple[tuple[int, float], ...]:
    """Return `Timeline.held` as the spans tell it, in so many steps of one length."""
    length = ended_ns - began_ns
    steps = min(steps, length)
    if steps < 1:
        return ()
    ends = [began_ns + length * step // steps for step in range(steps + 1)]
    held = [0] * steps
    for span in spans:
        if span.kind != "hold":
            continue
        first = max((span.begin_ns - began_ns) * steps // length, 0)
        for step in range(first, steps):
            if ends[step] >= span.end_ns:
                break
            share = min(span.end_ns, ends[step + 1]) - max(span.begin_ns, ends[step])
            held[step] += max(share, 0)
    fractions = [
        min(time / (end - begin), 1.0)
        for time, begin, end in zip(held, ends, ends[1:], strict=False)
    ]
    return tuple(zip(ends, [*fractions, fractions[-1]], strict=True))


def describe_dropped(timeline: Timeline) -> str:
    """Return the sentence on the spans that are lost; empty if none is."""
    if not timeline.dropped:
        return ""
    lost = f"{timeline.dropped:,} older spans are" if timeline.dropped > 1 else "one older span is"
    first_ns = timeline.spans[0].begin_ns if timeline.spans else timeline.ended_ns
    after_s = (first_ns - timeline.began_ns) / 1e9
    return f"{lost} missing: the timeline begins {after_s:.3f} s after the meter did."
