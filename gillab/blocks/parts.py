"""Where the time of a whole job goes: traced runs in, the parts of a usual run out."""

from __future__ import annotations

from collections.abc import Sequence

from gillab.blocks.messages import Traced
from gillab.results import Parts


def fit_parts(traces: Sequence[Traced], timed_s: float) -> Parts:
    """Return the parts of a run that takes as long as the timed ones do, ``timed_s``.

    Runs differ, on a busy machine by a half. Between the traced run that is the nearest below that
    time and the one that is the nearest above it, each part is taken to grow evenly. Where all are
    on one side, it is the nearest run alone, and `of_median` says by how much it is off.
    """
    below = max((t for t in traces if t.seconds <= timed_s), key=_take_seconds, default=None)
    above = min((t for t in traces if t.seconds >= timed_s), key=_take_seconds, default=None)
    low, high = below or above, above or below
    assert low is not None
    assert high is not None
    apart_s = high.seconds - low.seconds
    share = (timed_s - low.seconds) / apart_s if apart_s else 0.0
    each_s = [
        (1 - share) * low.seconds * ours + share * high.seconds * theirs
        for ours, theirs in zip(low.parts, high.parts, strict=True)
    ]
    whole_s = sum(each_s[:5])
    start, send, compute, receive, idle, without = (part_s / whole_s for part_s in each_s)
    return Parts(start, send, compute, receive, idle, without, whole_s / timed_s)


def _take_seconds(trace: Traced) -> float:
    return trace.seconds
