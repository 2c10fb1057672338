"""A timeline in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

The format: "Trace Event Format", a document of the Chromium project. A thread's track has a slice
for each hold of the GIL, with the functions as slices inside it, and one for each wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gillab.meter.timeline import (
    Hold,
    Span,
    Timeline,
    describe_dropped,
    join_holds,
)
from gillab.text import printable

SCHEMA = 1
HOLD = "GIL held"
WAIT = "waits for the GIL"
_FIRST_MADE_UP = 2_000_000_000
"""No system numbers so many threads, and the viewers take numbers of 32 bits."""


def encode_trace_event(timeline: Timeline) -> Iterator[str]:
    """Yield the file's text in pieces."""
    yield '{\n"displayTimeUnit": "ms",\n"otherData": '
    yield json.dumps(_describe(timeline))
    yield ',\n"traceEvents": [\n'
    joint = ""
    for event in _list_events(timeline):
        yield joint + json.dumps(event)
        joint = ",\n"
    yield "\n]\n}\n"


def number_threads(timeline: Timeline) -> dict[int, int]:
    """Return a number for each thread: the system's, if that is known and no other thread has it.

    Two threads have the same one if the second was made after the first had ended.
    """
    numbers: dict[int, int] = {}
    taken = {0}
    for nth, (place, thread) in enumerate(timeline.threads.items()):
        number = thread.native_id
        usable = number < _FIRST_MADE_UP and number not in taken
        numbers[place] = number if usable else _FIRST_MADE_UP + nth
        taken.add(numbers[place])
    return numbers


def _describe(timeline: Timeline) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": "gillab.meter",
        "program": [printable(word) for word in timeline.program],
        "python": timeline.python,
        "process": timeline.process,
        "interval_s": timeline.interval_s,
        "began_ns": timeline.began_ns,
        "ended_ns": timeline.ended_ns,
        "began_at": timeline.began_at,
        "dropped": timeline.dropped,
        "note": describe_dropped(timeline) or "no span is missing",
    }


def _list_events(timeline: Timeline) -> Iterator[dict[str, Any]]:
    numbers = number_threads(timeline)
    shared = {"pid": timeline.process}
    program = printable(" ".join(timeline.program))
    yield {"ph": "M", "name": "process_name", **shared, "args": {"name": program}}
    for nth, (place, thread) in enumerate(timeline.threads.items()):
        on_track = {**shared, "tid": numbers[place]}
        name = {"name": printable(thread.name), "native_id": thread.native_id}
        yield {"ph": "M", "name": "thread_name", **on_track, "args": name}
        yield {"ph": "M", "name": "thread_sort_index", **on_track, "args": {"sort_index": nth}}
    if timeline.dropped and timeline.spans:
        at = {"s": "p", **shared, "tid": numbers[timeline.spans[0].thread]}
        ts = _to_us(timeline.spans[0].begin_ns - timeline.began_ns)
        yield {"ph": "i", "name": describe_dropped(timeline), "cat": "gillab", "ts": ts, **at}
    for hold in join_holds(timeline.spans):
        yield from _list_hold(timeline, hold, {**shared, "tid": numbers[hold.thread]})
    for span in timeline.spans:
        if span.kind == "wait":
            args: dict[str, Any] = {}
            if span.function is not None:
                args["function"] = _name(timeline, span.function)
                args |= _locate(timeline, span.function)
            if span.holder is not None:
                args["holder"] = printable(timeline.threads[span.holder].name)
                args["holder_tid"] = numbers[span.holder]
            at_span = {**_place(timeline, span), **shared, "tid": numbers[span.thread]}
            yield {"ph": "X", "name": WAIT, "cat": "wait", **at_span, "args": args}
    for at_ns, fraction in timeline.held:
        ts = _to_us(at_ns - timeline.began_ns)
        held = {"fraction": round(fraction, 4)}
        yield {"ph": "C", "name": HOLD, "ts": ts, **shared, "args": held}


def _list_hold(
    timeline: Timeline, hold: Hold, shared: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    # Before what is inside it: of two slices with one begin, the first is the outer one.
    args = {} if hold.function is None else {"function": _name(timeline, hold.function)}
    yield {"ph": "X", "name": HOLD, "cat": "hold", **_place(timeline, hold), **shared, "args": args}
    for span in hold.spans:
        if span.function is not None:
            name, args = _name(timeline, span.function), _locate(timeline, span.function)
            at = _place(timeline, span)
            yield {"ph": "X", "name": name, "cat": "function", **at, **shared, "args": args}


def _place(timeline: Timeline, stretch: Span | Hold) -> dict[str, float]:
    ts = _to_us(stretch.begin_ns - timeline.began_ns)
    return {"ts": ts, "dur": _to_us(stretch.end_ns - stretch.begin_ns)}


def _name(timeline: Timeline, function: int) -> str:
    return printable(timeline.functions[function].name)


def _locate(timeline: Timeline, function: int) -> dict[str, Any]:
    known = timeline.functions[function]
    return {"file": printable(known.file), "line": known.line}


def _to_us(time_ns: int) -> float:
    return time_ns / 1000
