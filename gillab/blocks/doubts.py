"""Which failed control makes a verdict withheld, and how the report says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gillab.results import Cell, Control, Verdict

Doubt = Literal["null", "ceiling", "ceiling_missing"]


def find_doubt(null: Control, ceiling: Control | None, verdict: Verdict) -> Doubt | None:
    """Return the control because of which a verdict is withheld, None if the verdict stands.

    If the two serial arms differ, every verdict is withheld. A ceiling that is too low makes a gain
    smaller and never larger, so a win stands, and a verdict without a gain is withheld. A low
    ceiling explains a loss only if the machine gave the workers less than one core.
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


def describe_one_core(cell: Cell) -> str:
    """Say why a gain is doubtful if the workers kept no more than one core busy together."""
    return (
        f"they kept {cell.cores:.2f} cores busy together, so what they gained may be what other "
        "programs lost: run again when it is quieter"
    )
