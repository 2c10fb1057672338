"""Traces that ``gillab.meter --trace`` wrote, read back as timelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gillab.meter.counters import Function
from gillab.meter.timeline import Span, Thread, Timeline
from gillab.meter.trace_event import HOLD, SCHEMA


def is_trace(data: Any) -> bool:
    """Whether the JSON is of the Trace Event Format."""
    return isinstance(data, dict) and "traceEvents" in data


def load_timeline(data: Mapping[str, Any]) -> Timeline:
    """Return the timeline that a trace was made from; ValueError where gillab made none."""
    try:
        return _load(data["otherData"], data["traceEvents"])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it is a trace, and not one of gillab.meter's ({error!r:.60})") from None


def _load(about: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Timeline:
    if about["schema"] != SCHEMA:
        raise ValueError(f"it has schema {about['schema']!r}, and this gillab reads {SCHEMA}")
    began_ns = int(about["began_ns"])
    threads: dict[int, Thread] = {}
    functions: dict[Function, int] = {}
    held: list[tuple[int, float]] = []
    slices: list[tuple[int, Mapping[str, Any], int, int]] = []
    for event in events:
        args = event.get("args", {})
        begin_ns = began_ns + _to_ns(event.get("ts", 0))
        if event["name"] == "thread_name":
            threads[event["tid"]] = Thread(str(args["name"]), int(args["native_id"]))
        elif event["ph"] == "C":
            held.append((begin_ns, float(args["fraction"])))
        elif event["ph"] == "X":
            threads[event["tid"]]  # it has a name
            slices.append((event["tid"], event, begin_ns, begin_ns + _to_ns(event["dur"])))
    spans = [*_list_spans(slices, functions)]
    return Timeline(
        threads=threads,
        functions={number: function for function, number in functions.items()},
        spans=tuple(sorted(spans, key=lambda span: span.begin_ns)),
        held=tuple(held),
        began_ns=began_ns,
        ended_ns=int(about["ended_ns"]),
        began_at=float(about["began_at"]),
        dropped=int(about["dropped"]),
        interval_s=float(about["interval_s"]),
        process=int(about["process"]),
        python=str(about["python"]),
        program=tuple(map(str, about["program"])),
    )


def _list_spans(
    slices: Sequence[tuple[int, Mapping[str, Any], int, int]], functions: dict[Function, int]
) -> Iterator[Span]:
    """Yield the spans; a part of a hold without a function's slice is one with no function."""
    hold: tuple[int, int, int] | None = None
    for thread, event, begin_ns, end_ns in slices:
        if event["cat"] == "function":
            if hold is None:
                raise KeyError("no hold around a function")
            if hold[1] < begin_ns:
                yield Span(thread, "hold", None, hold[1], begin_ns)
            function = _find(event["name"], event["args"], functions)
            yield Span(thread, "hold", function, begin_ns, end_ns)
            hold = (thread, end_ns, hold[2])
            continue
        if hold is not None and hold[1] < hold[2]:
            yield Span(hold[0], "hold", None, hold[1], hold[2])
        hold = (thread, begin_ns, end_ns) if event["name"] == HOLD else None
        if hold is None:
            args = event["args"]
            name = args.get("function")
            known = None if name is None else _find(name, args, functions)
            yield Span(thread, "wait", known, begin_ns, end_ns, args.get("holder_tid"))
    if hold is not None and hold[1] < hold[2]:
        yield Span(hold[0], "hold", None, hold[1], hold[2])


def _find(name: str, args: Mapping[str, Any], functions: dict[Function, int]) -> int:
    function = Function(str(args["file"]), int(args["line"]), str(name))
    return functions.setdefault(function, len(functions))


def _to_ns(time_us: float) -> int:
    return round(time_us * 1000)
