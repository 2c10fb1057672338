"""A timeline in the Gecko profile format, which profiler.firefox.com opens.

The format: docs-developer/gecko-profile-format.md and CHANGELOG-formats.md of the Firefox
Profiler. Holds and waits are markers; what the threads ran is given as samples, one a step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from gillab.meter.timeline import Span, Timeline, describe_dropped, join_holds
from gillab.meter.trace_event import HOLD, WAIT, number_threads
from gillab.text import printable

_VERSION = 31
"""Later profilers bring it up to date; what came later is nothing that is needed here."""
_MOST_SAMPLES = 20_000
_HELD, _WAITING, _OTHER = range(3)
_CATEGORIES = (("GIL held", "blue"), ("GIL wanted", "orange"), ("Other", "grey"))
_NO_FUNCTION = "(no Python function is known)"
_INTERVAL = 1
"""The phase of a marker that has a begin and an end."""
_SAMPLES = {"stack": 0, "time": 1, "eventDelay": 2}
_MARKERS = {"name": 0, "startTime": 1, "endTime": 2, "phase": 3, "category": 4, "data": 5}
_FRAMES = {
    **{"location": 0, "relevantForJS": 1, "innerWindowID": 2, "implementation": 3},
    **{"line": 4, "column": 5, "category": 6, "subcategory": 7},
}
_STACKS = {"prefix": 0, "frame": 1}
_FUNCTION_FIELDS = [
    {"key": "function", "label": "Function", "format": "string", "searchable": True},
    {"key": "file", "label": "File", "format": "file-path", "searchable": True},
    {"key": "line", "label": "Line", "format": "integer"},
]
_CHARTS = ["marker-chart", "marker-table", "timeline-overview"]
_SCHEMA: list[dict[str, Any]] = [
    {
        "name": "GilHold",
        "tooltipLabel": HOLD,
        "tableLabel": "{marker.data.function}",
        "chartLabel": "{marker.data.function}",
        "display": _CHARTS,
        "data": _FUNCTION_FIELDS,
    },
    {
        "name": "GilWait",
        "tooltipLabel": WAIT,
        "tableLabel": "for {marker.data.holder}",
        "chartLabel": "waits for {marker.data.holder}",
        "display": _CHARTS,
        "data": [
            *_FUNCTION_FIELDS,
            {"key": "holder", "label": "Held by", "format": "string", "searchable": True},
        ],
    },
    {
        "name": "GilFraction",
        "tooltipLabel": "part of the time that the GIL was held",
        "display": ["marker-table"],
        "data": [{"key": "fraction", "label": HOLD, "format": "percentage"}],
        "graphs": [{"key": "fraction", "type": "line-filled", "color": "blue"}],
    },
]


def encode_gecko(timeline: Timeline) -> Iterator[str]:
    """Yield the file's text in pieces."""
    length_ns = timeline.ended_ns - timeline.began_ns
    step_ns = max(round(timeline.interval_s * 1e9), length_ns // _MOST_SAMPLES, 1)
    yield '{\n"meta": '
    yield json.dumps(_describe(timeline, step_ns))
    yield ',\n"libs": [], "pausedRanges": [], "processes": [],\n"threads": [\n'
    numbers = number_threads(timeline)
    # Without a thread the profiler opens no profile.
    places: list[int | None] = [*timeline.threads] or [None]
    spans: dict[int | None, list[Span]] = {place: [] for place in places}
    for span in timeline.spans:
        spans[span.thread].append(span)
    for nth, place in enumerate(places):
        table = _Thread(timeline, spans[place], step_ns)
        if nth == 0:
            table.add_fractions()
        of_thread = {
            "name": "no thread" if place is None else printable(timeline.threads[place].name),
            "tid": 0 if place is None else numbers[place],
            "pid": timeline.process,
            "processType": "default",
            "processName": printable(" ".join(timeline.program)),
            "registerTime": 0,
            "unregisterTime": None,
        }
        yield (",\n" if nth else "") + json.dumps({**of_thread, **table.as_dict()})
    yield "\n]\n}\n"


def _describe(timeline: Timeline, step_ns: int) -> dict[str, Any]:
    categories = [
        {"name": name, "color": color, "subcategories": ["Other"]} for name, color in _CATEGORIES
    ]
    return {
        "version": _VERSION,
        "startTime": timeline.began_at * 1e3,
        "shutdownTime": None,
        "profilingStartTime": 0,
        "profilingEndTime": (timeline.ended_ns - timeline.began_ns) / 1e6,
        "interval": step_ns / 1e6,
        "processType": 0,
        "product": "gillab.meter",
        "misc": describe_dropped(timeline) or "no span is missing",
        "platform": timeline.python,
        "presymbolicated": True,
        **dict.fromkeys(("stackwalk", "debug", "gcpoison", "asyncstack"), 0),
        "categories": categories,
        "markerSchema": _SCHEMA,
        "gillab": {"dropped": timeline.dropped, "interval_s": timeline.interval_s},
    }


class _Thread:
    """The tables of one thread, which refer to each other by their rows."""

    def __init__(self, timeline: Timeline, spans: list[Span], step_ns: int) -> None:
        self._timeline = timeline
        self._step_ns = step_ns
        self._strings: dict[str, int] = {}
        self._stacks: dict[tuple[int | None, str], int] = {}
        self._frames: list[list[Any]] = []
        self._prefixes: list[list[int | None]] = []
        self._samples: list[list[Any]] = []
        self._markers: list[list[Any]] = []
        for span in spans:
            self._add_samples(span)
        for hold in join_holds(spans):
            self._mark(HOLD, "GilHold", hold.begin_ns, hold.end_ns, _HELD, hold.function)
        for span in spans:
            if span.kind == "wait":
                known = timeline.threads.get(span.holder) if span.holder is not None else None
                holder = {"holder": printable(known.name) if known else "another thread"}
                self._mark(
                    WAIT, "GilWait", span.begin_ns, span.end_ns, _WAITING, span.function, holder
                )

    def add_fractions(self) -> None:
        """Add the part of the time that the lock was held, which is no thread's own."""
        for (at_ns, fraction), (end_ns, _) in pairwise(self._timeline.held):
            data = {"fraction": round(fraction, 4)}
            self._mark(HOLD, "GilFraction", at_ns, end_ns, _OTHER, None, data)

    def as_dict(self) -> dict[str, Any]:
        """Return the tables as the format has them."""
        return {
            "samples": {"schema": _SAMPLES, "data": self._samples},
            "markers": {"schema": _MARKERS, "data": self._markers},
            "frameTable": {"schema": _FRAMES, "data": self._frames},
            "stackTable": {"schema": _STACKS, "data": self._prefixes},
            "stringTable": list(self._strings),
        }

    def _add_samples(self, span: Span) -> None:
        began_ns, step_ns = self._timeline.began_ns, self._step_ns
        first = -((began_ns - span.begin_ns) // step_ns)  # rounded up
        end = -((began_ns - span.end_ns) // step_ns)
        if first >= end:
            return
        stack = self._find_stack(span)
        # Nothing is said at both ends of a gap: from a sample to the next a profiler goes half-way.
        last = self._samples[-1][1] if self._samples else -1
        if last == first * step_ns / 1e6:
            del self._samples[-1]
        elif first > 0 and last < (first - 1) * step_ns / 1e6:
            self._samples.append([None, (first - 1) * step_ns / 1e6, 0])
        for step in range(first, end):
            self._samples.append([stack, step * step_ns / 1e6, 0])
        self._samples.append([None, end * step_ns / 1e6, 0])

    def _find_stack(self, span: Span) -> int:
        category = _HELD if span.kind == "hold" else _WAITING
        if span.function is None:
            location, line = _NO_FUNCTION, None
        else:
            function = self._timeline.functions[span.function]
            line = function.line or None
            where = f"{printable(function.file)}:{function.line}"
            location = f"{printable(function.name)} ({where})"
        stack = self._push(None, location, line, category)
        return stack if span.kind == "hold" else self._push(stack, WAIT, None, category)

    def _push(self, prefix: int | None, location: str, line: int | None, category: int) -> int:
        key = (prefix, f"{category} {location}")
        if key not in self._stacks:
            at = self._find_string(location)
            self._frames.append([at, False, None, None, line, None, category, 0])
            self._prefixes.append([prefix, len(self._frames) - 1])
            self._stacks[key] = len(self._prefixes) - 1
        return self._stacks[key]

    def _find_string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _mark(
        self,
        name: str,
        kind: str,
        begin_ns: int,
        end_ns: int,
        category: int,
        function: int | None,
        data: dict[str, Any] | None = None,
    ) -> None:
        begin_ms = (begin_ns - self._timeline.began_ns) / 1e6
        end_ms = (end_ns - self._timeline.began_ns) / 1e6
        payload = {"type": kind, **(data or {})}
        if function is not None:
            known = self._timeline.functions[function]
            payload |= {"function": printable(known.name), "line": known.line}
            payload["file"] = printable(known.file)
        elif kind == "GilHold":
            payload["function"] = _NO_FUNCTION
        at = self._find_string(name)
        self._markers.append([at, begin_ms, end_ms, _INTERVAL, category, payload])
