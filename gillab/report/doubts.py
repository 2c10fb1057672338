"""What the lab says where a control failed, and where something was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gillab.report.figures import shorten
from gillab.results import Cell, Choice

_REASON_WIDTH = 200


def tell_doubts(choice: Choice | None) -> Iterator[str]:
    """Say which control failed, and what that does to the figures."""
    doubts = choice.doubts if choice is not None else ()
    if "null" in doubts:
        yield (
            "two serial arms alike differ, so these figures are in doubt; run again when the "
            "machine is quieter"
        )
    elif "ceiling" in doubts:
        yield (
            "the machine gave less than it has (see the ceiling), so there may be more to gain; "
            "run again when it is quieter"
        )


def tell_failures(cells: Sequence[Cell]) -> Iterator[str]:
    """Say once of each strategy that failed why."""
    told = set()
    for cell in cells:
        if cell.status == "failed" and cell.strategy not in told:
            told.add(cell.strategy)
            reason = shorten(cell.reason or "", _REASON_WIDTH).rstrip(". ")
            yield f"{cell.strategy} failed: {reason}"
