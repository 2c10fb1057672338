"""Decides when enough is known of a workload: pure functions over its record."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gillab.blocks.analysis import correct, find_widest, judge
from gillab.blocks.evidence import Machine
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Record
from gillab.results import Cell

_OPEN = ("inconclusive", "withheld", None)


class Standing(NamedTuple):
    """How far a workload has come, as of the last look."""

    widest: float = math.inf
    """The relative half-width of its widest interval; infinite where one is missing."""
    undecided: int | None = None
    """Its cells whose verdict is open; None before the first look."""
    narrow: bool = False
    """Whether its intervals are as narrow as was asked for."""
    decided: bool = False
    """Whether every verdict is decided."""


Look = Callable[[Record, Sequence[Record], Protocol, Machine], Standing]
"""Tells how far a workload has come; `look` is the usual one."""


def look(
    record: Record, records: Sequence[Record], protocol: Protocol, machine: Machine
) -> Standing:
    """Report how far a workload has come, as if its run ended here because all is decided."""
    settled = replace(record, settled=True)
    confidence = protocol.confidence
    widest = find_widest(settled, correct(settled, records, confidence))
    cells, _, ceilings = judge(settled, records, confidence, machine)
    low = any(ceiling.passed is False for ceiling in ceilings)
    undecided = sum(
        _is_open(cell, protocol.limit, low_ceiling=low)
        for cell in cells
        if (cell.strategy != "serial" or cell.interpreter) and cell.status == "ok"
    )
    return Standing(widest, undecided, widest <= protocol.target_error, undecided == 0)


def _is_open(cell: Cell, limit: float | None, *, low_ceiling: bool) -> bool:
    """Whether a cell's verdict is open, or whether it reaches a limit."""
    if limit is None or cell.proved_by is not None:
        return cell.verdict in _OPEN
    speedup = cell.speedup
    if speedup is None or speedup.low is None or speedup.high is None:
        return True
    # Where the machine gave little, more blocks may show that it can give as much.
    return speedup.low < limit and (speedup.high >= limit or low_ceiling)
