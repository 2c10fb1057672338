"""What a person would say of a timeline: which function held the GIL longest, and who waited."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from gillab.meter.timeline import Hold, Timeline, describe_dropped, join_holds
from gillab.report.figures import format_duration, format_percent, shorten

_LONGEST = ("length", "begins at", "thread", "function", "file")
_WAITED = "others waited"
BUSIEST = ("function", "held", "share", "longest at once", "file")
WORDS = ("thread", "function", "file")
"""The columns of both tables that hold words."""
UNKNOWN = "no known function"
_MOST_ROWS = 12
_SEEN = 0.01
"""A function that took a smaller part of a hold is not counted."""
_MOST_PARTS = 4
"""Of a path that is written as it is."""
_MOST_HOLDS = 100
"""Whom others waited for is looked for among so many of the longest."""
_NAME, _FILE = 60, 36


def about_holds(timeline: Timeline) -> str:
    """Return what a hold is here."""
    interval = format_duration(timeline.interval_s, 2)
    return (
        "A hold is a stretch in which every sample saw the same thread hold the GIL. Samples were "
        f"{interval} apart on average, so a shorter hold or release can be missing, and a begin or "
        "an end can be off by as much. The function is the Python function that ran at the time, "
        "or that made the call into C that ran."
    )


def summarize_timeline(timeline: Timeline) -> list[str]:
    """Return the sentences, the answer first: the hold that others waited for, or the longest."""
    longest = find_longest(timeline, _MOST_HOLDS)
    if not longest:
        return ["No sample saw the GIL held."]
    waits = [find_waiters(timeline, hold).total() for hold in longest]
    stopping = longest[waits.index(max(waits))] if any(waits) else None
    sentences = []
    if stopping is not None:
        waiters = find_waiters(timeline, stopping)
        told = [
            f"{shorten(timeline.threads[waiter].name, _NAME)} {format_duration(time_ns / 1e9)}"
            for waiter, time_ns in waiters.most_common(3)
        ]
        more = f", and {len(waiters) - 3} more threads" if len(waiters) > 3 else ""
        sentences = [
            f"Others waited while {_tell(timeline, stopping)}.",
            f"These threads waited for it: {', '.join(told)}{more}.",
        ]
    if stopping is not longest[0]:
        alone = "" if stopping is None else ", and nobody waited" * (waits[0] == 0)
        sentences.append(f"The longest hold: {_tell(timeline, longest[0])}{alone}.")
        others = [hold for hold in longest if hold.thread != longest[0].thread]
        if stopping is None and others:
            sentences.append(f"The longest of another thread: {_tell(timeline, others[0])}.")
    total_ns = timeline.ended_ns - timeline.began_ns
    held_ns = sum(span.end_ns - span.begin_ns for span in timeline.spans if span.kind == "hold")
    told_held = f"In all, the GIL was held for {format_duration(held_ns / 1e9)}"
    if not timeline.dropped:
        share = format_percent(min(held_ns / total_ns, 1), 1)
        told_held += f" of {format_duration(total_ns / 1e9)}, or {share} of the time"
    return [*sentences, f"{told_held}."]


def _tell(timeline: Timeline, hold: Hold) -> str:
    thread = shorten(timeline.threads[hold.thread].name, _NAME)
    length = format_duration(hold.length_ns / 1e9)
    began = format_duration((hold.begin_ns - timeline.began_ns) / 1e9)
    where = _locate(timeline, hold.function)
    place = f" ({where})" if where else ""
    doing = f" in {name_hold(timeline, hold)}{place}"
    return f"thread {thread} held the GIL for {length} at once{doing}, {began} after the start"


def list_warnings(timeline: Timeline) -> list[str]:
    """Return what the reader must know first."""
    dropped = describe_dropped(timeline)
    return [f"{dropped[:1].upper()}{dropped[1:]}"] if dropped else []


def find_longest(timeline: Timeline, most: int) -> list[Hold]:
    """Return so many of the longest holds, the longest first."""
    return sorted(join_holds(timeline.spans), key=lambda hold: -hold.length_ns)[:most]


def find_waiters(timeline: Timeline, hold: Hold) -> Counter[int]:
    """Return how long each thread waited during a hold, in nanoseconds."""
    waited: Counter[int] = Counter()
    for span in timeline.spans:
        if span.kind == "wait" and span.thread != hold.thread:
            shared = min(span.end_ns, hold.end_ns) - max(span.begin_ns, hold.begin_ns)
            if shared > 0:
                waited[span.thread] += shared
    return waited


def count_functions(timeline: Timeline) -> Counter[int | None]:
    """Return how long the lock was held in each function, in nanoseconds."""
    held: Counter[int | None] = Counter()
    for span in timeline.spans:
        if span.kind == "hold":
            held[span.function] += span.end_ns - span.begin_ns
    return held


def tabulate_longest(timeline: Timeline) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return the names of the columns and the rows of the longest holds.

    Where no thread was seen to wait, waits may not be told at all, and the column is left out.
    """
    rows = []
    for hold in find_longest(timeline, _MOST_ROWS):
        waited = find_waiters(timeline, hold).total()
        rows.append(
            (
                format_duration(hold.length_ns / 1e9),
                format_duration((hold.begin_ns - timeline.began_ns) / 1e9),
                shorten(timeline.threads[hold.thread].name, _NAME),
                name_hold(timeline, hold),
                _locate(timeline, hold.function) or "–",
                format_duration(waited / 1e9) if waited else "–",
            )
        )
    if not any(span.kind == "wait" for span in timeline.spans):
        return _LONGEST, [row[:-1] for row in rows]
    return (_LONGEST[0], _WAITED, *_LONGEST[1:]), [(row[0], row[-1], *row[1:-1]) for row in rows]


def tabulate_functions(timeline: Timeline) -> Iterator[Sequence[str]]:
    """Yield the rows of the functions that held the lock most, under the names of `BUSIEST`."""
    counted = count_functions(timeline)
    longest: dict[int | None, int] = defaultdict(int)
    for span in timeline.spans:
        if span.kind == "hold":
            longest[span.function] = max(longest[span.function], span.end_ns - span.begin_ns)
    for function, held_ns in counted.most_common(_MOST_ROWS):
        yield (
            name_function(timeline, function),
            format_duration(held_ns / 1e9),
            format_percent(held_ns / max(counted.total(), 1)),
            format_duration(longest[function] / 1e9),
            _locate(timeline, function) or "–",
        )


def name_function(timeline: Timeline, function: int | None, width: int = _NAME) -> str:
    """Return the name of a function as reports write it."""
    return UNKNOWN if function is None else shorten(timeline.functions[function].name, width)


def name_hold(timeline: Timeline, hold: Hold, width: int = _NAME) -> str:
    """Return the function that took the most of a hold, and how many others were in it."""
    others = sum(
        function not in (hold.function, None) and time_ns >= _SEEN * hold.length_ns
        for function, time_ns in hold.functions.items()
    )
    more = f" and {others} more" if others else ""
    return name_function(timeline, hold.function, width - len(more)) + more


def _locate(timeline: Timeline, function: int | None) -> str:
    """Return the file and the line; of a long path its end."""
    if function is None:
        return ""
    known = timeline.functions[function]
    parts = re.split(r"[/\\]", known.file)
    path = f"…/{'/'.join(parts[-3:])}" if len(parts) > _MOST_PARTS else known.file
    return shorten(path, _FILE) + (f":{known.line}" if known.line else "")
