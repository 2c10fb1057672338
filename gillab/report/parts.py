"""Where the time of a job goes, in words."""

from __future__ import annotations

from gillab.report.figures import format_percent
from gillab.results import Parts

JOB_LEGEND = (
    "the job: from making the pool to its end, median ± median absolute deviation; by: items in a "
    "chunk; speedup: against the loop, with its interval{sure}. The parts are of the workers' "
    "time, from runs of their own in which every step is timed: start: until a worker is ready, "
    "and the pool's end; send: pickling items, unpickling them and waiting for them; receive: the "
    "same of results; idle: the rest."
)
_NEAR = 0.05
"""The parts add up to what the timed runs took, give or take this."""
_WORDS = (
    ("send", "into sending items"),
    ("receive", "into results"),
    ("start", "into starting"),
    ("idle", "into waiting"),
)
_WORTH_SAYING = 0.05


def describe_parts(parts: Parts) -> str:
    """Describe all parts, and by how much they do not add up to what the timed runs took."""
    names = ("start", "send", "compute", "receive", "idle")
    text = ", ".join(f"{name} {format_percent(getattr(parts, name))}" for name in names)
    if abs(parts.of_median - 1) <= _NEAR:
        return text
    return f"{text} (of a run that took {parts.of_median:.2f}x the median)"


def tell_overhead(parts: Parts | None) -> str:
    """Return the clause for what is not computing, largest first; empty where there is little."""
    if parts is None:
        return ""
    shares = sorted(((getattr(parts, name), words) for name, words in _WORDS), reverse=True)
    said = [f"{format_percent(share)} {words}" for share, words in shares if share >= _WORTH_SAYING]
    if not said:
        return ""
    first, *rest = said
    head, _, tail = first.partition(" % ")
    return ", ".join([f"{head} % goes {tail}", *rest])
