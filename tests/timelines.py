"""Made-up timelines: one of a C call that stops a loop, an empty one, and a hostile one."""

from __future__ import annotations

from dataclasses import replace

from pages import HOSTILE

from gillab.meter.counters import Function
from gillab.meter.timeline import Kind, Span, Thread, Timeline, count_held

_MS = 1_000_000
_BEGAN = 5_000_000_000_123
MAIN, WORKER = 1, 2
LOOP, LAMBDA, DECODE = 10, 11, 12


def span(
    thread: int, kind: Kind, function: int | None, begin_ms: float, end_ms: float,
    holder: int | None = None,
) -> Span:  # fmt: skip
    begin, end = (_BEGAN + round(time * _MS) for time in (begin_ms, end_ms))
    return Span(thread, kind, function, begin, end, holder)


def make_timeline(*spans: Span, dropped: int = 0) -> Timeline:
    """Return a timeline of 400 ms with two threads and three functions."""
    ended = _BEGAN + 400 * _MS
    return Timeline(
        threads={MAIN: Thread("MainThread", 77), WORKER: Thread("asyncio_0", 0)},
        functions={
            LOOP: Function("/srv/app/loop.py", 3, "main"),
            LAMBDA: Function("C:\\app\\x.py", 9, "<lambda>"),
            DECODE: Function("/usr/lib/json/decoder.py", 343, "JSONDecoder.raw_decode"),
        },
        spans=spans,
        held=count_held(spans, _BEGAN, ended, 20),
        began_ns=_BEGAN,
        ended_ns=ended,
        began_at=1.79e9,
        dropped=dropped,
        interval_s=1e-4,
        process=77,
        python="CPython 3.13.0",
        program=("loop_lag.py", "one_c_call"),
    )


def make_stopped_loop(dropped: int = 0) -> Timeline:
    """Return one in which a call holds the lock for 310 ms, and the loop waits for 307 of them."""
    return make_timeline(
        span(MAIN, "hold", LOOP, 0.25, 2),
        span(WORKER, "wait", DECODE, 1, 2, MAIN),
        span(WORKER, "hold", DECODE, 2, 312),
        span(MAIN, "wait", LOOP, 5, 312, WORKER),
        span(MAIN, "hold", LOOP, 312, 313),
        span(MAIN, "hold", None, 313, 313.5),
        span(MAIN, "hold", LAMBDA, 313.5, 314.000001),
        span(MAIN, "hold", None, 320, 321),
        span(MAIN, "wait", None, 330, 331),
        dropped=dropped,
    )


def make_empty() -> Timeline:
    """Return one of a meter that saw nothing."""
    return replace(make_timeline(), threads={}, functions={})


def make_hostile() -> Timeline:
    """Return one in which every text that is not gillab's is hostile."""
    timeline = make_stopped_loop()
    return replace(
        timeline,
        threads={place: Thread(HOSTILE, 0) for place in timeline.threads},
        functions={at: Function(HOSTILE, 3, f"{at}{HOSTILE}") for at in timeline.functions},
        program=(HOSTILE,),
    )
