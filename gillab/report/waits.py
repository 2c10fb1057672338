"""Says in plain words how long a thread that asks for the lock waits for a call."""

from __future__ import annotations

from collections.abc import Sequence

from gillab.release.findings import Finding, Waits
from gillab.report.figures import format_duration

_FEW = 1.25
"""If a wait may be more than so many times the longest seen, too few were seen."""
_ENOUGH = 100
"""With fewer waits, the 99th percentile would be the longest."""


def tell_waits(waits: Waits) -> str:
    """Say in a clause how long a thread that asks waits, and whether the call can be interrupted.

    ``a thread that asks waits 5.1 ms (p99 5.4 ms, longest 6.2 ms): it can be interrupted, at the
    switch interval of 5 ms``.
    """
    p50, longest = format_duration(waits.p50_s, 2), format_duration(waits.longest_s.estimate, 2)
    most = f"longest {longest}"
    if waits.asked >= _ENOUGH:
        most = f"p99 {format_duration(waits.p99_s, 2)}, {most}"
    if waits.handover == "late":
        # For more than a switch interval nothing checked whether a thread waits.
        stretch = "a stretch of it cannot be interrupted"
        most_s = waits.longest_s.high or 0.0
        if most_s > _FEW * waits.longest_s.estimate:
            longest = f"{longest}, perhaps {format_duration(most_s, 2)}"
        return f"a thread that asks waits up to {longest} (median {p50}): {stretch}"
    figures = f"a thread that asks waits {p50} ({most})"
    interval = f"the switch interval of {1e3 * waits.switch_interval_s:.3g} ms"
    how = {
        "interrupted": f": it can be interrupted, at {interval}",
        "between_calls": f": it gets the lock between calls, after {interval}",
    }
    return figures + how.get(waits.handover or "", "")


def format_waits(waits: Waits | None) -> str:
    """Write the longest wait for a cell of a table; empty if no thread asked."""
    return "" if waits is None else format_duration(waits.longest_s.estimate, 2)


def describe_floor(cells: Sequence[Finding]) -> str:
    """Describe what a thread waits beside a loop of bytecode, at its worst."""
    floors = [cell.waits.floor for cell in cells if cell.waits]
    if not floors:
        return ""
    p50, longest = max(each.p50_s for each in floors), max(each.longest_s for each in floors)
    return (
        f"beside a loop of bytecode a thread that asks waits {format_duration(p50, 2)}, "
        f"{format_duration(longest, 2)} at most"
    )
