"""What is to be said of why a strategy gained nothing or little: what the figures bear out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gillab.report.figures import format_percent
from gillab.results import Cell, Control, Estimate
from gillab.strategies import shares_gil

_MOSTLY_HELD = 0.9
_HARDLY_HELD = 0.1
_ALL_OF_IT = 1.1
"""No share of what the machine gives is larger, but for what waits and does not compute."""
_COMPUTES = 0.8
"""Work that keeps a core less busy than a loop beside it waits for a part of its time."""
_DEARER = 1.1
"""Of the CPU time of a serial task: less is the noise of two medians."""
_MOSTLY_BUSY = 0.9
_ONE_AT_A_TIME = (0.8, 1.25)
"""Effective cores between which an arm ran as one thread that never waits."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a run tells of where it ran."""

    gil_enabled: bool | None
    cpus_usable: float | None
    due: Mapping[int, float]
    """How many cores so many workers could keep busy."""

    @classmethod
    def of(cls, ceiling: Sequence[Control], environment: Mapping[str, Any]) -> Machine:
        """Gather it from the controls and the environment."""
        return cls(
            environment.get("gil_enabled"),
            environment.get("cpus_usable"),
            {control.workers: control.expected for control in ceiling},
        )

    @property
    def one_cpu(self) -> bool:
        """Whether the run may use one CPU at most, so that nothing computes in parallel."""
        if self.cpus_usable is not None:
            return self.cpus_usable <= 1
        several = [cores for workers, cores in self.due.items() if workers > 1]
        return bool(several) and all(cores <= 1 for cores in several)

    def has_more_than(self, workers: int) -> bool:
        """Whether so many workers leave some of its CPUs unused."""
        return self.cpus_usable is not None and workers < self.cpus_usable


def computes(busy: float | None) -> bool:
    """Whether work that keeps a core so busy, beside a loop, waits for nothing; None: not known."""
    return busy is None or busy >= _COMPUTES


def is_share_known(share: Estimate, busy: float | None) -> bool:
    """Whether the ceiling is one for this work: for what computes it is.

    What waits may gain more than the CPUs can give, and from more workers than there are CPUs.
    """
    return computes(busy) and share.estimate <= _ALL_OF_IT


def explain_no_gain(cell: Cell, serial: Cell | None, machine: Machine) -> str:
    """Return the clause that says what kept threads from gaining; empty where it is not known."""
    if not shares_gil(cell.strategy) or cell.workers == 1:
        return ""
    if cell.held is not None and cell.held >= _MOSTLY_HELD:
        return f"the GIL is held {format_percent(cell.held)} of the time, so one runs at a time"
    if is_gil_off(machine, cell, serial):
        return "though there is no GIL here"
    if cell.held is not None:
        held = format_percent(cell.held)
        if cell.held < _HARDLY_HELD and cell.verdict == "same":
            return f"though the GIL is not why: it is held {held} of the time"
        # Between holds it may be waited for all the same, and another lock beside it too.
        return f"and the GIL is held {held} of the time"
    if machine.gil_enabled is not True or not _ran_one_at_a_time(cell, serial):
        return ""
    return "about one runs at a time, as the GIL allows"


def explain_low_share(cell: Cell, serial: Cell | None, machine: Machine) -> str:
    """Return the clause that says where the rest of the ceiling is; empty where it is not known.

    CPU time that a task needs more than alone is the strategy's own, or the tasks slow each other
    where they share a core's units, a cache or memory: which of them, no figure here tells.
    """
    if not cell.speedup or not cell.cores or serial is None or not serial.cores:
        return ""
    parts = []
    cost = cell.cores / (cell.speedup.estimate * serial.cores)
    if cost >= _DEARER:
        parts.append(f"a task takes {cost:.1f}x the CPU time of a serial one")
    due = machine.due.get(cell.workers)
    if due is not None and cell.cores <= _MOSTLY_BUSY * due:
        parts.append(f"the workers keep {cell.cores:.1f} of {due:g} cores busy")
    return " and ".join(parts)


def is_gil_off(machine: Machine, *cells: Cell | None) -> bool:
    """Whether the workload ran without a GIL, for all that its cells' notes tell."""
    notes = (note for cell in cells if cell is not None for note in cell.notes)
    # A workload can turn the GIL back on; it is then noted.
    return machine.gil_enabled is False and not any("GIL" in note for note in notes)


def _ran_one_at_a_time(cell: Cell, serial: Cell | None) -> bool:
    """Whether the cores kept busy are those of tasks that wait for one lock, and for nothing else.

    More of them: the tasks ran in parallel, so that something else is in the way. Fewer: they
    waited for something that is not a lock on running.
    """
    low, high = _ONE_AT_A_TIME
    both = (cell.cores, serial.cores if serial is not None else None)
    return all(cores is None or low <= cores <= high for cores in both)
