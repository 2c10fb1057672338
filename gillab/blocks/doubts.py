"""Which control takes a verdict back, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gillab.results import Control, Verdict

Doubt = Literal["null", "ceiling", "ceiling_missing"]


def find_doubt(null: Control, ceiling: Control | None, verdict: Verdict) -> Doubt | None:
    """Return the control that takes a verdict back, None where it stands.

    Two serial arms that differ take back everything. A ceiling below what was due makes a gain
    smaller and never larger: it takes back that there is none, and no gain. A loss it explains
    only where the machine gave its workers less than one core.
    """
    if null.passed is False:
        return "null"
    if ceiling is None or verdict in ("wins", "inconclusive", "withheld"):
        return None
    if ceiling.reason is not None:
        return "ceiling_missing"
    if ceiling.passed is False and ceiling.speedup is not None:
        return None if verdict == "loses" and ceiling.speedup.estimate >= 1 else "ceiling"
    return None


def find_failed(null: Control, ceilings: Sequence[Control]) -> tuple[Doubt, ...]:
    """Return the controls that failed, whether a verdict rests on them or not."""
    found: list[Doubt] = ["null"] if null.passed is False else []
    if any(ceiling.passed is False for ceiling in ceilings):
        found.append("ceiling")
    if any(ceiling.reason is not None for ceiling in ceilings):
        found.append("ceiling_missing")
    return tuple(found)


def describe_doubt(doubt: Doubt, null: Control, ceiling: Control | None) -> str:
    """Say what the control read, as a clause."""
    if doubt == "null" and null.speedup is not None:
        figure = null.speedup
        return (
            f"two identical serial arms differ, {figure.estimate:.2f}x "
            f"[{figure.low:.2f}, {figure.high:.2f}]"
        )
    if doubt == "ceiling_missing" and ceiling is not None:
        return f"what this machine gives could not be measured: {ceiling.reason}"
    assert ceiling is not None
    assert ceiling.speedup is not None
    return f"the machine gave {ceiling.speedup.estimate:.2f} of {ceiling.expected:g} cores"
