"""When enough is known of a workload: pure functions over its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gillab.blocks.analysis import correct, find_widest, judge
from gillab.blocks.evidence import Machine
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Record

_OPEN = ("inconclusive", "withheld", None)


class Standing(NamedTuple):
    """How far a workload has come."""

    widest: float
    """The relative half-width of its widest interval; infinite where one is missing."""
    undecided: int
    """Its cells whose verdict is open."""
    enough: bool


def judge_standing(
    record: Record, records: Sequence[Record], protocol: Protocol, machine: Machine
) -> Standing:
    """Say whether a workload needs more blocks."""
    widest = find_widest(record, correct(records, protocol.confidence))
    cells, _, _ = judge(record, records, protocol.confidence, machine)
    undecided = sum(
        cell.verdict in _OPEN
        for cell in cells
        if cell.strategy != "serial" and cell.status != "failed"
    )
    narrow = widest <= protocol.target_error
    done = narrow or (protocol.until_decided and not undecided)
    return Standing(widest, undecided, len(record.blocks) >= protocol.min_blocks and done)
