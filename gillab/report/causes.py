"""Why a strategy gained nothing, said only where the figures bear it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gillab.report.figures import format_percent
from gillab.results import Cell, Control

_MOSTLY_HELD = 0.9
_HARDLY_HELD = 0.5
_ONE_AT_A_TIME = (0.8, 1.25)
"""Effective cores between which an arm ran as one thread that never waits."""


def has_one_cpu(ceiling: Sequence[Control], environment: Mapping[str, Any]) -> bool:
    """Whether this process may use one CPU at most, so that nothing runs in parallel."""
    usable = environment.get("cpus_usable")
    if usable is not None:
        return bool(usable <= 1)
    several = [control for control in ceiling if control.workers > 1]
    return bool(several) and all(control.expected <= 1 for control in several)


def explain_no_gain(cell: Cell, serial: Cell | None, environment: Mapping[str, Any]) -> str:
    """Return the clause that says what kept threads from gaining; empty where it is not known."""
    if cell.strategy != "threads" or cell.workers == 1:
        return ""
    if cell.held is not None and cell.held >= _HARDLY_HELD:
        so = ", so one runs at a time" if cell.held >= _MOSTLY_HELD else ""
        return f"the GIL is held {format_percent(cell.held)} of the time{so}"
    if is_gil_off(environment, cell, serial):
        return "though there is no GIL here"
    if cell.held is not None:
        return f"though the GIL is not why: it is held {format_percent(cell.held)} of the time"
    if environment.get("gil_enabled") is not True or not _ran_one_at_a_time(cell, serial):
        return ""
    return "the GIL lets one run at a time"


def is_gil_off(environment: Mapping[str, Any], *cells: Cell | None) -> bool:
    """Whether the workload ran without a GIL, for all that its cells' notes tell."""
    notes = (note for cell in cells if cell is not None for note in cell.notes)
    # A workload can turn the GIL back on; it is then noted.
    return environment.get("gil_enabled") is False and not any("GIL" in note for note in notes)


def _ran_one_at_a_time(cell: Cell, serial: Cell | None) -> bool:
    """Whether the cores kept busy are those of tasks that wait for one lock, and for nothing else.

    More of them: the tasks ran in parallel, so that something else is in the way. Fewer: they
    waited for something that is not a lock on running.
    """
    low, high = _ONE_AT_A_TIME
    both = (cell.cores, serial.cores if serial is not None else None)
    return all(cores is None or low <= cores <= high for cores in both)
